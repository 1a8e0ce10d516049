import t from 'tap'
import { atMachine } from '../../src/access/index.ts'
import { MINUTE_MS, Office } from './support/office.ts'

const HOUR_MS = 60 * MINUTE_MS
const named = (name: string, login = 'login root') => atMachine({ kind: 'machine-user', name, role: null, source: login })

t.test('two accounts with fresh factors open it; it shuts by itself and a form is owed until it is entered', async t => {
  const office = new Office(t)
  await office.withDirector()
  const lee = await office.person('lee', ['custodian']), lin = await office.person('lin', ['clerk'])
  const first = await office.acting(lee, 'custodian')
  t.match(office.access.breakGlass.say('警察現場調閱', first), { kind: 'first' })
  t.throws(() => office.access.breakGlass.say('再說一次', first), { code: 'CUSTOS_ACCOUNT_REFUSED' }, 'one person is one word')
  t.throws(() => office.access.breakGlass.say('同上', named('路人')).kind === 'opened' || (() => { throw new Error('only first') })(), /only first/, 'a name at the machine does not second an account')
  const linActing = await office.acting(lin, 'clerk')
  t.same(office.access.breakGlass.view(), { open: [], formsOwed: [] })
  const word = office.access.breakGlass.say('同意', linActing)
  t.equal(word.kind, 'opened')
  t.match(office.access.breakGlass.view(), { open: [{ by: ['lee', 'lin'], closesInMs: 4 * HOUR_MS, reason: '警察現場調閱' }], formsOwed: [{ openingId: word.openingId }] })
  t.equal(office.access.breakGlass.openFor(linActing), word.openingId)
  t.equal(office.access.breakGlass.openFor(office.directorActing!), null)
  office.pass(4 * HOUR_MS)
  t.same(office.access.breakGlass.view().open, [])
  t.equal(office.access.breakGlass.sweep(), 1)
  t.equal(office.access.breakGlass.view().formsOwed.length, 1)
  office.access.breakGlass.settle(word.openingId, '115-調-0007', await office.acting(lin, 'clerk'))
  t.same(office.access.breakGlass.view(), { open: [], formsOwed: [] })
  t.match(office.entries('break-glass.opened')[0]?.detail, /"first":"lee".*"second":"lin"/)
  t.throws(() => office.db.exec('DELETE FROM break_glass'), /never deleted/)
})

t.test('at the machine two different names, within five minutes', async t => {
  const office = new Office(t)
  t.equal(office.access.breakGlass.say('管理人員昏倒', named('王小明')).kind, 'first')
  t.throws(() => office.access.breakGlass.say('同上', named(' 王 小明 ')), { code: 'CUSTOS_ACCOUNT_REFUSED' })
  office.pass(5 * MINUTE_MS)
  t.equal(office.access.breakGlass.say('同上', named('李大同')).kind, 'first', 'too late: the first word has lapsed')
  const word = office.access.breakGlass.say('同上', named('王小明'))
  t.equal(word.kind, 'opened')
  t.match(office.entries('break-glass.opened')[0]?.detail, /"sameSource":true/, 'that both came from one login is on record')
  office.access.breakGlass.close(word.openingId, named('王小明'))
  t.same(office.access.breakGlass.view().open, [])
})

t.test('without a fresh factor or the right there is no word', async t => {
  const office = new Office(t)
  await office.withDirector()
  const lee = await office.person('lee', ['custodian']), audit = await office.person('audit', ['auditor'])
  const acting = await office.acting(lee, 'custodian')
  office.pass(5 * MINUTE_MS)
  t.throws(() => office.access.breakGlass.say('急', acting), { code: 'CUSTOS_FACTOR_NEEDED' })
  const auditor = await office.acting(audit, 'auditor')
  t.throws(() => office.access.breakGlass.say('急', auditor), { code: 'CUSTOS_RIGHT_MISSING' })
})
