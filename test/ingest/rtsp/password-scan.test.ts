import fc from 'fast-check'
import t from 'tap'
import { PasswordScan } from '../../../src/ingest/rtsp/password-scan.ts'
import { processorMsSince, processorNow } from '../../support/processor-time.ts'

const found = (password: string, text: string): string[] => {
  const bytes = Buffer.from(text)
  return new PasswordScan(password).find(bytes, 100).map(({ from, to }) => bytes.subarray(from, to).toString())
}

t.test('a password is found in whatever way it is escaped', async t => {
  t.same(found('Ge/heim', 'a=Ge/heim b=Ge%2Fheim c=Ge%2fheim d=%47e%2Fhei%6D e=Ge%252Fheim f=Ge-heim'),
    ['Ge/heim', 'Ge%2Fheim', 'Ge%2fheim', '%47e%2Fhei%6D', 'Ge%252Fheim'])
  t.same(found('a b', 'a b a%20b a+b a%2520b ab'), ['a b', 'a%20b', 'a+b', 'a%2520b'])
  t.same(found('50%25', 'x50%25x50%2525'), ['50%25', '50%2525'], 'one that looks escaped')
  t.same(found('密碼', 'x=密碼 y=%E5%AF%86%e7%a2%bc'), ['密碼', '%E5%AF%86%e7%a2%bc'])
  t.same(found('aa', 'aaaaa'), ['aa', 'aa'])
  t.same(found('a', '%'), [])
  t.same(found('%', '%4%25%'), ['%', '%25', '%'])
  t.same(found('', 'anything'), [])
  t.equal(new PasswordScan('a').find(Buffer.from('a'.repeat(1000)), 10).length, 11, 'no more than are asked for')
})

t.test('each byte of any password may be escaped or not', async () => {
  const escaped = (password: string, flags: readonly boolean[]): string => [...Buffer.from(password)].map((byte, i) =>
    (flags[i % flags.length]! || byte > 0x7e || byte === 0x25 ? `%${byte.toString(16).padStart(2, '0')}` : String.fromCharCode(byte))).join('')
  fc.assert(fc.property(fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' }), fc.array(fc.boolean(), { minLength: 1 }), (password, flags) => {
    const form = escaped(password.toWellFormed(), flags)
    return found(password.toWellFormed(), `/#=${form}=#/`).some(each => each.includes(form))
  }), { numRuns: 500 })
})

t.test('it takes time as the text is long, whatever both hold', async t => {
  const scan = new PasswordScan(`${'a'.repeat(500)}b`), text = Buffer.from('a%61'.repeat(65_536))
  const startedAt = processorNow()
  t.same(scan.find(text, 100), [])
  t.ok(processorMsSince(startedAt) < 500, `${processorMsSince(startedAt)} ms; by trying each place 1 s and more`)
})
