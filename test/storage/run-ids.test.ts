import t from 'tap'
import { epochMs } from '../../src/domain/index.ts'
import { RunIds } from '../../src/storage/run-ids.ts'

const DAY_MS = 86_400_000
const TODAY = Date.UTC(2031, 4, 7)

/** Numbers of a recorder that starts at `trusted`, with a catalogue that knows `newest`. */
const start = (newest: number, trusted: number, wall = trusted) =>
  new RunIds(newest, { trusted: epochMs(trusted), wall: epochMs(wall) })

t.test('a catalogue from a backup gives no number again, whichever clock is behind', async t => {
  const before = start(0, TODAY)
  const inBackup = before.next()
  let newest = inBackup
  for (let hour = 0; hour < 48; hour++) newest = before.next()
  t.ok(start(inBackup, TODAY + 2 * DAY_MS).first > newest)
  t.ok(start(inBackup, TODAY, TODAY + 2 * DAY_MS).first > newest, 'trusted time came from the backup too')
  t.ok(start(inBackup, TODAY + 2 * DAY_MS, 0).first > newest, 'a dead battery')
})

t.test('numbers go on behind the newest, and what a wrong clock takes of them is bounded', async t => {
  t.equal(start(41, 0).first, 42, 'a clock of long ago')
  t.equal(start(41, Date.UTC(2150, 0)).first, 42, 'a clock of another century')
  const far = start(0, TODAY, Date.UTC(2090, 0))
  t.equal(far.first, start(0, TODAY + 365 * DAY_MS).first, 'a year ahead at most')
  const ids = start(4_000_000_000, TODAY)
  t.equal(ids.first, 4_000_000_001)
  t.equal(ids.next(), 4_000_000_001)
  ids.atLeast(4_000_000_009)
  t.equal(ids.next(), 4_000_000_010)
})
