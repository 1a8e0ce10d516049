import t from 'tap'
import { lineTables } from '../../src/book/tables/lines.ts'
import { searchTable } from '../../src/book/tables/search.ts'
import { ENTRIES_SQL } from '../../src/book/reconciler.ts'
import { CASE_SQL, TIMELINE_SQL } from '../../src/book/incident.ts'
import { Desk } from './support/desk.ts'

t.test('no search reads the whole book, and none sorts it', t => {
  const desk = new Desk(t), { db } = desk.office
  desk.use()
  const search = searchTable(db), after = { usedAt: 5, line: 5 }, dates = { fromAt: 1, toAt: 9 }
  t.equal(lineTables(db).last(), 1)
  const planOf = (sql: string, values: readonly (string | number)[]): string => db.prepare<(string | number)[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`).all(...values).map(({ detail }) => detail).join('; ')
  const base = [{}, { application: 'x' }, { use: 'accompanied' }, { use: 'copied' }, { use: 'forInquiry' }, { use: 'other' }, { isUnsigned: true }, { who: '王小' }, { who: '王' }, { matter: '竊盜', who: '王' }, { who: '王', use: 'other', application: 'x', isUnsigned: true }, { application: 'x', use: 'copied' }] as const
  for (const each of base.flatMap(one => [one, { ...one, after }, { ...one, ...dates }, { ...one, ...dates, after }])) {
    const { sql, values } = search.question(each)
    const plan = planOf(sql, values), byWords = 'who' in each
    t.notMatch(plan, /TEMP B-TREE/, `${JSON.stringify(each)}: ${plan}`)
    t.notMatch(plan, byWords ? /SCAN (b|w)\b/ : /SCAN/, `${JSON.stringify(each)}: ${plan}`)
    if (byWords) t.match(plan, /SCAN book_words VIRTUAL TABLE INDEX .*M/, `${JSON.stringify(each)}: ${plan}`)
  }
  t.match(planOf(search.question({ application: 'x' }).sql, search.question({ application: 'x' }).values), /book_line_by_application/)
  t.match(planOf(search.question({ use: 'forInquiry' }).sql, search.question({ use: 'forInquiry' }).values), /book_line_for_inquiry/)
  t.match(planOf(search.question({ isUnsigned: true }).sql, search.question({ isUnsigned: true }).values), /book_waiting_by_time/)
  t.match(planOf(ENTRIES_SQL, ['viewing.opened', 0, 9, 9]), /SEARCH audit_entry USING INDEX audit_entry_of_book \(action=\? AND seq>\? AND seq<\?\)$/)
  t.match(planOf(TIMELINE_SQL, [1, 2, 1, 0, 9]), /^SEARCH audit_entry USING INDEX audit_entry_by_time \(.*at.*\)$/)
  t.match(planOf(CASE_SQL, ['x', 0, 9]), /^SEARCH audit_entry USING INDEX audit_entry_by_application \(application=\? AND seq>\?\)$/)
  t.end()
})
