import { createHash, createPublicKey } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { openAccess } from '../../src/access/index.ts'
import { AuditLog } from '../../src/audit/index.ts'
import { usedApplications } from '../../src/office/front-office.ts'
import { LiveRules } from '../../src/office/live-rules.ts'
import { openProcedure } from '../../src/office/procedure.ts'
import { openOfficeBeside } from '../../src/platform/office-database.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { createLogger } from '../../src/platform/logger.ts'
import { pathOf } from '../console/support/procedure.ts'
import { CameraServer } from '../support/cameras/camera-server.ts'
import { CLIPS } from '../support/cameras/make-clips.ts'
import { act, policeForm, receive, signature, watched } from '../support/recorder/case-by-api.ts'
import { frameCheck } from '../support/recorder/frame-check.ts'
import { run } from '../support/recorder/real-media.ts'
import { officeByApi } from '../support/recorder/office-people.ts'
import { TimeStampAuthority } from '../support/time-stamp-authority.ts'
import type { Person } from '../support/recorder/over-http.ts'
import { RealRecorder } from '../support/recorder/real-recorder.ts'
import { until } from '../support/until.ts'

const CAMERAS = { lobby: CLIPS.h264Small, door: CLIPS.h265Small } as const
const PLACES = { lobby: '一樓服務臺', door: '側門' } as const
const COLLEAGUES = [
  { id: 'lin', role: 'clerk' }, { id: 'chen', role: 'chief' }, { id: 'wang', role: 'secretary' }, { id: 'kuan', role: 'custodian' }, { id: 'hsu', role: 'custodian' }, { id: 'audit', role: 'auditor' }, { id: 'lee', role: 'staff' },
]

const said = async (response: Response) => ({ status: response.status, body: JSON.parse(await response.text() || 'null') as unknown })

interface Copy { readonly copy: string, readonly packageId: string, readonly state: string, readonly error: object | null, readonly archiveItem: string | null }
interface Video { readonly path: string, readonly cameraUuid: string, readonly firstFrameAt: string, readonly location: string | null, readonly maker: string | null }

/** Pictures of a file in the order of their bytes: size, key frame, and the instant, given that of the first. */
async function framesOf(file: string, zeroMs: number): Promise<readonly { readonly size: number, readonly isKey: boolean, readonly at: number }[]> {
  const { output, errors } = await run('ffprobe', ['-v', 'warning', '-select_streams', 'v', '-show_entries', 'packet=pts_time,size,flags', '-of', 'csv=p=0', file])
  if (errors !== '') throw new Error(`${file}: ${errors}`)
  const packets = output.toString().trim().split('\n').map(line => line.split(','))
  return packets.map(([pts, size, flags]) => ({ size: Number(size), isKey: flags?.startsWith('K') === true, at: zeroMs + Number(pts) * 1000 }))
}

t.test('from paper form to what each form opens, by the API alone, beside a recording that nothing touches', { timeout: 180_000 }, async t => {
  await using server = await CameraServer.start({ mounts: Object.entries(CAMERAS).map(([id, clip]) => ({ path: `/${id}`, clip })) })
  await using recorder = await RealRecorder.create({ folder: t.testdir({}), cameras: Object.keys(CAMERAS).map(id => ({ id, place: PLACES[id as keyof typeof CAMERAS], url: server.url(`/${id}`) })), sizeMiB: 800 })
  const port = recorder.consolePort, base = `http://127.0.0.1:${port}`
  await writeFile(recorder.configFile, `${await readFile(recorder.configFile, 'utf8')}\narchive: { dir: ${path.join(recorder.folder, 'archive')}, quota: 64MiB }\n`)
  const made = await recorder.command(['archive', 'init', '--config', recorder.configFile])
  t.equal(made.code, 0, made.errors)
  await recorder.start()
  await until('the console', async () => { try { return (await fetch(`${base}/viewer/`)).ok } catch { return false } })
  await recorder.untilRecording()
  const listening = new AbortController(), messages = await recorder.listen(listening.signal), gapsBefore = recorder.gaps().length

  const people = await officeByApi(base, recorder, COLLEAGUES), who = (id: string): Person => people.get(id)!
  const [lin, chen, wang, boss, kuan, auditor, lee] = ['lin', 'chen', 'wang', 'boss', 'kuan', 'audit', 'lee'].map(who) as [Person, Person, Person, Person, Person, Person, Person]
  for (const id of Object.keys(CAMERAS)) await recorder.untilRecordedFor(id, 8000)
  const rows = await recorder.rescueList()
  const asked = (['lobby', 'door'] as const).map(id => {
    const mine = rows.filter(({ camera }) => camera === id), from = Math.min(...mine.map(row => Date.parse(row.from))) + 1300
    return { camera: mine[0]!.cameraUuid, from, to: from + 4130 } // both edges between two frames of 15 a second: instants are whole milliseconds, frames are not
  }).sort((a, b) => a.camera < b.camera ? -1 : 1) // as a grant and its screen have them

  await t.test('附件2: received and held at once, four posts in order, a statement, a screen', async t => {
    const taken = await receive(lin, policeForm(asked))
    t.match(taken, { holding: { state: 'held' }, holds: { placed: 2 }, footage: [{ state: 'whole' }, { state: 'whole' }] }, 'R32: held at once')
    t.match(await readFile(path.join(recorder.volumeDir, 'custos-holds.json'), 'utf8'), new RegExp(asked[0]!.camera), 'on the volume too')
    let { application } = taken
    const { number } = application
    t.match(await said(await boss.ask('POST', `${pathOf(number)}/commands`, { version: application.version, ...signature(application), step: 3 })), { status: 409, body: { code: 'not-this-step' } })
    for (const signer of [lin, chen, wang, boss]) {
      t.equal((await kuan.ask('GET', `/api/grants/${encodeURIComponent(number)}`)).status, 404, 'R31: nothing is open before the last signature')
      t.equal((await kuan.ask('POST', '/api/screens/granted', { application: number, visitor: { name: '趙警員', part: 'applicant' }, isStatementConfirmed: true })).ok, false, 'no screen')
      application = await act(signer, application, signature(application))
    }
    t.equal(application.state.kind, 'approved')
    application = await act(kuan, application, { kind: 'sign-statement', name: '趙警員' })
    t.match(await kuan.get(`/api/grants/${encodeURIComponent(number)}`), { canView: true, canCopy: true, statement: 'signed' })
    const { screen } = await kuan.post<{ screen: string }>('/api/screens/granted', { application: number, visitor: { name: '趙警員', part: 'applicant' }, isStatementConfirmed: true })
    const seen = await watched(base, kuan, screen, 2, 3)
    for (const [place, instants] of seen.entries()) t.ok(instants.every(at => at >= asked[place]!.from && at < asked[place]!.to), `camera ${place}: ${instants.length} fragments, none outside the grant`)
    await kuan.post(`/api/screens/${screen}/close`)
    t.match(await auditor.get(`/api/book/lines?application=${encodeURIComponent(number)}`), { lines: [{ line: { application: number, act: 'view', object: screen, applicant: '趙警員' } }] }, 'R41')
  })

  const handed = path.join(recorder.folder, 'handed')
  let packageDir = ''
  await t.test('附件2: the copy — asked for by the custodian, witnessed by another, verified by custos and by coreutils and openssl alone, kept a year', async t => {
    await mkdir(handed)
    const { grants: [grant] } = await kuan.get<{ grants: readonly { number: string }[] }>('/api/grants'), application = grant!.number
    const recipient = { recipient: { name: '趙警員', unit: '信義分局', idType: '服務證' } }
    const ask = { application, target: { kind: 'folder', path: handed } }
    for (const other of [lin, boss, auditor, lee, who('root')]) t.equal((await other.ask('POST', '/api/copies', ask)).status, 403, 'R35: a custodian makes it')
    const { copy } = await kuan.post<Copy>('/api/copies', ask)
    let made = await kuan.get<Copy>(`/api/copies/${copy}`)
    await until('the copy', async () => { made = await kuan.get<Copy>(`/api/copies/${copy}`); return made.state === 'ready' || made.error !== null })
    t.match(made, { state: 'ready', error: null })
    t.same(await readdir(handed), [], 'nothing has left')
    for (const other of [kuan, who('hsu')]) t.equal((await other.ask('POST', `/api/copies/${copy}/release`, recipient)).status, 403, 'not by who made it, nor by a peer')
    const authority = new TimeStampAuthority(path.join(recorder.folder, 'tsa'))
    const before = (await readFile(recorder.configFile, 'utf8')).replace('name: Camera lobby', 'name: 大廳')
    await writeFile(recorder.configFile, `${before}package: { timestamp: { command: [${authority.program('stamp')}], ca: ${path.join(recorder.folder, 'tsa/ca.pem')} } }\n`)
    await until('the new configuration', () => recorder.audit().some(({ action, result, detail }) => action === 'config.changed' && result === 'done' && JSON.stringify(detail['takenOver']).includes('"package"')))
    await until('the office has it too', async () => (await kuan.get<{ cameras: { name: string }[] }>('/api/cameras')).cameras.some(({ name }) => name === '大廳'))
    const released = await lin.post<{ copy: Copy, bookLine: number }>(`/api/copies/${copy}/release`, recipient)
    t.match(released, { copy: { state: 'released', archiveItem: /./ } })
    t.equal((await lin.ask('POST', `/api/copies/${copy}/release`, recipient)).status, 409, 'once')
    t.same((await readdir(handed)).sort(), [released.copy.packageId, `${released.copy.packageId}.隨附文件`])
    packageDir = path.join(handed, released.copy.packageId)

    const publicKey = createPublicKey(await readFile(path.join(recorder.folder, 'state/keys/audit-key.pub.pem')))
    const fingerprint = createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' })).digest('hex')
    const verified = await recorder.command(['verify', packageDir, '--fingerprint', fingerprint])
    t.equal(verified.code, 0, verified.output.toString() + verified.errors)
    t.equal((await recorder.command(['verify', packageDir, '--fingerprint', '0'.repeat(64)])).code, 1, 'of nobody else')
    const script = (await readFile(path.join(packageDir, 'VERIFY.txt'), 'utf8')).split('\n').filter(line => line.startsWith('$ ')).map(line => line.slice(2)).join('\n')
    const bash = await run('bash', ['-euo', 'pipefail', '-c', `cd "$1" && eval "$2"`, 'verify', packageDir, script])
    t.equal(bash.code, 0, bash.errors)
    t.same(bash.output.toString().trim().split('\n').sort(), ['1 OK', '3 OK', 'Verified OK', 'Verified OK', 'Verification: OK', fingerprint, fingerprint].sort(), 'coreutils and openssl alone')

    const sheets = await Promise.all(['封面', '保管移轉紀錄及收據'].map(async name => (await run('pdftotext', ['-raw', path.join(`${packageDir}.隨附文件`, `${name}.pdf`), '-'])).output.toString().replace(/\s/gu, '')))
    const manifestSha256 = createHash('sha256').update(await readFile(path.join(packageDir, 'manifest.json'))).digest('hex')
    for (const sheet of sheets) for (const what of [released.copy.packageId, manifestSha256, fingerprint, '趙警員', '服務證']) t.ok(sheet.includes(what), `on the printed sheet: ${what}`)
    t.match(sheets[1], `第${released.bookLine}行`, 'the line of the book is the one that was written')
    t.match(await auditor.get(`/api/book/lines/${released.bookLine}`), { line: { application, act: 'copy', object: copy, persons: [{ name: '趙警員', part: 'applicant' }, { name: '趙警員', part: 'receiver' }], uses: { copied: true } } }, 'R41')
    const listed = await recorder.command(['archive', 'list', '--json', '--config', recorder.configFile])
    const items = listed.output.toString().trim().split('\n').map(line => JSON.parse(line) as { itemNo: string, state: string, application: string, expiresAt: number })
    t.match(items, [{ itemNo: released.copy.archiveItem, application, state: 'kept' }])
    const today = Temporal.Now.plainDateISO('Asia/Taipei')
    t.ok(Temporal.Instant.fromEpochMilliseconds(items[0]!.expiresAt).toZonedDateTimeISO('Asia/Taipei').toPlainDate().since(today, { largestUnit: 'years' }).years >= 1, 'R22: pinned a year')
    t.same(recorder.audit().filter(({ object }) => object === copy).map(({ action, result }) => `${action} ${result}`), [
      'copy.asked done', 'copy.taken done', 'copy.witnessed refused', 'copy.witnessed refused', 'copy.witnessed done', 'copy.released done', 'copy.witnessed refused',
    ])
  })

  await t.test('附件3: a party sees and takes nothing away', async t => {
    const content = {
      form: 'form-3', applicantClass: 'data-subject', acts: { view: true, copy: false, preserve: false }, asked: [asked[0]], identity: { document: '國民身分證', seenAt: Date.now(), seenBy: '林承辦' },
      fields: { applicant: '𡍼大明', 'applicant-id': 'A123456789', 'applicant-address': '臺北市信義區', 'applicant-phone': '0912345678', reason: '皮夾遺失' },
    }
    t.match(await said(await lin.ask('POST', '/api/applications', { ...policeForm([]), ...content, authority: null, acts: { view: true, copy: true, preserve: false }, necessity: '想帶走' })), { status: 422, body: { problems: [{ where: 'acts.copy' }] } }, 'R30')
    let { application } = await receive(lin, content)
    for (const signer of [lin, chen, wang, boss]) application = await act(signer, application, signature(application))
    application = await act(kuan, application, { kind: 'sign-statement', name: '𡍼大明' })
    t.match(await kuan.get(`/api/grants/${encodeURIComponent(application.number)}`), { canView: true, canCopy: false })
    t.match(await said(await kuan.ask('POST', '/api/copies', { application: application.number, target: { kind: 'folder', path: handed } })), { status: 409, body: { code: 'CUSTOS_COPY_REFUSED' } }, 'R30: no copy')
    const { screen } = await kuan.post<{ screen: string }>('/api/screens/granted', { application: application.number, visitor: { name: '𡍼大明', part: 'applicant' }, isStatementConfirmed: true })
    await watched(base, kuan, screen, 1, 2)
    await kuan.post(`/api/screens/${screen}/close`)
    t.equal((await act(kuan, application, { kind: 'close', reason: '已閱畢' })).state.kind, 'closed')
    t.notOk((await kuan.ask('POST', '/api/screens/granted', { application: application.number, visitor: { name: '𡍼大明', part: 'applicant' }, isStatementConfirmed: true })).ok, 'not after it is closed')
  })

  await t.test('附件4: staff ask from their own account', async t => {
    let { application } = await receive(lee, { form: 'form-4', applicantClass: 'staff', acts: { view: true, copy: false, preserve: false }, asked: [asked[1]], fields: { applicant: '人員lee', purpose: '釐清櫃檯糾紛' } })
    t.equal(application.content.applicantAccount, 'lee')
    for (const signer of [chen, lin, wang]) application = await act(signer, application, signature(application))
    t.equal(application.state.kind, 'approved')
    t.match(await kuan.get(`/api/grants/${encodeURIComponent(application.number)}`), { canView: true, canCopy: false })
    t.match(await said(await kuan.ask('POST', '/api/copies', { application: application.number, target: { kind: 'folder', path: handed } })), { status: 409, body: { code: 'CUSTOS_COPY_REFUSED' } }, 'R30: no copy')
  })

  await t.test('recording went on: health never said otherwise, and every frame of both cameras is there once', async t => {
    listening.abort()
    const told = messages.flatMap(message => 'streams' in message ? [...message.streams] : [])
    t.ok(told.length > 0, `${told.length} words on a camera`)
    t.same(told.filter(({ state }) => state !== 'recording'), [])
    t.equal(recorder.gaps().length, gapsBefore, 'no gap')
    t.equal(await recorder.stop(), 0)
    for (const [id, clip] of Object.entries(CAMERAS)) {
      t.match(await frameCheck(await recorder.rescue(id, `${id}.mp4`), [clip]), { ok: true, missing: [], doubled: [], reordered: [] }, id)
      t.equal(recorder.runs(id).length, 1, `${id}: one run`)
    }
  })

  await t.test('frame by frame: the package holds what was recorded in the grant, from its first key frame on, and nothing else', async t => {
    const { videos } = JSON.parse(await readFile(path.join(packageDir, 'manifest.json'), 'utf8')) as { videos: readonly Video[] }
    for (const id of Object.keys(CAMERAS) as (keyof typeof CAMERAS)[]) {
      const uuid = rows.find(row => row.camera === id)!.cameraUuid, { from, to } = asked.find(each => each.camera === uuid)!
      const mine = videos.filter(video => video.cameraUuid === uuid)
      t.equal(mine.length, 1)
      t.match(mine[0], { location: PLACES[id], maker: null }, 'E4: its place; a camera by its address alone does not tell what it is')
      const whole = path.join(recorder.folder, (await readdir(recorder.folder)).find(name => name.startsWith(id) && name.endsWith('.mp4'))!)
      const { from: wholeFrom } = JSON.parse(await readFile(`${whole}.manifest.json`, 'utf8')) as { from: string }
      const recorded = (await framesOf(whole, Date.parse(wholeFrom))).filter(({ at }) => at >= from && at < to)
      const granted = recorded.slice(recorded.findIndex(({ isKey }) => isKey))
      const given = await framesOf(path.join(packageDir, mine[0]!.path), Date.parse(mine[0]!.firstFrameAt))
      t.ok(given.length > 20 && given.every(({ at }) => at >= from && at < to), `${id}: ${given.length} frames, none outside the grant`)
      t.same(given.map(({ size, isKey }) => `${size} ${isKey}`), granted.map(({ size, isKey }) => `${size} ${isKey}`), 'none missing')
      t.ok(given.every(({ at }, index) => Math.abs(at - granted[index]!.at) < 2), 'each at its instant')
    }
  })

  await t.test('R44: the night finds book, audit and forms in agreement, and the audit log verifies', async t => {
    using catalogue = openOfficeBeside(path.join(recorder.folder, 'state'), 'write')
    const { db } = catalogue, state = { dir: path.join(recorder.folder, 'state') }, log = createLogger({ level: 'silent' })
    const audit = new AuditLog({ db, clock: systemClock }), time = { wallNow: () => systemClock.wallNow(), steadyNow: () => systemClock.wallNow() }, rules = new LiveRules({ folder: null, log })
    await rules.reload()
    const access = openAccess({ db, audit, time, stateDir: state.dir, officeName: 'Test office', mayCombine: () => null })
    const office = await openProcedure({ catalogue, audit, access, holds: undefined as never, footage: undefined as never, clock: systemClock, config: { state, office: { managingUnit: '', ruleSets: null, calendar: path.join(state.dir, 'calendar') } }, rules, time, log, used: () => usedApplications(db) })
    await office.nightly()
    t.match(office.view().book, { orphans: 0, lines: 3 })
    t.type(office.view().book.reconciledAt, 'number')
    const verified = await recorder.command(['audit', 'verify', '--config', recorder.configFile])
    t.equal(verified.code, 0, verified.output.toString() + verified.errors)
  })
})
