import t from 'tap'
import Type from 'typebox'
import { checkOf } from '../../src/console/schema-check.ts'
import { closed, oneOf, orNull } from '../../src/console/schemas/common.ts'

t.test('a problem says in both languages what would do, and nothing of what was sent', t => {
  const { problems } = checkOf(closed({
    role: oneOf(['clerk', 'records']), name: Type.String({ minLength: 2, maxLength: 3 }), day: Type.String({ pattern: '^\\d+$' }), page: Type.Integer({ minimum: 1, maximum: 9 }), list: Type.Array(Type.Boolean(), { minItems: 1, maxItems: 2 }), ends: orNull(Type.Number({ maximum: 5 })),
  }))
  const good = { role: 'clerk', name: 'ab', day: '1', page: 1, list: [true], ends: null }
  t.same(problems(good), [])
  for (const [change, where, zh, en] of [
    [{ role: '祕密' }, 'role', '須為下列之一：clerk、records。', 'must be one of: clerk, records.'],
    [{ name: 'a' }, 'name', '不得少於 2 字。', 'must not have fewer than 2 characters.'], [{ name: 'abcd' }, 'name', '不得超過 3 字。', 'must not have more than 3 characters.'], [{ name: 5 }, 'name', '須為文字。', 'must be string.'],
    [{ day: '祕密' }, 'day', '格式不符，須符合 ^\\d+$。', 'must match pattern "^\\d+$".'], [{ page: 0 }, 'page', '不得小於 1。', 'must be >= 1.'], [{ page: 10 }, 'page', '不得大於 9。', 'must be <= 9.'], [{ page: 1.5 }, 'page', '須為整數。', 'must be integer.'],
    [{ list: [] }, 'list', '不得少於 1 項。', 'must not have fewer than 1 items.'], [{ list: [true, true, true] }, 'list', '不得超過 2 項。', 'must not have more than 2 items.'], [{ list: {} }, 'list', '須為清單。', 'must be array.'], [{ list: ['祕密'] }, 'list[0]', '須為 true 或 false。', 'must be boolean.'],
    [{ ends: 6 }, 'ends', '不得大於 5。', 'must be <= 5.'], [{ extra: 1 }, '', '沒有這個欄位：extra。', 'has no such field: extra.'],
  ] as const) t.same(problems({ ...good, ...change })[0], { where, zh, en }, JSON.stringify(change))
  t.same(problems({}), [{ where: '', zh: '缺少欄位：role、name、day、page、list、ends。', en: 'must have required properties role, name, day, page, list, ends.' }])
  t.same(problems([])[0], { where: '', zh: '須為物件。', en: 'must be object.' })
  t.notMatch(JSON.stringify(problems({ ...good, role: '祕密', day: '祕密' })), /祕密/)
  t.end()
})
