import t from 'tap'
import { columnsOf, tableLines } from '../../src/health/text-table.ts'

t.test('counts wide characters double and marks not at all', async t => {
  const cases: [string, number][] = [['', 0], ['door', 4], ['大門', 4], ['攝影機 camera', 13], ['（滿）', 6], ['ｄ', 2], ['e\u0301', 1], ['𠮷', 2], ['ㄅ', 2], ['—', 1], ['한글', 4]]
  for (const [text, columns] of cases) t.equal(columnsOf(text), columns, text)
})

t.test('columns line up on a terminal', async t => {
  t.strictSame(tableLines(
    [{ head: '狀態', align: 'left' }, { head: 'fps', align: 'right' }, { head: 'id', align: 'left' }],
    [['錄影中', '15.0', 'a'], ['off', '0', '大門'], ['x']],
  ), [
    '狀態     fps  id',
    '錄影中  15.0  a',
    'off        0  大門',
    'x',
  ])
})
