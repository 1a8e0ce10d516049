import fc from 'fast-check'
import t from 'tap'
import { canonicalJson, entryText } from '../../src/audit/index.ts'
import { epochMs, type AuditValue } from '../../src/domain/index.ts'

t.test('values are written as RFC 8785 writes them', async t => {
  t.equal(canonicalJson({ b: 1, a: [true, null, 'x'], '10': -7, '9': {} }), '{"10":-7,"9":{},"a":[true,null,"x"],"b":1}')
  // The property names of RFC 8785 §3.2.3, which are sorted by UTF-16 code unit.
  t.same(Object.keys(JSON.parse(canonicalJson({ '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\u{1f600}': 5, '\u0080': 6, '\u00f6': 7 })) as object).filter(key => key !== '1'),
    ['\r', '\u0080', '\u00f6', '\u20ac', '\u{1f600}', '\ufb33'])
  t.equal(canonicalJson('\u20ac$\u000f\nA\'B"\\/\u2028'), '"\u20ac$\\u000f\\nA\'B\\"\\\\/\u2028"')
  t.equal(canonicalJson(-0), '0')
})

t.test('what has no canonical form is refused', async t => {
  for (const value of [1.5, Number.NaN, Infinity, 2 ** 53, undefined, 1n, Symbol('s'), () => 1, '\ud800', { '\udc00': 1 }, [undefined]]) t.throws(() => canonicalJson(value as AuditValue), TypeError)
  let deep: AuditValue = 1
  for (let i = 0; i < 30; i++) deep = [deep]
  t.throws(() => canonicalJson(deep), /nested/)
})

const text = fc.string({ unit: 'grapheme', maxLength: 30 })
const value: fc.Arbitrary<AuditValue> = fc.letrec<{ value: AuditValue }>(tie => ({
  value: fc.oneof({ maxDepth: 4 }, text, fc.maxSafeInteger(), fc.boolean(), fc.constant(null), fc.array(tie('value'), { maxLength: 4 }), fc.dictionary(text, tie('value'), { maxKeys: 4 })),
})).value

t.test('the text means the same value, and does not depend on the order of keys', async t => {
  const turned = (given: AuditValue): AuditValue => Array.isArray(given) ? given.map(item => turned(item as AuditValue)) : typeof given === 'object' && given !== null
    ? Object.fromEntries(Object.entries(given).toReversed().map(([key, inner]) => [key, turned(inner)])) : given
  fc.assert(fc.property(value, given => {
    const canonical = canonicalJson(given)
    return canonical === canonicalJson(turned(given)) && canonical === canonicalJson(JSON.parse(canonical) as AuditValue)
  }), { numRuns: 500 })
  t.pass()
})

t.test('an entry is hashed over the canonical JSON of all its parts', async t => {
  const maybe = fc.option(text), instant = fc.integer({ min: 0, max: 4e12 }).map(epochMs)
  fc.assert(fc.property(fc.record({
    seq: fc.integer({ min: 1 }), at: instant, trustedAt: fc.option(instant), clock: text, actor: fc.record({ kind: fc.constantFrom('system', 'account'), name: text, role: maybe, source: maybe }),
    action: text, object: maybe, application: maybe, result: fc.constantFrom('done', 'refused', 'failed'), detail: value, prevHash: fc.uint8Array({ minLength: 32, maxLength: 32 }).map(bytes => Buffer.from(bytes)),
  }), ({ prevHash, ...entry }) => {
    const { at, trustedAt } = entry
    const whole = { ...entry, at: new Date(at).toISOString(), trustedAt: trustedAt === null ? null : new Date(trustedAt).toISOString(), prev: prevHash.toString('hex'), format: 1 }
    return entryText({ ...entry, detail: canonicalJson(entry.detail), prevHash }) === canonicalJson(whole)
  }), { numRuns: 500 })
  t.pass()
})
