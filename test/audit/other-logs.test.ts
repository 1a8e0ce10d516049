import t from 'tap'
import { isSignedBy, noteText, OtherLogs, parseCheckpoints, partLog, signedTextOf } from '../../src/audit/index.ts'
import { fill, openLog } from './support/log.ts'
import { backupOf, headOfLog, openOffice, openRecorder, partedOffice, restore } from './support/two-logs.ts'

const SOMEBODY = { kind: 'machine-user', name: '王主任', role: null, source: null } as const
const refused = (why: string) => ({ code: 'CUSTOS_OFFICE_LOG_REFUSED', ...{ why } })
const actionsIn = (log: { size: () => number, get: (seq: number) => { action: string } | null }): string[] =>
  Array.from({ length: log.size() }, (_, i) => log.get(i + 1)!.action)

t.test('a head is remembered, signed, and named by each checkpoint from then on', async t => {
  const recorder = openRecorder(t), office = openOffice(t, recorder)
  t.same(signedTextOf(recorder.book.make('start'))!.also, [], 'there is no other log yet')
  fill(office, 5)
  const head = headOfLog(office), answer = await recorder.others.sign(head)
  const [said] = parseCheckpoints(answer.body)
  t.match(said, { ...head, at: recorder.clock.wallNow(), also: [] })
  t.ok(isSignedBy({ ...said!, signature: answer.signature }, answer.publicPem!))
  t.equal(answer.outside, null)
  t.match(recorder.log.get(recorder.log.size()), { action: 'audit.office-log-known', object: head.origin })
  const named = signedTextOf(recorder.book.make('day', '2026-11-22'))!
  t.same(named.also, [head])
  recorder.book.witnessed(recorder.book.table.ofSize(named.size)!, 'print')
  t.equal((await recorder.others.sign(head)).outside, noteText(named), 'asked again: the same, and which note is outside')
  fill(office, 1)
  recorder.others.tell(headOfLog(office))
  t.same(signedTextOf(recorder.book.make('start'))!.also, [headOfLog(office)])
  t.equal(actionsIn(recorder.log).filter(action => action === 'audit.office-log-known').length, 1)
})

t.test('a shorter log, another root over as many entries, another log: refused, told once, never named, until a person accepts', async t => {
  for (const [why, spoil] of [['shorter', 3], ['rewritten', 5], ['other-log', 9]] as const) {
    const recorder = openRecorder(t), office = openOffice(t, recorder)
    fill(office, 5)
    const good = headOfLog(office)
    await recorder.others.sign(good)
    const stranger = openLog(t, undefined, recorder.clock)
    fill(stranger, spoil)
    const bad = { ...headOfLog(stranger), ...(why === 'other-log' ? {} : { origin: good.origin }) }
    const before = recorder.log.size()
    await t.rejects(recorder.others.sign(bad), refused(why))
    t.throws(() => { recorder.others.tell(bad) }, refused(why), 'however it is told')
    t.equal(recorder.log.size(), before + 1, 'one entry')
    t.match(recorder.log.get(before + 1), { action: 'audit.office-log-refused', result: 'refused', object: bad.origin, detail: new RegExp(`"why":"${why}"`) })
    t.same(signedTextOf(recorder.book.make('start'))!.also, [good], 'the last good one is named')
    fill(office, 4)
    await t.rejects(recorder.others.sign(headOfLog(office)), refused('not-accepted'), 'longer again is not enough')
    t.match(recorder.others.refused(), { ...headOfLog(office), since: recorder.others.refused()!.since })
    const { since: _, auditSeq: __, ...newest } = recorder.others.refused()!
    recorder.others.accept(newest, { actor: SOMEBODY, reason: '由備份還原' })
    t.equal(recorder.others.refused(), null)
    t.match(recorder.log.get(recorder.log.size()), { action: 'audit.office-log-accepted', actor: { name: '王主任' }, detail: /由備份還原/ })
    await recorder.others.sign(headOfLog(office))
    t.same(signedTextOf(recorder.book.make('start'))!.also, [headOfLog(office)])
  }
})

t.test('an accepted head may be shorter, and counts from then on', async t => {
  const recorder = openRecorder(t), office = openOffice(t, recorder)
  fill(office, 3)
  const backup = backupOf(office.db)
  fill(office, 5)
  await recorder.others.sign(headOfLog(office))
  restore(office.db, backup)
  await t.rejects(recorder.others.sign(headOfLog(office)), refused('shorter'))
  recorder.others.accept(headOfLog(office), { actor: SOMEBODY, reason: '由備份還原' })
  await recorder.others.sign(headOfLog(office))
  fill(office, 1)
  await recorder.others.sign(headOfLog(office))
  t.equal(recorder.others.newest()[0]!.size, 4)
})

t.test('the recorder\'s own log is no other log, and a log that parted from it is known at once', async t => {
  const recorder = openRecorder(t)
  fill(recorder, 4)
  await t.rejects(recorder.others.sign(headOfLog(recorder)), refused('other-log'))
  const apart = openRecorder(t)
  fill(apart, 4)
  const office = partedOffice(t, apart)
  t.match(apart.log.get(6), { action: 'log.parted', object: headOfLog(office).origin, detail: '{"size":5}' })
  t.match(office.log.get(6), { action: 'log.parted', object: headOfLog(apart).origin, detail: '{"size":5}' })
  const stranger = openOffice(t, apart)
  fill(stranger, 30)
  await t.rejects(apart.others.sign(headOfLog(stranger)), refused('other-log'))
  t.throws(() => partLog(office.db), TypeError)
})

t.test('what is remembered is never changed or deleted', async t => {
  const recorder = openRecorder(t), office = openOffice(t, recorder)
  await recorder.others.sign(headOfLog(office))
  t.throws(() => recorder.db.exec('UPDATE audit_head SET size = 0'), /never changed/)
  t.throws(() => recorder.db.exec('DELETE FROM audit_head'), /never deleted/)
})

t.test('without a usable key a head is remembered and comes back unsigned', async t => {
  const recorder = openRecorder(t), office = openOffice(t, recorder)
  const keyless = new OtherLogs({ ...recorder, key: () => null })
  t.match(await keyless.sign(headOfLog(office)), { signature: null, publicPem: null, body: /\nkey none\n$/ })
  t.equal(keyless.newest().length, 1)
})
