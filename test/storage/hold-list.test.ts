import path from 'node:path'
import Database from 'better-sqlite3'
import fc from 'fast-check'
import t from 'tap'
import { cameraId, cameraUuid, epochMs } from '../../src/domain/index.ts'
import { openCatalogue } from '../../src/platform/catalogue.ts'
import { parseHolds } from '../../src/storage/hold-book.ts'
import { HoldList } from '../../src/storage/hold-list.ts'
import { cameraTable } from '../../src/storage/tables/cameras.ts'
import { holdTable } from '../../src/storage/tables/holds.ts'

const UUID = cameraUuid('a'.repeat(32)), AT = epochMs(1_796_000_000_000)
const idOf = (n: number): string => n.toString(16).padStart(32, '0')
type Act = { readonly kind: 'place' | 'end' | 'take-back' | 'by-another' | 'look' | 'refresh' | 'begin-refresh', readonly n: number }

t.test('the list is that of the catalogue after whatever was placed, ended, taken back or written by another', async () => {
  const acts = fc.array(fc.record({ kind: fc.constantFrom<Act['kind']>('place', 'end', 'take-back', 'by-another', 'look', 'refresh', 'begin-refresh'), n: fc.nat(12) }), { maxLength: 60 })
  let runs = 0
  await fc.assert(fc.asyncProperty(acts, async (list: Act[]) => {
    const folder = t.testdir({ [`run${runs++}`]: {} })
    using catalogue = openCatalogue(path.join(folder, `run${runs - 1}`), AT)
    const { db } = catalogue, holds = holdTable(db), kept = new HoldList(db, holds)
    cameraTable(db).remember(UUID, cameraId('lobby'), AT)
    const begun: Promise<void>[] = []
    const other = new Database(db.name), others = holdTable(other)
    const hold = (n: number) => ({
      holdId: idOf(n), cameraId: cameraId('lobby'), cameraUuid: UUID, stream: null, fromAt: epochMs(AT + n), toAt: epochMs(AT + n + 1),
      authority: `"${n}"\n依據`, application: null, placedBy: '王', placedAt: AT,
    })
    const toggle = (table: typeof holds, n: number): void => {
      const found = table.find(idOf(n))
      if (found === null) table.insert(hold(n))
      else if (found.ended === null) table.end(found.hold, AT, '王', 'x')
    }
    try {
      for (const { kind, n } of list) {
        if (kind === 'by-another') toggle(others, n)
        else if (kind === 'look') void kept.text
        else if (kind === 'refresh') await kept.refresh()
        else if (kind === 'begin-refresh') begun.push(kept.refresh())
        else if (kind === 'take-back') {
          try { db.transaction(() => { kept.changed(idOf(n)); toggle(holds, n); throw new RangeError('taken back') })() } catch { /* as meant */ }
        } else { kept.changed(idOf(n)); toggle(holds, n) }
        const ids = (all: readonly { readonly holdId: string }[] | null) => all?.map(({ holdId }) => holdId).sort().join()
        if (n % 3 === 0 && ids(parseHolds(kept.text)) !== ids(holds.inForce())) return false
      }
      await Promise.all(begun)
      return JSON.stringify(parseHolds(kept.text)?.toSorted((a, b) => a.holdId < b.holdId ? -1 : 1))
        === JSON.stringify(holds.inForce().toSorted((a, b) => a.holdId < b.holdId ? -1 : 1))
    } finally { other.close() }
  }), { numRuns: 60 })
})
