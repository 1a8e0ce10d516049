import t from 'tap'
import { epochMs, RetryableError } from '../../src/domain/index.ts'
import { SegmentGoneError, type SegmentRow } from '../../src/footage/index.ts'
import { realFootage } from '../support/fragments.ts'
import { at, CUSTODIAN, done } from '../requests/support/front-desk.ts'
import { inside, recordRun } from './support/footage.ts'
import { decoded, framesOf, soundOf } from './support/frames.ts'
import { DOOR, LOBBY, ScreeningRoom } from './support/screening-room.ts'

const NINE = at('2026-11-20T09:00:00')
const H264 = { codec: 'h264', width: 320, height: 240, seconds: 4 } as const
const range = (fromMs: number, toMs: number, camera = LOBBY) => ({ camera, from: epochMs(NINE + fromMs), to: epochMs(NINE + toMs) })

t.test('exactly the frames inside the grant leave, to the millisecond', async t => {
  await using room = await ScreeningRoom.open(t)
  const recorded = await recordRun(room.rig, { camera: LOBBY, id: 'hall', footage: await realFootage(H264), fromMs: NINE, seconds: 30 })
  const expected = inside(recorded, NINE + 10_250, NINE + 20_600)
  const application = await room.granted([range(10_250, 20_600)])
  const { screen, player } = await room.watch(application)
  await player.until('the end', () => player.told('end').length === 1)
  const { frames, warnings } = await framesOf(player.file(0))
  t.equal(warnings, '')
  const originAt = player.told('opened')[0]!.originAt
  const walls = frames.map(frame => originAt + frame.ptsMs - NINE)
  t.equal(frames[0]?.isKey, true)
  t.equal(frames.length, expected.length, 'every frame between, none twice')
  t.ok(expected.length > 140 && expected.length < 150)
  const offMs = expected.map(({ atMs }, i) => Math.abs(atMs - NINE - walls[i]!))
  t.ok(Math.max(...offMs) <= 1, `each at its own instant, to the millisecond: ${Math.max(...offMs)}`)
  t.ok(walls[0]! >= 10_250 && walls.at(-1)! < 20_600, `from ${walls[0]} to ${walls.at(-1)}`)
  t.equal(player.media(0).at(-1)?.bytes.includes('custos'), false, 'nothing of the record around the frames')
  t.same(await decoded(player.file(0)), { pictures: expected.length, errors: '' })
  screen.close('closed')
  t.same(room.actions(), ['viewing.opened', 'viewing.closed'])
})

t.test('pre-roll leaves only where it was allowed, from the key frame before the range, and is marked', async t => {
  await using room = await ScreeningRoom.open(t)
  const recorded = await recordRun(room.rig, { camera: LOBBY, id: 'hall', footage: await realFootage(H264), fromMs: NINE, seconds: 20 })
  const key = recorded.findLast(({ atMs, isKey }) => isKey && atMs <= NINE + 10_250)!
  const application = await room.granted([range(10_250, 12_000)], { isPreRollAllowed: true })
  const { player } = await room.watch(application)
  await player.until('the end', () => player.told('end').length === 1)
  const pieces = player.media(0)
  t.equal(pieces[0]?.at, key.atMs)
  t.ok(pieces.every(piece => piece.isPreRoll === (piece.at < NINE + 10_250)), 'marked to the frame')
  t.equal((await framesOf(player.file(0))).frames.length, recorded.filter(({ atMs }) => atMs >= key.atMs && atMs < NINE + 12_000).length)
})

t.test('two cameras run on one wall clock; what was not recorded is told, and a new run and another picture size go on after it', async t => {
  await using room = await ScreeningRoom.open(t)
  const small = await realFootage(H264), large = await realFootage({ ...H264, width: 480, height: 272 })
  await recordRun(room.rig, { camera: LOBBY, id: 'hall', footage: small, fromMs: NINE, seconds: 8 })
  await recordRun(room.rig, { camera: LOBBY, id: 'hall', footage: large, fromMs: NINE + 13_000, seconds: 8 })
  await recordRun(room.rig, { camera: DOOR, id: 'gate', footage: small, fromMs: NINE + 437, seconds: 20 })
  const application = await room.granted([range(2_000, 18_000), range(2_000, 18_000, DOOR)])
  const { player } = await room.watch(application)
  await player.until('both ends', () => player.told('end').length === 2)
  t.same(player.told('gap').map(({ camera, from, to, why, cause }) => [camera, from - NINE, to - NINE, why, cause?.en]),
    [[0, 8_531, 13_000, 'no-footage', 'the camera closed the connection']], 'from the end of the last frame to the first of the new run, with what was noted of it')
  t.same(player.told('track').filter(({ camera }) => camera === 0).map(({ widthPx }) => widthPx), [320, 480])
  const { originAt } = player.told('opened')[0]!
  let worstMs = 0
  for (const piece of [...player.media(0), ...player.media(1)]) worstMs = Math.max(worstMs, Math.abs(piece.mediaMs - (piece.at - originAt)))
  t.ok(worstMs <= 2, `media time is wall time on both: off by ${worstMs} ms at most`)
  t.comment(`skew between cameras: at most ${worstMs * 2} ms`)
  const lobby = player.media(0)
  for (const [i, piece] of lobby.entries()) {
    const before = lobby[i - 1]
    if (before === undefined || piece.beginsChain) continue
    t.ok(Math.abs(before.mediaMs + before.durationMs - piece.mediaMs) < 0.1, 'no hole where recording went on')
  }
})

t.test('a seek begins with the key frame at or before it; a storm of seeks is bounded and told in the books', async t => {
  await using room = await ScreeningRoom.open(t)
  const recorded = await recordRun(room.rig, { camera: LOBBY, id: 'hall', footage: await realFootage(H264), fromMs: NINE, seconds: 40 })
  const keyAt = (ms: number) => recorded.findLast(({ atMs, isKey }) => isKey && atMs <= NINE + ms)?.atMs
  const application = await room.granted([range(0, 40_000)])
  const { player, screen } = await room.watch(application)
  await player.until('pieces up to the bound', () => player.media(0).length >= 39)
  t.ok(player.media(0).every(piece => piece.at <= NINE + 20_000), 'no further ahead than the player asked')
  player.say({ type: 'at', at: NINE + 5_000 })
  await player.until('more', () => player.media(0).some(piece => piece.at > NINE + 20_000))
  player.say({ type: 'seek', at: NINE + 31_700 })
  await player.until('the piece', () => player.media(0, 2).length > 0)
  t.equal(player.media(0, 2)[0]?.at, keyAt(31_700))
  for (let i = 0; i < 500; i++) player.say({ type: 'seek', at: NINE + i * 10 })
  player.say({ type: 'seek', at: NINE + 12_345 })
  await player.until('the last of the storm', () => player.told('sought').some(({ at: to }) => to === NINE + 12_345))
  const { epoch } = player.told('sought').at(-1)!
  await player.until('its piece', () => player.media(0, epoch).length > 0)
  t.equal(player.media(0, epoch)[0]?.at, keyAt(12_345))
  const sought = room.front.office.entries('viewing.sought').map(entry => JSON.parse(entry.detail) as { to: string, skipped: number })
  t.ok(sought.length <= 3, `${sought.length} entries for 502 seeks`)
  t.equal(sought.reduce((sum, { skipped }) => sum + skipped + 1, 0), 502, 'and none of them is untold')
  screen.close('closed')
})

t.test('opening is one act with its book line: right, grant, statement, visitor and log all must hold', async t => {
  await using room = await ScreeningRoom.open(t)
  const application = await room.granted([range(0, 1_000)], { isSigned: false })
  const token = await room.login()
  t.throws(() => room.show(token, application), { code: 'CUSTOS_VIEWING_REFUSED', message: /保密聲明/ }, 'R35')
  const signed = done(await room.front.act(CUSTODIAN, application, { kind: 'sign-statement', name: '趙警員' })).application
  t.throws(() => room.show(token, signed, { isStatementConfirmed: false }), { code: 'CUSTOS_VIEWING_REFUSED' })
  t.throws(() => room.show(token, signed, { cameras: [DOOR] }), { code: 'CUSTOS_VIEWING_REFUSED' }, 'a camera that was not granted')
  t.throws(() => room.show(token, signed, { visitor: { name: '', part: 'applicant' } }), { code: 'CUSTOS_BOOK_REFUSED' })
  room.front.office.access.sessions.actIn(token, 'custodian')
  const screen = room.show(token, signed)
  t.throws(() => room.show(token, signed), { code: 'CUSTOS_VIEWING_BUSY' }, 'one screen a login')
  const line = room.book.log.get(1)!.line
  t.match(line, { act: 'view', object: screen.id, application: signed.number, applicant: '趙警員', unit: '臺北市政府警察局信義分局', matter: '偵辦竊盜案', uses: { accompanied: true, copied: false } })
  t.match(line.persons, [{ name: '趙警員', part: 'applicant' }, { name: '人員kuan', part: 'present' }])
  t.equal(room.book.log.last(), 1, 'refused ones left no line')
  screen.close('closed')
  t.same(room.actions(), [...Array.from({ length: 4 }, () => 'viewing.opened refused'), 'viewing.opened', 'viewing.opened refused', 'viewing.closed'])
  const clerk = await room.front.office.session(room.kuan)
  room.front.office.access.sessions.actIn(clerk, 'custodian')
  room.front.office.db.exec("CREATE TRIGGER planted BEFORE INSERT ON book_line BEGIN SELECT RAISE(ABORT, 'planted'); END")
  t.throws(() => room.show(clerk, signed), /planted/)
  t.equal(room.screens.list().length, 0, 'no line, no view')
  t.equal(room.actions().filter(action => action === 'viewing.opened').length, 1, 'and no entry without its line')
})

t.test('footage that was overwritten, or whose lease lapsed while the viewer paused, is a gap or goes on; nothing else comes in its place', async t => {
  let lapses = 0
  const gone = new Set<number>()
  await using room = await ScreeningRoom.open(t, { shelf: ({ storage: { footage } }) => ({
    segments: (...asked) => footage.segments(...asked), gaps: (...asked) => footage.gaps(...asked),
    async open(segment: SegmentRow) {
      if (gone.has(segment.slot)) throw new SegmentGoneError('planted')
      const reader = await footage.open(segment)
      return {
        footage: reader.footage, [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
        read: position => position === 3 && lapses++ === 0 ? Promise.reject(new SegmentGoneError('the lease lapsed')) : reader.read(position),
      }
    },
  }) })
  const recorded = await recordRun(room.rig, { camera: LOBBY, id: 'hall', footage: await realFootage({ ...H264, width: 640, height: 360 }), fromMs: NINE, seconds: 30 })
  const segments = await room.rig.storage.footage.segments(LOBBY, 'main' as never, { startAt: epochMs(NINE), endAt: epochMs(NINE + 30_000) })
  t.ok(segments.length >= 3, `${segments.length} slots`)
  const lost = segments[1]!
  gone.add(lost.slot)
  const application = await room.granted([range(0, 29_000)])
  const { player } = await room.watch(application)
  player.say({ type: 'at', at: NINE + 20_000 })
  await player.until('the end', () => player.told('end').length === 1)
  const [gap] = player.told('gap')
  t.match(gap, { why: 'gone' })
  t.ok(gap !== undefined && gap.from <= lost.startAt && gap.to >= (lost.endAt ?? 0))
  const { frames, warnings } = await framesOf(player.file(0))
  t.equal(warnings, '')
  const expected = recorded.filter(({ atMs }) => atMs < NINE + 29_000 && (atMs < (gap?.from ?? 0) || atMs >= (gap?.to ?? 0)))
  t.equal(frames.length, expected.length, 'all others are there, those behind the lapsed lease too')
  t.ok(lapses > 1, 'the lease lapsed once')
})

t.test('a volume that fails ends the pictures of its camera with the reason; the others go on, and it is asked again at the next seek', async t => {
  let fails = true
  await using room = await ScreeningRoom.open(t, { shelf: ({ storage: { footage } }) => ({
    segments: (...asked) => footage.segments(...asked), gaps: (...asked) => footage.gaps(...asked),
    open: segment => fails && segment.cameraUuid === LOBBY ? Promise.reject(new RetryableError('CUSTOS_PLANTED', '磁碟無法讀取。/ the volume cannot be read', { remedy: '請檢查磁碟。/ See to the disk.' })) : footage.open(segment),
  }) })
  for (const [camera, id] of [[LOBBY, 'hall'], [DOOR, 'gate']] as const) await recordRun(room.rig, { camera, id, footage: await realFootage(H264), fromMs: NINE, seconds: 12 })
  const { player, screen } = await room.watch(await room.granted([range(0, 10_000), range(0, 10_000, DOOR)]))
  await player.until('the end of the other', () => player.told('end').length === 1)
  t.match(player.told('refused'), [{ code: 'CUSTOS_PLANTED', camera: 0, ref: null, message: /無法讀取.*檢查磁碟.*See to/ }])
  t.match(player.told('end'), [{ camera: 1 }])
  t.equal(screen.closed, null)
  fails = false
  player.say({ type: 'seek', at: NINE + 2_000 })
  await player.until('both ends', () => player.told('end').length === 3)
  t.ok(player.media(0).length > 10)
})

t.test('sound leaves beside the pictures that leave, and nowhere else', async t => {
  await using room = await ScreeningRoom.open(t)
  await recordRun(room.rig, { camera: LOBBY, id: 'hall', footage: await realFootage({ ...H264, sound: true }), fromMs: NINE, seconds: 12 })
  const application = await room.granted([range(2_250, 8_600)])
  const { player } = await room.watch(application)
  await player.until('the end', () => player.told('end').length === 1)
  t.match(player.told('track')[0]?.mime, /avc1\.[0-9a-f]{6},mp4a\.40\.2/)
  const { frames } = await framesOf(player.file(0))
  const sound = await soundOf(player.file(0))
  const { originAt } = player.told('opened')[0]!
  const walls = sound.map(ptsMs => originAt + ptsMs - NINE)
  t.ok(sound.length > 200, `${sound.length} packets of sound`)
  t.ok(walls.every(wall => wall >= 2_250 && wall < 8_600), `sound from ${walls[0]} to ${walls.at(-1)}`)
  t.ok(Math.abs((sound[0] ?? 0) - (frames[0]?.ptsMs ?? 0)) < 50, 'begins with the picture')
})
