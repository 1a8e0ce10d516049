import fc from 'fast-check'
import t from 'tap'
import { ORPHAN_KINDS, reconcile, type Approval, type Facts, type LineFact, type OrphanKind, type Standing, type UseFact } from '../../src/book/index.ts'
import { epochMs } from '../../src/domain/index.ts'
import { LOBBY, STAIRS } from './support/desk.ts'

/** One honest use, and what somebody did to it. */
interface Unit { readonly act: 'view' | 'copy', readonly corrections: number, readonly plant: OrphanKind | null, readonly variant: number }

const RANGE = { camera: LOBBY, from: epochMs(1000), to: epochMs(5000) }
const APPROVAL: Approval = { view: true, copy: true, approvedAt: epochMs(10_000), validUntil: epochMs(20_000), ranges: [RANGE], preRollMs: 500 }

/** Lines, entries and applications of all units, with what is to be found in them, made by the one who plants and not by the code under test. */
function worldOf(units: readonly Unit[]): { readonly facts: Facts, readonly wanted: readonly string[] } {
  const uses: UseFact[] = [], lines: LineFact[] = [], told: number[] = [], used: string[] = [], wanted: string[] = []
  const standings = new Map<string, Standing>()
  let seq = 0, number = 0
  for (const [index, unit] of units.entries()) {
    const { plant, variant, act } = unit, application = `115-調-${index + 1}`
    const useSeq = ++seq, use: UseFact = { seq: useSeq, act, object: `o${index}`, application, account: 'chen', at: epochMs(15_000) }
    let standing: Standing = { kind: 'approved', approval: { ...APPROVAL, view: act === 'view', copy: act === 'copy' } }
    let last: number | null = null
    const write = (change: Partial<LineFact> = {}, isTold = true): number => {
      const line = ++number, sha256 = `h${line}`
      lines.push({ line, act, useSeq, object: `o${index}`, application, account: 'chen', usedAt: epochMs(15_000), ranges: [variant % 2 === 0 ? RANGE : { ...RANGE, from: epochMs(500) }], corrects: last, sha256, actualSha256: sha256, toldSha256: isTold ? sha256 : null, ...change })
      if (isTold) told.push(line)
      last = line
      return line
    }
    const found = (kind: OrphanKind, subject: string | number): void => { wanted.push(`${kind} ${subject}`) }
    if (plant !== 'line-without-use') uses.push(use)
    switch (plant) {
      case null: case 'form-without-line': write(); break
      case 'use-without-line': found(plant, useSeq); break
      case 'line-without-use': found(plant, write()); break
      case 'two-lines-for-use': write(); last = null; found(plant, write()); break
      case 'line-unlike-use': found(plant, write(([{ object: 'other' }, { account: 'wu' }, { usedAt: epochMs(15_001) }, { act: act === 'view' ? 'copy' : 'view' }] as const)[variant % 4])); break
      case 'line-without-form': standing = { kind: 'unknown' }; found(plant, write()); break
      case 'form-not-approved': standing = { kind: 'not-approved' }; found(plant, write()); break
      case 'outside-approval': {
        const approval: Approval = { ...APPROVAL, view: act === 'view', copy: act === 'copy' }
        standing = { kind: 'approved', approval: ([{ ...approval, [act]: false }, { ...approval, approvedAt: epochMs(15_001) }, { ...approval, validUntil: epochMs(15_000) }, { ...approval, ranges: [{ ...RANGE, camera: STAIRS }] }, { ...approval, ranges: [{ ...RANGE, to: epochMs(4999) }] }, { ...approval, ranges: [] }] as const)[variant % 6]! }
        found(plant, write()); break
      }
      case 'line-altered': found(plant, write(variant % 2 === 0 ? { actualSha256: 'other' } : { actualSha256: 'other', sha256: 'other' })); break
      case 'line-untold': found(plant, write({}, false)); break
      case 'line-missing': // told and gone; the use stands alone then
        found(plant, ++number); told.push(number); found('use-without-line', useSeq)
        break
      case 'correction-astray': write(); found(plant, write({ corrects: number + 1000 })); break
    }
    if (plant === null || plant === 'form-without-line') for (let i = 0; i < unit.corrections; i++) write()
    if (plant === 'form-without-line') { found(plant, `${application}b`); used.push(`${application}b`) }
    if (plant === null && variant % 3 === 0) used.push(application)
    standings.set(application, standing)
  }
  return { facts: { uses, lines, told, used, standingOf: application => standings.get(application) ?? { kind: 'unknown' } }, wanted }
}

const unit = (plant: fc.Arbitrary<OrphanKind | null>): fc.Arbitrary<Unit> =>
  fc.record({ act: fc.constantFrom('view' as const, 'copy' as const), corrections: fc.nat(2), plant, variant: fc.nat(11) })
const said = (facts: Facts): string[] => reconcile(facts).map(({ kind, subject }) => `${kind} ${subject}`).sort()

t.test('an honest book has no orphan', t => {
  fc.assert(fc.property(fc.array(unit(fc.constant(null)), { maxLength: 12 }), units => reconcile(worldOf(units).facts).length === 0), { numRuns: 2000 })
  t.end()
})

t.test('every orphan planted is found and named, and no other', t => {
  const planted = new Set<OrphanKind>()
  fc.assert(fc.property(fc.array(unit(fc.option(fc.constantFrom(...ORPHAN_KINDS), { freq: 2 })), { maxLength: 12 }), units => {
    for (const { plant } of units) if (plant !== null) planted.add(plant)
    const { facts, wanted } = worldOf(units)
    return JSON.stringify(said(facts)) === JSON.stringify([...wanted].sort())
  }), { numRuns: 10_000 })
  t.same([...planted].sort(), [...ORPHAN_KINDS].sort(), 'each kind was planted')
  t.end()
})
