import t from 'tap'
import { epochMs } from '../../src/domain/index.ts'
import { realFootage } from '../support/fragments.ts'
import { at } from '../requests/support/front-desk.ts'
import { recordRun } from './support/footage.ts'
import { LOBBY, ScreeningRoom } from './support/screening-room.ts'

const NINE = at('2026-11-20T09:00:00')
const minute = [{ camera: LOBBY, from: epochMs(NINE + 1_001), to: epochMs(NINE + 30_001) }]

async function watched(t: Parameters<typeof ScreeningRoom.open>[0]) {
  const readers = { open: 0, most: 0 }
  const room = await ScreeningRoom.open(t, { shelf: ({ storage: { footage } }) => ({
    segments: (...asked) => footage.segments(...asked), gaps: (...asked) => footage.gaps(...asked),
    async open(segment) {
      readers.most = Math.max(readers.most, ++readers.open)
      const reader = await footage.open(segment)
      return { footage: reader.footage, read: position => reader.read(position), [Symbol.asyncDispose]: async () => { readers.open--; await reader[Symbol.asyncDispose]() } }
    },
  }) })
  await recordRun(room.rig, { camera: LOBBY, id: 'hall', footage: await realFootage({ codec: 'h264', width: 160, height: 120, seconds: 4 }), fromMs: NINE, seconds: 40 })
  const viewing = await room.watch(await room.granted(minute))
  await viewing.player.until('pictures', () => viewing.player.media(0).length > 5)
  return { room, readers, ...viewing }
}

t.test('however many stills are asked for at once, a few are looked for and the others are told to wait', async t => {
  const { room, readers, player, screen } = await watched(t)
  await using _ = room
  for (let ref = 0; ref < 900; ref++) player.say({ type: 'still', camera: 0, at: NINE + 2_000 + ref * 20, ref })
  const refused = () => player.told('refused').filter(({ code }) => code === 'CUSTOS_VIEWING_BUSY').length
  const shown = () => player.frames.filter(({ kind }) => kind === 'still').length
  await player.until('an answer to each', () => refused() + shown() === 900, 20_000)
  t.ok(readers.most <= 8, `${readers.most} slots were open at once`)
  t.ok(shown() >= 4)
  t.equal(screen.closed, null)
})

t.test('words without end are the end of the line; the screen itself waits for its player', async t => {
  const { room, player, screen } = await watched(t)
  await using _ = room
  for (let i = 0; i < 5_000 && !player.isClosed; i++) player.emit('message', Buffer.from('?'), i % 2 === 0)
  t.equal(player.isClosed, true)
  t.ok(player.told('refused').length <= 1_000, `${player.told('refused').length} answers`)
  t.equal(screen.closed, null)
})

t.test('an instant of no calendar is no word of ours; one beyond the grant, by a millisecond or an age, shows nothing', async t => {
  const { room, player, screen } = await watched(t)
  await using _ = room
  const answers = () => player.told('refused').length + player.frames.filter(({ kind }) => kind === 'still').length
  for (const [instant, code] of [[8e15, 'bad-message'], [-8e15, 'bad-message'], [253_402_300_799_998.9, 'CUSTOS_PICTURE_FAILED'], [NINE + 30_001, 'CUSTOS_PICTURE_FAILED'], [NINE + 30_000, null], [NINE + 1_000, null], [-2_208_988_800_000, null]] as const) {
    const before = answers()
    player.say({ type: 'still', camera: 0, at: instant, ref: 7 })
    await player.until(`an answer to ${instant}`, () => answers() === before + 1)
    if (code !== null) t.equal(player.told('refused').at(-1)?.code, code, String(instant))
  }
  for (const instant of [NINE, NINE + 1_000, NINE + 30_001, NINE + 31_000, 1.5, 253_402_300_799_998.9]) {
    const before = player.told('sought').length
    player.say({ type: 'seek', at: instant })
    await player.until('sought', () => player.told('sought').length > before)
  }
  await player.until('the end', () => player.told('end').length > 0)
  t.ok(player.frames.filter(({ kind }) => kind !== 'init').every(piece => piece.at >= NINE + 1_001 && piece.at + (piece.frames - 1) * 67 < NINE + 30_001 + 67), 'every picture inside')
  t.equal(screen.closed, null)
})
