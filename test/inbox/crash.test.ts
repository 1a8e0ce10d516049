import t, { type Test } from 'tap'
import { InboxFolder } from '../../src/inbox/index.ts'
import { Correspondence, message } from './support/document-system.ts'

/** Operations on the folder, and the transaction of the desk, in any order they come. */
const STEPS = ['open', 'tidy', 'names', 'look', 'read', 'target', 'writeReason', 'move', 'rejected', 'takeApproved'] as const
class Killed extends Error {}

/** Dies before or after the nth step, and does nothing more from then on. Null: it lived. */
async function killedAt(office: Correspondence, nth: number, mode: 'before' | 'after'): Promise<string | null> {
  let count = 0, died: string | null = null
  const mortal = <Target extends object>(target: Target): Target => new Proxy(target, {
    get(inner, key) {
      const value = Reflect.get(inner, key) as unknown
      if (typeof value !== 'function') return value
      return async (...args: unknown[]): Promise<unknown> => {
        if (died !== null) throw new Killed()
        const isIt = count++ === nth
        if (isIt && mode === 'before') { died = `before ${String(key)}`; throw new Killed() }
        const result = await (value as (...all: unknown[]) => Promise<unknown>).apply(inner, args)
        if (isIt) { died = `after ${String(key)}`; throw new Killed() }
        return result
      }
    },
  })
  const { desk } = office.front
  const inbox = office.opened({ folder: mortal(new InboxFolder(office.folder.dir)), desk: mortal({ takeApproved: desk.takeApproved.bind(desk) }) })
  await office.work(inbox).catch((error: unknown) => { if (!(error instanceof Killed)) throw error })
  return died
}

const survived = (t: Pick<Test, 'match' | 'same' | 'equal'>, office: Correspondence): void => {

  t.match(office.counts(), { application: 1, application_event: 5, application_grant: 1, inbox_message: 1 })
  t.same([office.in(), office.in('accepted'), office.in('rejected')], [[], ['good.json'], ['bad.json', 'bad.json.reason.txt']])
  t.equal(office.codeOf('bad.json'), 'refused')
  t.equal(office.entries('inbox.accepted').length, 1)
  t.equal(office.entries('inbox.rejected').length, 1)
  t.equal(office.front.count('inbox_file WHERE moved_at IS NULL'), 0)
}

for (const mode of ['before', 'after'] as const) {
  t.test(`killed ${mode} each step in turn: nothing is half done, nothing done twice`, async t => {
    const deaths = new Set<string>()
    for (let nth = 0; ; nth++) {
      const office = await Correspondence.open(t)
      office.drop('good.json', office.file())
      office.drop('bad.json', office.file(message({ id: 'doc-115-000018', receivedBy: 'wang' })))
      const died = await killedAt(office, nth, mode)
      await office.work(office.opened())
      survived(t, office)
      if (died === null) break
      deaths.add(died.split(' ')[1]!)
    }
    t.same([...deaths].sort(), [...STEPS].sort(), 'each step was died at')
  })
}

t.test('killed again and again at the same place', async t => {
  const office = await Correspondence.open(t)
  office.drop('good.json', office.file())
  office.drop('bad.json', office.file(message({ id: 'doc-115-000018', receivedBy: 'wang' })))
  for (let nth = 0; nth < 40; nth++) await killedAt(office, nth, nth % 2 === 0 ? 'before' : 'after')
  await office.work(office.opened())
  survived(t, office)
})
