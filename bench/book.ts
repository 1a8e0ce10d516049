import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { AuditLog } from '../src/audit/index.ts'
import { openBook, type BookSearch } from '../src/book/index.ts'
import { cameraUuid, epochMs } from '../src/domain/index.ts'
import { OfficeCalendar } from '../src/rules/index.ts'
import { openOfficeOf } from '../test/support/office-database.ts'

/** Searches in a book of many lines on a real file, and the nightly reconciliation of all of them with the longest it holds the event loop. */
const { values } = parseArgs({ options: { lines: { type: 'string', default: '100000' }, rounds: { type: 'string', default: '25' } } })
const [count, rounds] = [Number(values.lines), Number(values.rounds)]
const folder = mkdtempSync(path.join(tmpdir(), 'custos-book-'))
const START_MS = Date.parse('2026-01-01T00:00:00Z'), MINUTE_MS = 60_000
let nowMs = START_MS
const clock = { wallNow: () => epochMs(nowMs) }
const LOBBY = cameraUuid('a'.repeat(32))
const SURNAMES = Array.from('陳林黃張李王吳劉蔡楊許鄭謝郭洪邱曾廖賴徐周葉蘇莊呂江何蕭羅高'), GIVEN = Array.from('小明家豪志偉淑芬美玲俊傑雅婷建宏怡君宗翰佳穎冠宇詩涵承恩欣妤柏翰宜庭')
const nameOf = (i: number): string => SURNAMES[i % SURNAMES.length]! + GIVEN[(i * 7) % GIVEN.length]! + GIVEN[(i * 13 + 5) % GIVEN.length]!
const applicationOf = (i: number): string => `115-調-${String(Math.floor(i / 3) + 1).padStart(4, '0')}`

try {
  using catalogue = await openOfficeOf(folder)
  const { db } = catalogue
  const audit = new AuditLog({ db, clock: { ...clock, monoNow: () => 0, wait: () => Promise.resolve() } as never })
  const approval = { view: true, copy: true, approvedAt: epochMs(START_MS - 1), validUntil: epochMs(START_MS + 1e12), preRollMs: 0, ranges: [{ camera: LOBBY, from: epochMs(START_MS), to: epochMs(START_MS + 1e10) }] }
  const book = openBook({ db, audit, time: clock, rights: { requireRight: () => undefined }, calendar: () => new OfficeCalendar(), grants: () => [], applications: { standingOf: () => ({ kind: 'approved', approval }), used: () => [] } })
  const filledFrom = performance.now()
  for (let i = 0; i < count;) {
    audit.transaction(() => {
      for (const end = Math.min(count, i + 5000); i < end; i++) {
        nowMs += 5 * MINUTE_MS
        const isCopy = i % 10 === 0, application = applicationOf(i)
        const auditSeq = audit.append({ action: isCopy ? 'copy.released' : 'viewing.opened', actor: { kind: 'account', name: '陳管理 (chen)', role: 'custodian', source: 'desk' }, object: `s${i}`, application, result: 'done', detail: {} }).seq
        book.log.enter({
          auditSeq, application, applicant: nameOf(i), unit: i % 2 === 0 ? '信義分局' : '', matter: i % 4 === 0 ? '偵辦竊盜案' : '遺失物協尋', basis: '行政程序法第46條', persons: [],
          uses: { accompanied: !isCopy, copied: isCopy, forInquiry: isCopy, other: i % 1000 === 1 ? '教學' : null }, ranges: [{ camera: LOBBY, cameraName: '大廳', from: epochMs(START_MS + i), to: epochMs(START_MS + i + MINUTE_MS) }],
        })
      }
    })
  }
  console.log(`${count} lines entered in ${((performance.now() - filledFrom) / 1000).toFixed(1)} s, ${((performance.now() - filledFrom) / count).toFixed(3)} ms a line; database ${(statSync(path.join(folder, 'office/office.db')).size / 1024 / 1024).toFixed(0)} MiB`)
  const middle = START_MS + count * 5 * MINUTE_MS / 2, dates = { fromAt: middle, toAt: middle + 30 * 24 * 60 * MINUTE_MS }
  const searches: readonly (readonly [string, BookSearch])[] = [
    ['newest page', {}], ['a month in the middle', dates], ['application', { application: applicationOf(count / 2) }], ['three characters of a name', { who: nameOf(4321) }], ['two characters', { who: nameOf(77).slice(1) }],
    ['one character', { who: '陳' }], ['last character', { who: '庭' }], ['unit of half the lines', { who: '分局' }], ['nobody', { who: '尉遲' }], ['name and matter', { who: nameOf(4).slice(0, 2), matter: '竊盜' }],
    ['common words and rare use', { matter: '協尋', use: 'other' }], ['common words in a month', { who: '信義', ...dates }], ['rare use', { use: 'other' }], ['copies in a month', { use: 'copied', ...dates }], ['unsigned', { isUnsigned: true }],
    ['unsigned by name', { isUnsigned: true, who: '小明' }], ['200 lines', { limit: 200 }], ['page at the end', { after: { usedAt: START_MS + 20 * 5 * MINUTE_MS, line: 20 } }],
  ]
  let worst = 0
  for (const [name, search] of searches) {
    const times = Array.from({ length: rounds }, () => { const from = performance.now(); book.log.search(search); return performance.now() - from }).sort((a, b) => a - b)
    worst = Math.max(worst, times.at(-1)!)
    console.log(`${name.padEnd(28)} ${String(book.log.search(search).lines.length).padStart(4)} lines  median ${times[rounds >> 1]!.toFixed(2)} ms, longest ${times.at(-1)!.toFixed(2)} ms`)
  }
  console.log(`longest search ${worst.toFixed(1)} ms (50 is wanted)`)
  let heldMs = 0, lastAt = performance.now()
  const pulse = setInterval(() => { heldMs = Math.max(heldMs, performance.now() - lastAt - 5); lastAt = performance.now() }, 5)
  const from = performance.now()
  const { orphans } = await book.reconciler.run()
  await new Promise(resolve => { setTimeout(resolve, 20) })
  clearInterval(pulse)
  console.log(`reconciliation ${((performance.now() - from) / 1000).toFixed(2)} s, ${orphans.length} orphans, event loop held for at most ${heldMs.toFixed(0)} ms`)
} finally { rmSync(folder, { recursive: true, force: true }) }
