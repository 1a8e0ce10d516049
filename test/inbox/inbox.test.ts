import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import type { ApplicationNumber } from '../../src/requests/index.ts'
import { RuleSetError } from '../../src/rules/index.ts'
import { at, DOOR, hour, LOBBY, NOBODYS, party, police, staff } from '../requests/support/front-desk.ts'
import { Correspondence, message, OUTSIDE_STEPS, sent, sentScope, step } from './support/document-system.ts'

const NOTHING = { application: 0, application_event: 0, application_name: 0, application_id_number: 0, application_grant: 0, hold: 0, inbox_message: 0 }
const FIRST = '115-調-0001' as ApplicationNumber

t.test('an approved request as a file: received, signed by four, granted, held and on record as the document system\'s', async t => {
  const office = await Correspondence.open(t), { front } = office
  office.drop('request-17.json', office.file())
  await office.work()
  t.same([office.in(), office.in('accepted'), office.in('rejected')], [[], ['request-17.json'], []])
  t.same(office.counts(), { application: 1, application_event: 5, application_name: 1, application_id_number: 0, application_grant: 1, hold: 2, inbox_message: 1 }, 'two lines, held on the approval\'s authority; what receipt wished was over before anybody was asked')
  t.match(front.desk.grants.open(FIRST), { canView: true, validUntil: at('2026-12-01T00:00:00'), copy: { application: FIRST } })
  t.equal(front.holdsOf(FIRST).length, 2)
  t.match(await front.published(), /核准/, 'the volume knows the holds')
  t.same(front.actions(FIRST).filter(action => !action.startsWith('hold.')), ['application.received', 'application.signed', 'application.signed', 'application.signed', 'application.signed', 'grant.opened', 'inbox.accepted'])
  const signed = office.entries('application.signed')
  t.same(signed.map(entry => (JSON.parse(entry.detail) as { signer: string }).signer), ['lin', 'chen', 'wang', 'boss'])
  t.same(new Set(signed.map(({ name, source }) => `${name} ${source ?? ''}`)), new Set([`公文系統 公文系統 inbox key ${office.key.keyId}`]), 'by the system and key, never by the person')
  t.match(JSON.parse(signed[3]!.detail), { message: 'doc-115-000017', decidedAt: at('2026-11-23T15:30:00'), post: 'director', capacity: 'holder', decision: 'agree' })
  const view = await front.desk.reader.read(await front.as('lin', 'clerk'), FIRST)
  t.ok(view.application.signatures.every(({ at: signedAt }) => signedAt >= at('2026-11-23T16:00:00')), 'steps count from when they came: a file makes no earlier viewing right')
  t.match(office.inbox.status(), { state: 'ok', waiting: 0, rejected: 0 })
})

t.test('no session comes of a file', async t => {
  const office = await Correspondence.open(t)
  const before = office.front.count('session')
  office.drop('a.json', office.file())
  await office.work()
  t.equal(office.front.count('session'), before)
})

const refusals: readonly (readonly [title: string, code: string, detail: RegExp, file: (office: Correspondence) => string | Buffer])[] = [
  ['no JSON at all', 'not-json', /JSON/, () => 'hello'],
  ['not UTF-8', 'not-json', /UTF-8/, () => Buffer.from([0x7b, 0xff, 0x7d])],
  ['too large', 'too-large', /256 KiB/, office => office.file(message(), { message: 'A'.repeat(300 * 1024) })],
  ['another shape', 'bad-shape', /schema/, office => office.file(message(), { more: 1 })],
  ['base64 that is not canonical', 'bad-shape', /base64/, office => office.file(message(), { message: `${Buffer.from(JSON.stringify(message())).toString('base64').replace(/=*$/, '')}` })],
  ['a key nobody enrolled', 'unknown-key', /not enrolled/, office => office.file(message(), { key: '0123456789abcdef' })],
  ['a changed message', 'bad-signature', /signature/, office => office.file(message(), { message: Buffer.from(JSON.stringify(message({ id: 'doc-115-000018' }))).toString('base64') })],
  ['a message of another kind', 'bad-shape', /schema/, office => office.file(JSON.stringify({ ...message(), schema: 'custos-inbox-message/2' }))],
  ['a prototype for a field', 'bad-shape', /fields/, office => office.file(JSON.stringify(message()).replace('"agency":', '"__proto__":'))],
  ['another system\'s name', 'wrong-system', /system/, office => office.file(message({ system: '別的系統' }))],
  ['a day that does not exist', 'bad-shape', /times/, office => office.file(message({ issuedAt: '2026-11-31T15:40:00+08:00' }))],
  ['issued in the future', 'bad-time', /times/, office => office.file(message({ issuedAt: '2026-11-23T23:40:00+08:00' }))],
  ['issued last month', 'bad-time', /times/, office => office.file(message({ issuedAt: '2026-10-22T15:40:00+08:00', receivedAt: '2026-10-22T15:00:00+08:00', steps: OUTSIDE_STEPS.map(each => ({ ...each, decidedAt: '2026-10-22T15:30:00+08:00' })) }))],
  ['decided before it was received', 'bad-time', /times/, office => office.file(message({ receivedAt: '2026-11-23T15:35:00+08:00' }))],
  ['a step short', 'refused', /not-approved/, office => office.file(message({ steps: OUTSIDE_STEPS.slice(0, 3) }))],
  ['a step too many', 'refused', /steps\[4\] not-this-step/, office => office.file(message({ steps: [...OUTSIDE_STEPS, step('director', 'boss')] }))],
  ['a step skipped', 'refused', /steps\[1\] not-this-step/, office => office.file(message({ steps: OUTSIDE_STEPS.filter(({ post }) => post !== 'chief') }))],
  ['refused by the head', 'refused', /not-approved/, office => office.file(message({ steps: [...OUTSIDE_STEPS.slice(0, 3), step('director', 'boss', { decision: 'refuse', reason: '與職務無關', ground: 'third-party' })] }))],
  ['a signer nobody knows', 'refused', /steps\[1\] no-such-signer/, office => office.file(message({ steps: OUTSIDE_STEPS.with(1, step('chief', 'nobody')) }))],
  ['a signer in another post', 'refused', /steps\[1\] not-in-post/, office => office.file(message({ steps: OUTSIDE_STEPS.with(1, step('chief', 'lee')) }))],
  ['a deputy who is none', 'refused', /steps\[1\] not-in-post/, office => office.file(message({ steps: OUTSIDE_STEPS.with(1, step('chief', 'chen', { capacity: 'deputy' })) }))],
  ['the head signing for all', 'refused', /steps\[0\] not-in-post/, office => office.file(message({ steps: OUTSIDE_STEPS.map(({ post }) => step(post, 'boss')) }))],
  ['the applicant\'s own people', 'refused', /steps\[1\] own-request/, office => office.file(message({ content: sent(police({ applicantAccount: 'chen' })) }))],
  ['received by somebody without the right', 'refused', /whole\) wrong-role/, office => office.file(message({ receivedBy: 'wang' }))],
  ['wider than asked', 'refused', /steps\[3\] wider-than-asked/, office => office.file(message({ content: sent(police({ asked: [hour(LOBBY)] })), steps: OUTSIDE_STEPS.with(3, step('director', 'boss', { narrowTo: { scope: sentScope([hour(DOOR)]), acts: { view: true, copy: true, preserve: false } } })) }))],
  ['open for longer than the rules allow', 'refused', /steps\[3\] bad-grant/, office => office.file(message({ grant: { days: 300, place: '本所調閱室', isPreRollAllowed: false } }))],
  ['a camera nobody has', 'refused', /content\.asked\[0\]/, office => office.file(message({ content: sent(police({ asked: [hour(NOBODYS)] })) }))],
  ['a copy for a party', 'refused', /content\.acts\.copy/, office => office.file(message({ content: sent(party({ acts: { view: true, copy: true, preserve: false }, necessity: '請求' })) }))],
  ['a copy on an agency\'s form by a party', 'refused', /content\.applicantClass/, office => office.file(message({ content: sent(police({ applicantClass: 'data-subject' })) }))],
  ['nothing to rely on', 'refused', /steps\[0\] incomplete/, office => office.file(message({ content: sent(police({ authority: null })) }))],
  ['a scan that was never uploaded', 'refused', /content\.authority\.sha256/, office => office.file(message({ content: sent(police({ authority: { kind: 'sealed-scan', sha256: 'a'.repeat(64) } })) }))],
]
for (const [title, code, detail, make] of refusals) {
  t.test(`refuses ${title}, says why beside it, and changes nothing`, async t => {
    const office = await Correspondence.open(t)
    office.drop('bad.json', make(office))
    await office.work(office.inbox, 60_000)
    t.same([office.in(), office.in('accepted'), office.in('rejected')], [[], [], ['bad.json', 'bad.json.reason.txt']])
    t.equal(office.codeOf('bad.json'), code)
    t.match(office.reason(office.in('rejected')[0]!), detail)
    t.match(office.reason('bad.json'), /\p{Script=Han}.*\n.*nothing was changed/u)
    t.same(office.counts(), NOTHING)
    t.equal(await office.front.published(), '', 'no volume heard of it')
    t.match(office.entries('inbox.rejected'), [{ name: 'custos', application: null }])
    t.match(office.inbox.status(), { rejected: 1 })
  })
}

t.test('a key counts within its dates, until it is revoked; an account while it is active', async t => {
  const office = await Correspondence.open(t), { machine } = office.front.office
  office.front.office.access.accounts.disable('wang' as never, '留職停薪', machine)
  office.drop('a.json', office.file())
  await office.work()
  t.match(office.reason('a.json'), /steps\[2\] no-such-signer/)
  office.keys.revoke(office.key.keyId, '金鑰外洩', machine)
  office.drop('b.json', office.file())
  await office.work()
  t.equal(office.codeOf('b.json'), 'key-ended')
  t.same(office.counts(), NOTHING)
})

t.test('the same file again, the same message in another file, another message with the same id', async t => {
  const office = await Correspondence.open(t)
  const text = office.file()
  for (const name of ['a.json', 'a.json', 'b.json']) {
    office.drop(name, name === 'b.json' ? JSON.stringify(JSON.parse(text), null, 2) : text)
    await office.work()
  }
  t.equal(office.in('accepted').length, 3)
  t.match(office.in('accepted'), ['a.' + String(/[0-9a-f]{8}/.exec(office.in('accepted')[0]!)?.[0]) + '.json', 'a.json', 'b.json'], 'no earlier file is overwritten')
  t.match(office.counts(), { application: 1, application_grant: 1, inbox_message: 1 })
  t.same(office.entries('inbox.accepted').map(({ detail }) => (JSON.parse(detail) as { isRepeated: boolean }).isRepeated), [false, true, true])
  office.drop('c.json', office.file(message({ content: sent(police({ asked: [hour(LOBBY)] })) })))
  await office.work()
  t.equal(office.codeOf('c.json'), 'id-reused')
  t.match(office.counts(), { application: 1 })
})

t.test('a file that was rejected can be sent again, corrected', async t => {
  const office = await Correspondence.open(t)
  office.drop('a.json', office.file(message({ receivedBy: 'wang' })))
  await office.work()
  office.drop('a.json', office.file())
  await office.work()
  t.match(office.counts(), { application: 1 })
  t.same(office.in('accepted'), ['a.json'])
})

t.test('a half-written file waits, and is taken once it is whole; one that stays broken is rejected', async t => {
  const office = await Correspondence.open(t), text = office.file()
  office.drop('slow.json', text.slice(0, 400))
  await office.work()
  t.same([office.in(), office.inbox.status().waiting], [['slow.json'], 1])
  office.drop('slow.json', text)
  await office.work()
  t.same([office.in(), office.in('accepted')], [[], ['slow.json']])
  office.drop('broken.json', text.slice(0, 400))
  await office.work(office.inbox, 59_000)
  t.same(office.in(), ['broken.json'])
  office.front.office.pass(1_000)
  await office.inbox.pass()
  t.equal(office.codeOf('broken.json'), 'not-json')
})

t.test('links, folders and pipes are not followed or read; other names are left alone; hostile names are made harmless', async t => {
  const office = await Correspondence.open(t), { dir } = office.folder
  const outside = path.join(office.front.stateDir, 'outside.json')
  writeFileSync(outside, office.file())
  symlinkSync(outside, path.join(dir, 'link.json'))
  mkdirSync(path.join(dir, 'folder.json'))
  execFileSync('mkfifo', [path.join(dir, 'pipe.json')])
  office.drop('README.txt', 'x')
  office.drop('.request.json', office.file())
  office.drop('request.json.part', office.file())
  for (const raw of [Buffer.from('a\n\u001b[31m.json'), Buffer.from([0x80, 0xff, 0x2e, 0x6a, 0x73, 0x6f, 0x6e]), Buffer.from('-rf;$(x).json')]) writeFileSync(Buffer.concat([Buffer.from(`${dir}/`), raw]), 'no json')
  await office.work(office.inbox, 60_000)
  t.same(office.in(), ['.request.json', 'README.txt', 'request.json.part'])
  const rejected = office.in('rejected').filter(name => !name.endsWith('.reason.txt'))
  t.match(rejected, ['folder.json', 'link.json', 'pipe.json', /^unnamed-[0-9a-f]{16}\.json$/, /^unnamed-/, /^unnamed-/])
  t.same(['folder.json', 'link.json', 'pipe.json'].map(name => office.codeOf(name)), ['not-a-file', 'not-a-file', 'not-a-file'])
  t.same(office.counts(), NOTHING)
})

t.test('a file that is replaced while it is decided is not moved for the other', async t => {
  const office = await Correspondence.open(t), { folder } = office
  const inbox = office.opened({ folder: new Proxy(folder, { get(target, key) {
    if (key !== 'target') { const value = Reflect.get(target, key) as unknown; return typeof value === 'function' ? (value as () => void).bind(target) : value }
    return async (...args: Parameters<typeof folder.target>) => target.target(...args)
  } }), desk: { takeApproved: async (...args) => {
    const answer = await office.front.desk.takeApproved(...args)
    writeFileSync(path.join(folder.dir, 'new'), office.file(message({ id: 'doc-115-000099' })))
    renameSync(path.join(folder.dir, 'new'), path.join(folder.dir, 'a.json'))
    return answer
  } } })
  office.drop('a.json', office.file())
  await office.work(inbox)
  t.same([office.in(), office.in('accepted')], [['a.json'], []])
  await office.work()
  t.match(office.counts(), { application: 2, inbox_message: 2 }, 'both were taken, each once')
  t.same(office.in('accepted'), ['a.json'])
})

t.test('while the office is closed a file waits, and no fault of one holds up another', async t => {
  const office = await Correspondence.open(t)
  const closed = office.opened({ desk: { takeApproved: () => Promise.reject(new RuleSetError('CUSTOS_RULE_SET_MISSING', 'closed', { remedy: '-' })) } })
  office.drop('a.json', office.file())
  await office.work(closed)
  t.match([office.in(), closed.status()], [['a.json'], { state: 'ok', waiting: 1 }])
  office.drop('b.json', office.file(message({ id: 'doc-115-000018', system: 'x' })))
  const broken = office.opened({ desk: { takeApproved: () => Promise.reject(new Error('EIO')) } })
  await office.work(broken)
  t.match([office.in(), broken.status()], [['a.json'], { state: 'failed', waiting: 1, rejected: 1 }])
  await office.work()
  t.same(office.in('accepted'), ['a.json'])
})

t.test('a party\'s request by file: ID numbers sealed, masked, and in no log, entry or reason', async t => {
  const office = await Correspondence.open(t)
  office.drop('a.json', office.file(message({ content: sent(party()) })))
  office.drop('b.json', office.file(message({ id: 'doc-115-000018', content: sent(party({ fields: { ...party().fields, 'applicant-id': 'A123456789'.repeat(10) } })) })))
  office.drop('c.json', office.file(JSON.stringify({ ...message({ id: 'doc-115-000019', content: sent(party()) }), A123456789: 'A123456789' })))
  await office.work()
  t.same([office.in('accepted'), office.in('rejected').length], [['a.json'], 4])
  t.match(office.counts(), { application: 1, application_id_number: 1 })
  const all = [...office.logged, office.reason('b.json'), office.reason('c.json'), ...office.front.office.db.prepare<[], string>('SELECT detail || coalesce(object, \'\') FROM audit_entry').pluck().all(), ...office.front.office.db.prepare<[], string>('SELECT record || answer FROM application_event').pluck().all()].join('\n')
  t.notMatch(all, /A123456789/)
  t.match(all, /A12\*\*\*\*789/)
  t.equal(office.front.desk.grants.open(FIRST)?.copy, null)
})

t.test('staff: whoever is named as receiver is the applicant, of their own unit', async t => {
  const office = await Correspondence.open(t)
  office.drop('a.json', office.file(message({ receivedBy: 'lee', content: sent(staff({ applicantAccount: 'chen', applicantUnit: '別的課' })), steps: [step('applicants-head', 'chen'), step('managing-clerk', 'lin'), step('managing-head', 'wang')] })))
  await office.work()
  t.same(office.in('accepted'), ['a.json'], office.in('rejected').length > 0 ? office.reason('a.json') : '')
  t.match(office.front.desk.reader.application(await office.front.as('lin', 'clerk'), FIRST).content, { applicantAccount: 'lee', applicantUnit: '資訊室' })
})

t.test('the folder cannot be read: told, and tried again', async t => {
  const office = await Correspondence.open(t)
  const broken = office.opened({ folder: new Proxy(office.folder, { get(target, key) {
    if (key === 'names') return () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' }))
    const value = Reflect.get(target, key) as unknown
    return typeof value === 'function' ? (value as () => void).bind(target) : value
  } }) })
  await t.rejects(broken.pass(), { code: 'EIO' })
  t.equal(broken.status().state, 'failed')
  chmodSync(office.folder.dir, 0o700)
  await office.inbox.pass()
  t.equal(office.inbox.status().state, 'ok')
})
