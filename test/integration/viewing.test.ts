import { generateKeyPairSync, sign } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import WebSocket from 'ws'
import { openAccess } from '../../src/access/index.ts'
import { AuditLog } from '../../src/audit/index.ts'
import { usedApplications } from '../../src/office/front-office.ts'
import { LiveRules } from '../../src/office/live-rules.ts'
import { openProcedure } from '../../src/office/procedure.ts'
import { SYSTEM } from '../../src/domain/index.ts'
import { openOfficeBeside } from '../../src/platform/office-database.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { createLogger } from '../../src/platform/logger.ts'
import { decodeFrame, type ServerMessage } from '../../src/viewing/index.ts'
import { CameraServer } from '../support/cameras/camera-server.ts'
import { CLIPS } from '../support/cameras/make-clips.ts'
import { Person, staffedOverHttp } from '../support/recorder/over-http.ts'
import { RealRecorder } from '../support/recorder/real-recorder.ts'
import { until } from '../support/until.ts'

const CHAIN = [['lin', '承辦人', 'clerk'], ['chen', '課長', 'chief'], ['wang', '秘書', 'secretary'], ['boss', '主任', 'director']] as const

/** A player on the console's socket: pictures that came, words that were told, the code it was closed with. */
function watch(base: string, { cookie }: Person, screen: string) {
  const socket = new WebSocket(`${base.replace('http', 'ws')}/viewer/screens/${screen}`, { headers: { cookie, origin: base } })
  const seen = { media: 0, told: [] as ServerMessage[], closed: null as number | null }
  socket.on('open', () => { socket.send(JSON.stringify({ type: 'hello', plays: ['h264'] })) })
  socket.on('message', (data, isBinary) => { if (!isBinary) seen.told.push(JSON.parse(String(data)) as ServerMessage); else if (decodeFrame(data as Buffer).kind === 'media') seen.media++ })
  socket.on('close', code => { seen.closed = code })
  socket.on('error', () => undefined)
  return seen
}

/** An application that the office's own document system decided, put into the inbox. */
async function grantedByInbox(recorder: RealRecorder, inbox: string, asked: readonly object[]): Promise<void> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519'), now = new Date().toISOString()
  await writeFile(path.join(recorder.folder, 'public.pem'), publicKey.export({ format: 'pem', type: 'spki' }))
  const enrolled = await recorder.command(['inbox', 'key', 'add', '--config', recorder.configFile, '--system', '公文系統', '--file', path.join(recorder.folder, 'public.pem'), '--until', `${new Date().getFullYear() + 1}-12-31`, '--by', '王小明'])
  if (enrolled.code !== 0) throw new Error(enrolled.errors)
  const message = Buffer.from(JSON.stringify({
    schema: 'custos-inbox-message/1', id: 'doc-00000001', system: '公文系統', issuedAt: now, receivedBy: 'lin', receivedAt: now, grant: null,
    content: {
      form: 'form-2', applicantClass: 'agency', agents: [], applicantAccount: null, applicantUnit: null, acts: { view: true, copy: false, preserve: false }, necessity: null, identity: null, authority: { kind: 'document', number: '北市警信分刑字第1150001號' },
      fields: { agency: '信義分局', applicant: '趙警員', 'legal-basis': '刑事訴訟法第230條', purpose: '偵辦竊盜案' }, asked,
    },
    steps: CHAIN.map(([account, , post]) => ({ post, account, decidedAt: now, decision: 'agree', reason: null, ground: null, narrowTo: null, isNotTheApplicant: false, capacity: null })),
  }))
  const file = path.join(inbox, 'granted.json')
  await writeFile(path.join(inbox, '.granted.json'), JSON.stringify({ schema: 'custos-inbox/1', key: /代號 ([0-9a-f]{16})/.exec(enrolled.output.toString())?.[1], message: message.toString('base64'), signature: sign(null, message, privateKey).toString('base64') }))
  await rename(path.join(inbox, '.granted.json'), file)
  await until('the inbox decided', () => !existsSync(file))
}

t.test('kill -9 of the office under a granted and a live screen: recording goes on, the next office closes them in the books, the book line stands, nothing is an orphan', { timeout: 120_000 }, async t => {
  await using server = await CameraServer.start({ mounts: [{ path: '/lobby', clip: CLIPS.h264Small }] })
  await using recorder = await RealRecorder.create({ folder: t.testdir({}), cameras: [{ id: 'lobby', url: server.url('/lobby') }] })
  const inbox = path.join(recorder.folder, 'inbox'), port = recorder.consolePort, base = `http://127.0.0.1:${port}`
  await writeFile(recorder.configFile, `${(await readFile(recorder.configFile, 'utf8')).replace(/^inbox: .*$/m, `inbox: { dir: ${inbox} }`)}\n`)
  await recorder.start()
  const isServed = async () => { try { return (await fetch(`${base}/viewer/`)).ok } catch { return false } }
  await until('the console', isServed)
  const tokens = await staffedOverHttp(base, recorder, [...CHAIN.filter(([id]) => id !== 'chen').map(([id, role]) => [id, role] as const), ['kuan', '管理人員']])
  await recorder.untilRecordedFor('lobby', 6000)
  const [footage] = await recorder.rescueList(), from = Date.parse(footage!.from)
  await grantedByInbox(recorder, inbox, [{ camera: footage!.cameraUuid, from: new Date(from).toISOString(), to: new Date(from + 4000).toISOString() }])

  const signIn = (name: string, role: string) => Person.first(base, { name, token: tokens.get(name) ?? '', role })
  const kuan = await signIn('kuan', 'custodian'), boss = await signIn('boss', 'director')
  const { grants: [grant] } = await kuan.get<{ grants: { number: string }[] }>('/api/grants')
  const number = grant!.number
  const { application: { version } } = await kuan.get<{ application: { version: number } }>(`/api/applications/${encodeURIComponent(number)}`)
  await kuan.post(`/api/applications/${encodeURIComponent(number)}/commands`, { kind: 'sign-statement', version, name: '趙警員' })
  const granted = await kuan.post<{ screen: string }>('/api/screens/granted', { application: number, visitor: { name: '趙警員', part: 'applicant' }, isStatementConfirmed: true })
  const live = await boss.post<{ screen: string }>('/api/screens/live', { cameras: ['lobby'] })
  const players = [watch(base, kuan, granted.screen), watch(base, boss, live.screen)]
  await until('pictures on both', () => players.every(({ media }) => media >= 3))

  const { candidate } = await kuan.post<{ candidate: string }>('/api/reference-images', { camera: 'lobby' })
  const taken = Buffer.from(await (await kuan.ask('GET', `/api/reference-images/candidates/${candidate}`)).arrayBuffer())
  t.equal(taken.readUInt16BE(0), 0xffd8)
  t.equal((await boss.ask('GET', `/api/reference-images/candidates/${candidate}`)).status, 403)
  const image = await kuan.post<{ sha256: string }>(`/api/reference-images/candidates/${candidate}/approve`)
  t.match(await boss.get('/api/reference-images/lobby'), { sha256: image.sha256, approvedBy: 'kuan' })
  t.ok(Buffer.from(await (await boss.ask('GET', '/api/reference-images/lobby/image')).arrayBuffer()).equals(taken))

  await recorder.killOffice()
  await until('the lines are gone', () => players.every(({ closed }) => closed !== null))
  await until('the console again', isServed)
  t.same(await kuan.get('/api/screens'), { screens: [] }, 'the login outlived the crash, its screen did not')
  const stale = watch(base, kuan, granted.screen)
  await until('an answer', () => stale.closed !== null)
  t.same([stale.closed, stale.told, stale.media], [4404, [], 0])
  const again = await kuan.post<{ screen: string }>('/api/screens/granted', { application: number, visitor: { name: '趙警員', part: 'applicant' }, isStatementConfirmed: true })
  await kuan.post(`/api/screens/${again.screen}/close`)
  await recorder.untilRecordedFor('lobby', 1000)
  t.equal(recorder.gaps('lobby').filter(({ cause }) => cause !== 'starting').length, 0, 'recording did not notice')
  t.equal(await recorder.stop(), 0)
  t.same(recorder.audit().filter(({ action }) => /^(viewing|live)\.(opened|closed)$/.test(action)).map(({ action, object, detail }) => [action, object, detail['reason'] ?? null]), [
    ['viewing.opened', granted.screen, null], ['live.opened', live.screen, null], ['viewing.closed', granted.screen, 'recorder-killed'], ['live.closed', live.screen, 'recorder-killed'],
    ['viewing.opened', again.screen, null], ['viewing.closed', again.screen, 'closed'],
  ])

  using catalogue = openOfficeBeside(path.join(recorder.folder, 'state'), 'write')
  const { db } = catalogue, state = { dir: path.join(recorder.folder, 'state') }, log = createLogger({ level: 'silent' })
  t.same(db.prepare('SELECT act, object, application FROM book_line ORDER BY line').all(), [granted, again].map(({ screen }) => ({ act: 'view', object: screen, application: number })))
  t.equal(db.prepare('SELECT count(*) FROM viewing_session WHERE closed_at IS NULL').pluck().get(), 0)
  const audit = new AuditLog({ db, clock: systemClock }), time = { wallNow: () => systemClock.wallNow(), steadyNow: () => systemClock.wallNow() }, rules = new LiveRules({ folder: null, log })
  await rules.reload()
  const access = openAccess({ db, audit, time, stateDir: state.dir, officeName: 'Test office', mayCombine: () => null })
  const office = await openProcedure({ catalogue, audit, access, holds: undefined as never, footage: undefined as never, clock: systemClock, config: { state, office: { managingUnit: '', ruleSets: null, calendar: path.join(state.dir, 'calendar') } }, rules, time, log, used: () => usedApplications(db) })
  t.same([...usedApplications(db)], [number])
  await office.nightly()
  t.match(office.view().book, { orphans: 0, lines: 2 })
  t.ok(office.view().book.reconciledAt !== null)
  const { seq } = audit.append({ action: 'planted', actor: SYSTEM, object: null, application: null, result: 'done', detail: {} })
  db.prepare("INSERT INTO viewing_session (id, kind, application, account, opened_at, opened_seq, closed_at, close_reason, closed_seq) VALUES (?, 'granted', '115-調-0999', 'kuan', 1, ?, 2, 'closed', ?)").run('9'.repeat(32), seq, seq)
  await office.nightly()
  t.equal(office.view().book.orphans, 1, 'a screen without a line in the book is found by the screens\' own record')
})
