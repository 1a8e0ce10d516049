import fc from 'fast-check'
import t from 'tap'
import { epochMs } from '../../../src/domain/index.ts'
import { CASE_LIMITS, covers, intersect, isSameScope, isWithin, rangesOf, scopeFaults, scopeOf, type ScopeLine } from '../../../src/requests/index.ts'
import { DOOR, LOBBY, LOBBY_HOUR, NOW, STAIRS } from './support.ts'

const RUNS = { numRuns: 5_000 }
const line: fc.Arbitrary<ScopeLine> = fc.record({ camera: fc.constantFrom(LOBBY, DOOR), from: fc.nat(12).map(epochMs), to: fc.nat(12).map(epochMs) })
const lines = fc.array(line, { maxLength: 6 })
/** Every camera and millisecond that lines cover, one by one. */
const points = (scope: readonly ScopeLine[]): ReadonlySet<string> => new Set(scope.flatMap(({ camera, from, to }) => Array.from({ length: Math.max(0, to - from) }, (_, index) => `${camera[0]}${from + index}`)))
const same = (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean => a.size === b.size && a.isSubsetOf(b)

t.test('the arithmetic says what counting point by point says', async t => {
  fc.assert(fc.property(lines, lines, (a, b) => {
    const [left, right] = [points(a), points(b)]
    if (!same(points(scopeOf(a)), left)) throw new Error('normal form')
    if (!same(points(intersect(a, b)), left.intersection(right))) throw new Error('intersection')
    if (isWithin(a, b) !== left.isSubsetOf(right)) throw new Error('within')
    if (isSameScope(a, b) !== same(left, right)) throw new Error('same')
    for (const camera of [LOBBY, DOOR]) for (let at = 0; at < 13; at++) if (covers(scopeOf(a), camera, epochMs(at)) !== left.has(`${camera[0]}${at}`)) throw new Error('covers')
  }), RUNS)
  t.pass()
})

t.test('one footage has one normal form, and narrowing stays within', async t => {
  fc.assert(fc.property(lines, lines, lines, (a, b, c) => {
    const form = scopeOf(a)
    const isNormal = form.every((entry, index) => entry.from < entry.to && (index === 0 || form[index - 1]!.camera < entry.camera || form[index - 1]!.to < entry.from))
    const shuffled = scopeOf([...a, ...a].toReversed())
    return isNormal && JSON.stringify(shuffled) === JSON.stringify(form) && isWithin(intersect(a, b), a) && isWithin(intersect(intersect(a, b), c), b)
  }), RUNS)
  t.pass()
})

t.test('what somebody cannot ask for is told by line', async t => {
  const faults = (asked: readonly ScopeLine[]) => scopeFaults(asked, { now: NOW, isKnownCamera: camera => camera !== STAIRS }).map(({ line: at, fault }) => `${at} ${fault}`)
  t.same(faults([LOBBY_HOUR]), [])
  t.same(faults([]), ['null empty'])
  t.same(faults([LOBBY_HOUR, { ...LOBBY_HOUR, to: LOBBY_HOUR.from }, { ...LOBBY_HOUR, camera: STAIRS, to: epochMs(NOW + 1) }]), ['1 reversed', '2 unknown-camera', '2 in-the-future'])
  t.same(faults([{ ...LOBBY_HOUR, from: epochMs(0) }]), ['0 too-long'])
  t.same(faults([{ ...LOBBY_HOUR, from: Number.NaN as never }]), ['0 reversed'])
  t.same(faults(Array.from({ length: CASE_LIMITS.scopeLines + 1 }, () => LOBBY_HOUR)), ['null too-many-lines'])
  t.same(rangesOf([LOBBY_HOUR, { ...LOBBY_HOUR, camera: DOOR }], LOBBY), [{ startAt: LOBBY_HOUR.from, endAt: LOBBY_HOUR.to }])
})
