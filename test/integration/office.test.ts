import { generateKeyPairSync, sign } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { readFile, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { accountId, openAccess } from '../../src/access/index.ts'
import { codeAt, STEP_MS } from '../../src/access/totp.ts'
import { AuditLog } from '../../src/audit/index.ts'
import { connectLink } from '../../src/link/index.ts'
import { openOfficeBeside } from '../../src/platform/office-database.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { createLogger } from '../../src/platform/logger.ts'
import { fromBase32 } from '../access/support/office.ts'
import { calendarCsv } from '../rules/support.ts'
import { CameraServer } from '../support/cameras/camera-server.ts'
import { CLIPS } from '../support/cameras/make-clips.ts'
import { RealRecorder } from '../support/recorder/real-recorder.ts'

const PEOPLE = [['lin', '承辦人'], ['chen', '課長'], ['wang', '秘書'], ['boss', '主任']] as const

/** Accounts by command; those that wait for an approver are approved by the first one, with a password and factor of their own. */
async function staffed(recorder: RealRecorder): Promise<void> {
  const tokenFile = path.join(recorder.folder, 'token')
  const cli = async (...args: string[]) => { const ended = await recorder.command(['account', ...args, '--config', recorder.configFile, '--by', '王小明']); if (ended.code !== 0) throw new Error(ended.errors) }
  for (const [id, role] of PEOPLE) await cli('create', '--id', id, '--name', `人員${id}`, '--roles', role, '--unit', '資訊室', '--token-file', id === 'chen' ? tokenFile : `${tokenFile}-${id}`)
  using catalogue = openOfficeBeside(path.join(recorder.folder, 'state'), 'write')
  const { db } = catalogue
  const access = openAccess({
    db, audit: new AuditLog({ db, clock: systemClock }), time: { wallNow: () => systemClock.wallNow(), steadyNow: () => systemClock.wallNow() }, stateDir: path.join(recorder.folder, 'state'), officeName: 'Test office', mayCombine: () => null,
  })
  const chen = { name: 'chen', password: 'Velvet-Otter1-quilt', source: 'desk' }
  await access.signIn.redeem({ name: 'chen', token: (await readFile(tokenFile, 'utf8')).trim(), newPassword: chen.password, source: 'desk' })
  const session = await access.signIn.signIn({ ...chen, undertakes: '1' })
  if (session.kind !== 'session') throw new Error(`no session but ${session.kind}`)
  const { secret } = access.factors.enrol(session.token)
  access.factors.confirm(session.token, codeAt(fromBase32(secret), Math.floor(Date.now() / STEP_MS)))
  const acting = access.sessions.actIn(session.token, 'chief')
  for (const request of access.accounts.openRequests()) access.accounts.decide(request.requestId, 'approved', '核可', acting)
  if (access.accounts.get(accountId('boss'))?.state !== 'active') throw new Error('the director is not active')
}

t.test('the daemon with its office: a signed file becomes a grant beside a running recording, a bad one shows in health, a calendar is taken over', { timeout: 120_000 }, async t => {
  await using server = await CameraServer.start({ mounts: [{ path: '/lobby', clip: CLIPS.h264Small }] })
  await using recorder = await RealRecorder.create({ folder: t.testdir({}), cameras: [{ id: 'lobby', url: server.url('/lobby') }] })
  const inbox = path.join(recorder.folder, 'inbox')
  await writeFile(recorder.configFile, (await readFile(recorder.configFile, 'utf8')).replace(/^inbox: .*$/m, `inbox: { dir: ${inbox} }`))
  await recorder.start()
  await recorder.untilRecordedFor('lobby', 3000)
  await staffed(recorder)
  const held = await recorder.command(['hold', 'place', '--config', recorder.configFile, '--camera', 'lobby', '--from', '2020-01-01T00:00:00Z', '--to', '2020-01-02T00:00:00Z', '--authority', '院函', '--by', '王小明'])
  t.equal(held.code, 0, held.errors)
  await using link = await connectLink({ folder: path.join(recorder.folder, 'state'), role: 'command', version: '0', clock: systemClock, log: createLogger({ level: 'silent' }) })
  t.match(await link?.ask('hold.list', { withEnded: false, after: 0 }), { holds: [{ authority: '院函', placedBy: '王小明' }], next: null }, 'the running recorder has it')

  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  await writeFile(path.join(recorder.folder, 'public.pem'), publicKey.export({ format: 'pem', type: 'spki' }))
  const enrolled = await recorder.command(['inbox', 'key', 'add', '--config', recorder.configFile, '--system', '公文系統', '--file', path.join(recorder.folder, 'public.pem'), '--until', `${new Date().getFullYear() + 1}-12-31`, '--by', '王小明'])
  t.equal(enrolled.code, 0, enrolled.errors)
  const key = /代號 ([0-9a-f]{16})/.exec(enrolled.output.toString())?.[1]

  const [footage] = await recorder.rescueList()
  const from = Date.parse(footage!.from), now = new Date().toISOString()
  const message = (id: string, changes: object = {}) => JSON.stringify({
    schema: 'custos-inbox-message/1', id, system: '公文系統', issuedAt: now, receivedBy: 'lin', receivedAt: now, grant: null,
    content: {
      form: 'form-2', applicantClass: 'agency', agents: [], applicantAccount: null, applicantUnit: null, acts: { view: true, copy: true, preserve: false }, necessity: '須附卷', identity: null, authority: { kind: 'document', number: '北市警信分刑字第1150001號' },
      fields: { agency: '信義分局', applicant: '趙警員', 'legal-basis': '刑事訴訟法第230條', purpose: '偵辦竊盜案' },
      asked: [{ camera: footage!.cameraUuid, from: new Date(from).toISOString(), to: new Date(from + 1500).toISOString() }], ...changes,
    },
    steps: ['clerk', 'chief', 'secretary', 'director'].map((post, index) => ({ post, account: PEOPLE[index]![0], decidedAt: now, decision: 'agree', reason: null, ground: null, narrowTo: null, isNotTheApplicant: false, capacity: null })),
  })
  const drop = async (name: string, text: string) => {
    const bytes = Buffer.from(text)
    await writeFile(path.join(inbox, `.${name}`), JSON.stringify({ schema: 'custos-inbox/1', key, message: bytes.toString('base64'), signature: sign(null, bytes, privateKey).toString('base64') }))
    await rename(path.join(inbox, `.${name}`), path.join(inbox, name))
  }
  await drop('good.json', message('doc-00000001'))
  await drop('bad.json', message('doc-00000002', { applicantClass: 'data-subject' }))
  const health = await recorder.until('the bad file shows', ({ reasons }) => reasons.some(({ code }) => code === 'inbox-rejected'))
  t.equal(health.streams[0]?.state, 'recording')
  t.notMatch(JSON.stringify(health), /趙警員|人員|115-調/, 'health names nobody')
  await recorder.until('the good file is decided', () => !existsSync(path.join(inbox, 'good.json')))
  t.same(readdirSync(path.join(inbox, 'accepted')), ['good.json'], await readFile(path.join(inbox, 'rejected', 'good.json.reason.txt'), 'utf8').catch(() => 'no reason'))
  t.same(readdirSync(path.join(inbox, 'rejected')).sort(), ['bad.json', 'bad.json.reason.txt'])
  {
    using catalogue = openOfficeBeside(path.join(recorder.folder, 'state'), 'read')
    t.match(catalogue.db.prepare('SELECT acts, ended_at FROM application_grant').all(), [{ acts: 'view copy', ended_at: null }])
  }
  const { holds } = await link!.ask('hold.list', { withEnded: false, after: 0 })
  t.equal(holds.filter(({ application }) => application !== null).length, 1)
  t.match(await readFile(path.join(recorder.volumeDir, 'custos-holds.json'), 'utf8'), /核准/)

  const day = Temporal.Now.plainDateISO('Asia/Taipei'), years = day.month >= 11 ? [day.year, day.year + 1] : [day.year]
  t.ok(health.reasons.some(({ code }) => code === 'calendar-missing'))
  for (const year of years) {
    await writeFile(path.join(recorder.folder, `${year}.csv`), calendarCsv(year))
    const imported = await recorder.command(['calendar', 'import', path.join(recorder.folder, `${year}.csv`), '--config', recorder.configFile, '--by', '王小明'])
    t.equal(imported.code, 0, imported.errors)
  }
  await recorder.until('the calendar is taken over', ({ reasons }) => !reasons.some(({ code }) => code === 'calendar-missing'))
  t.equal(await recorder.stop(), 0)
  t.notMatch(recorder.logText.join('\n'), /趙警員|信義分局/, 'nor does the log')
  t.match(recorder.audit().filter(({ action }) => /^(inbox|grant|calendar)\./.test(action)).map(({ action, result }) => `${action} ${result}`).sort(), [
    ...years.map(() => 'calendar.imported done'), 'grant.opened done', 'inbox.accepted done', 'inbox.key-added done', 'inbox.rejected refused',
  ])
})
