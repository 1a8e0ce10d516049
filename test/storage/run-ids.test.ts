import t from 'tap'
import { epochMs } from '../../src/domain/index.ts'
import { RunIds } from '../../src/storage/run-ids.ts'

const DAY_MS = 86_400_000
const TODAY = Date.UTC(2031, 4, 7)

/** Numbers of a recorder that starts at `trusted`, with a catalogue that knows `newest`. */
const start = (newest: number, trusted: number | null) => new RunIds(newest, trusted === null ? null : epochMs(trusted))

t.test('a catalogue from a backup gives no number again', async t => {
  const before = start(0, TODAY)
  const inBackup = before.next()
  let newest = inBackup
  for (let hour = 0; hour < 48; hour++) newest = before.next()
  t.ok(start(inBackup, TODAY + 2 * DAY_MS).first > newest)
  for (let stream = 0; stream < 128; stream++) newest = before.next()
  t.ok(start(inBackup, TODAY + 60_000).first > newest, '128 streams that began at once, a minute ago')
})

t.test('numbers go on behind the newest, and what a wrong clock takes of them is bounded', async t => {
  for (const [what, at] of [['long ago', 0], ['another century', Date.UTC(2150, 0)], ['not known', null]] as const) {
    const ids = start(41, at)
    t.ok(ids.first > 41 && ids.first < 41 + 10_000, what)
    t.equal(ids.next(), ids.first)
  }
  const ids = start(4_000_000_000, TODAY)
  t.ok(ids.first > 4_000_000_000 && ids.first < 4_000_010_000, 'a year of starts each ten seconds has room')
  ids.atLeast(4_000_090_009)
  t.equal(ids.next(), 4_000_090_010)
})
