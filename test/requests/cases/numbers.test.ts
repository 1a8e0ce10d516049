import fc from 'fast-check'
import t from 'tap'
import { applicationNumber, checkIdNumber, maskedIdNumber, nextNumber, parseApplicationNumber, wordsFault } from '../../../src/requests/index.ts'

t.test('check digits of 身分證字號 and 統一證號, old and new', async t => {
  for (const [number, kind] of [['A123456789', 'national'], ['a123456789', 'national'], ['A800000014', 'resident'], ['AA00000009', 'resident-old']] as const) t.same(checkIdNumber(number), { kind, isSound: true }, number)
  for (const [number, kind] of [['A123456788', 'national'], ['A800000013', 'resident'], ['AA00000000', 'resident-old']] as const) t.same(checkIdNumber(number), { kind, isSound: false }, number)
  for (const number of ['', 'A12345678', 'A1234567890', 'A323456789', 'K12345678', '護照M1234567']) t.same(checkIdNumber(number), { kind: 'other', isSound: false }, number)
})

t.test('one wrong digit is always noticed', async t => {
  fc.assert(fc.property(fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'), fc.constantFrom('1', '2', '8', '9'), fc.stringMatching(/^\d{7}$/), fc.integer({ min: 2, max: 9 }), fc.integer({ min: 1, max: 9 }), (letter, second, serial, place, shift) => {
    const sound = Array.from('0123456789', check => `${letter}${second}${serial}${check}`).filter(number => checkIdNumber(number).isSound)
    const number = sound[0] ?? ''
    const wrong = `${number.slice(0, place)}${(Number(number[place]) + shift) % 10}${number.slice(place + 1)}`
    // The weights 2, 4, 5, 6 and 8 share a factor with 10, so that a shift by 5 or by an even number can hide there.
    const isHidden = [undefined, 8, 7, 6, 5, 4, 3, 2, 1, 1][place]! * shift % 10 === 0
    return sound.length === 1 && checkIdNumber(wrong).isSound === isHidden
  }), { numRuns: 3_000 })
  t.pass()
})

t.test('lists show the masked form only', async t => {
  t.equal(maskedIdNumber('A123456789'), 'A12****789')
  t.equal(maskedIdNumber('M1234567'), 'M*******')
  t.equal(maskedIdNumber(''), '***')
  fc.assert(fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), text => Array.from(text.trim()).filter((char, index, all) => char !== '*' && index >= (all.length < 10 ? 1 : 3) && index < all.length - (all.length < 10 ? 0 : 3)).length === 0 || maskedIdNumber(text) !== text.trim()))
})

t.test('application numbers run by the year', async t => {
  const style = { word: '調', digits: 4 }
  t.equal(nextNumber(null, 115, style), '115-調-0001')
  t.equal(nextNumber({ rocYear: 115, word: '調', serial: 41 }, 115, style), '115-調-0042')
  t.equal(nextNumber({ rocYear: 115, word: '調', serial: 9999 }, 115, style), '115-調-10000')
  t.equal(nextNumber({ rocYear: 115, word: '調', serial: 41 }, 116, style), '116-調-0001')
  t.equal(nextNumber({ rocYear: 116, word: '調', serial: 3 }, 115, style), '116-調-0004', 'a clock set back uses no number twice')
  t.same(parseApplicationNumber('115-調-0001'), { rocYear: 115, word: '調', serial: 1 })
  for (const text of ['', '115-調', '115-調-0', '0-調-1', '115_調_1', '115-調-1 ', '1115-調-1', '115-調/-1']) t.equal(parseApplicationNumber(text), null, text)
  t.throws(() => applicationNumber({ rocYear: 115, word: '調', serial: 0 }), RangeError)
})

t.test('what people write is kept to the code point, or refused', async t => {
  const name = { maxChars: 10, lines: false }
  // Extension B, a compatibility ideograph that normalising would change, a variation selector, a Pinyin name with an accent.
  for (const text of ['𡍼𠮷', '\uF9DC', '葛\u{E0100}', 'é', '王　明']) t.equal(wordsFault(text, name), null, text)
  t.equal(wordsFault('𡍼'.repeat(10), name), null, 'counted in characters')
  for (const [text, fault] of [['', 'blank'], [' \u3000', 'blank'], ['王\n明', 'unprintable'], ['\u202e王', 'unprintable'], ['\ud800王', 'unprintable'], ['\0', 'unprintable'], ['王'.repeat(11), 'too-long'], ['王'.repeat(100_000), 'too-long']] as const) t.equal(wordsFault(text, name), fault)
  t.equal(wordsFault('一\n二', { maxChars: 10, lines: true }), null)
})
