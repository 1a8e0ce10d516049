import fc from 'fast-check'
import t, { type Test } from 'tap'
import { noteText, parseCheckpoints, signedTextOf, verifyTwoLogs, type Checkpoint } from '../../src/audit/index.ts'
import { forge, rechained, resign } from './support/forger.ts'
import { fill } from './support/log.ts'
import { backupOf, openOffice, openRecorder, partedOffice, restore, type LogCopy, type OfficeRig, type RecorderRig } from './support/two-logs.ts'

type Step = { readonly kind: 'recorder' | 'office', readonly count: number } | { readonly kind: 'sign' | 'checkpoint' | 'leave' | 'backup' }
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constantFrom('recorder' as const, 'office' as const), count: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ kind: fc.constantFrom('sign' as const, 'checkpoint' as const, 'leave' as const, 'backup' as const) }),
)
/** The first signature adds the entry that tells of its key. */
const SIGN: Step = { kind: 'sign' }, LEAVE: Step = { kind: 'leave' }
interface Tampering { readonly on: 'recorder' | 'office', readonly kind: 'alter' | 'delete' | 'truncate' | 'older', readonly at: number }
const tampering: fc.Arbitrary<Tampering> = fc.record({
  on: fc.constantFrom('recorder' as const, 'office' as const),
  kind: fc.constantFrom('alter' as const, 'delete' as const, 'truncate' as const, 'older' as const), at: fc.nat(10_000),
})

interface Pair { readonly recorder: RecorderRig, readonly office: OfficeRig, readonly outside: Checkpoint[], readonly backups: { readonly recorder: LogCopy[], readonly office: LogCopy[] } }

/** A recorder's log with a beginning, an office's that parted from it or began by itself, and what happened to both. */
async function played(t: Test, begun: number, isParted: boolean, steps: readonly Step[]): Promise<Pair> {
  const recorder = openRecorder(t)
  fill(recorder, begun)
  recorder.book.make('start')
  const office = isParted ? partedOffice(t, recorder) : openOffice(t, recorder)
  const pair: Pair = { recorder, office, outside: [], backups: { recorder: [], office: [] } }
  for (const each of [...steps, SIGN, SIGN, LEAVE]) {
    if (each.kind === 'recorder') fill(recorder, each.count)
    else if (each.kind === 'office') fill(office, each.count)
    else if (each.kind === 'sign') await office.checkpoints.signedNow()
    else if (each.kind === 'backup') { pair.backups.recorder.push(backupOf(recorder.db)); pair.backups.office.push(backupOf(office.db)) }
    else {
      const stored = recorder.book.make('entries')
      if (each.kind === 'leave') pair.outside.push(...parseCheckpoints(noteText(signedTextOf(stored)!)))
    }
  }
  return pair
}

const isUnbroken = ({ recorder, office }: Pair, outside: readonly Checkpoint[]): boolean => {
  const { recorder: a, office: b, between } = verifyTwoLogs({ recorder: recorder.db, office: office.db }, outside)
  return a.fault === null && b?.fault === null && between === null
}

/** What somebody with root does to one of the two; false when nothing came of it. */
function tampered({ recorder, office, backups }: Pair, { on, kind, at }: Tampering): boolean {
  const { db, log } = on === 'recorder' ? recorder : office, size = log.size()
  if (kind === 'older') {
    const older = backups[on][at % Math.max(1, backups[on].length)]
    if (older === undefined) return false
    restore(db, older)
    return log.size() < size
  }
  const index = at % size
  forge(db, entries => {
    const out = [...entries]
    if (kind === 'alter') out[index] = { ...out[index]!, detail: '{"number":-1}' }
    else if (kind === 'delete') out.splice(index, 1)
    else out.length = index
    return rechained(out)
  })
  return true
}

for (const isParted of [true, false]) {
  t.test(`any tampering with either of two logs is found, and an honest pair never called broken (${isParted ? 'parted' : 'each by itself'})`, async t => {
    await fc.assert(fc.asyncProperty(fc.integer({ min: 0, max: 270 }), fc.array(step, { maxLength: 10 }), fc.array(tampering, { minLength: 1, maxLength: 3 }), async (begun, steps, tricks) => {
      const pair = await played(t, begun, isParted, steps), { recorder, office, outside } = pair
      if (!isUnbroken(pair, []) || !isUnbroken(pair, outside)) return false
      const sound = { recorder: backupOf(recorder.db), office: backupOf(office.db) }
      for (const trick of tricks) {
        if (tampered(pair, trick)) {
          if (isUnbroken(pair, outside)) return false
          // Whoever takes the stored checkpoints and tiles along, with the stolen key, is found by what is outside or beside.
          if (trick.kind !== 'older') {
            const { db } = trick.on === 'recorder' ? recorder : office
            resign(db, recorder.folder)
            if (isCovered(pair, trick, sound) && isUnbroken(pair, outside)) return false
          }
        }
        restore(recorder.db, sound.recorder)
        restore(office.db, sound.office)
      }
      return isUnbroken(pair, outside)
    }), { numRuns: Number(process.env['RUNS'] ?? 6) })
  })
}

/** Entries behind the newest head that is outside, or that the recorder remembers, are nobody's word yet. */
function isCovered({ outside }: Pair, { on, at }: Tampering, sound: { readonly recorder: LogCopy, readonly office: LogCopy }): boolean {
  const newest = outside.at(-1)!, covered = on === 'recorder' ? newest.size : newest.also[0]!.size
  return at % sound[on].rows.get('audit_entry')!.length < covered
}
