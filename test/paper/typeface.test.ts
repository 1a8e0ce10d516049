import t from 'tap'
import { epochMs } from '../../src/domain/index.ts'
import { pdfOf } from '../../src/paper/pdf.ts'
import { fitText } from '../../src/paper/text-box.ts'
import { PaperFontError, Typeface } from '../../src/paper/index.ts'
import { readPdf } from './support/poppler.ts'

const face = await Typeface.open()
t.teardown(() => face[Symbol.asyncDispose]())
const page = async (text: string): Promise<Buffer> => pdfOf(face, [{ landscape: false, marks: fitText(face, text, { x: 15, y: 15, w: 180, h: 250 }).marks }], { title: '試', at: epochMs(0) })

const COVERED = '𡍼龔鑫喆煊頴犇堃燊𪚥𠀀\u{2A700}\u{2B74E}\u{F0001}㐂臺裡'
const BEYOND = ['\u{2CEB0}', '\u{2EBE0}', '\u{30000}', '\u{31350}', '\uE000', '\u{10FFFD}']

t.test('names come out of the paper as they went in, from three faces at once, each embedded as a subset', async t => {
  const known = Array.from(COVERED).filter(char => face.shape(char)[0]!.missing.length === 0)
  t.ok(known.length >= Array.from(COVERED).length - 1, 'nearly all are covered')
  const { flat, fonts } = readPdf(t, await page(known.join('')))
  t.equal(flat, known.join(''))
  t.same(new Set(known.map(char => face.shape(char)[0]!.drawn!.face)), new Set([0, 1, 2]), 'every face was needed')
  t.equal(fonts.length, 3)
  for (const font of fonts) t.match(font, { name: /^[A-Z]{6}\+TW-Kai/, embedded: 'yes', subset: 'yes', unicode: 'yes' })
})

t.test('a character that no face has is named with its code point, and still comes out as itself', async t => {
  for (const char of BEYOND) {
    const [piece] = face.shape(char)
    t.equal(piece?.drawn, null, char)
    t.same(piece?.missing, [`U+${char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`])
  }
  t.equal(readPdf(t, await page(`王${BEYOND[2]}明`)).flat, `王${BEYOND[2]}明`)
})

t.test('nothing is normalised: compatibility characters, variants and combined marks stay what was written', async t => {
  for (const text of ['\u{2F803}', '葛\u{E0100}', '葛\uFE00', 'e\u0301', 'Å', '\uFA0C', '①']) {
    t.equal(face.shape(text).map(piece => piece.text).join(''), text, 'no code point is lost')
    t.equal(readPdf(t, await page(text)).flat, text, text)
  }
  t.same(face.shape('葛\u{E0100}')[0]?.missing, ['U+845B U+E0100'], 'the ordinary form stands in, and that is said')
})

t.test('two characters of one look stay two, whichever was drawn first', async t => {
  const pairs = ['-−', 'Ω\u2126', '戶\uF9D0'].filter(pair => face.shape(pair).every(piece => piece.drawn !== null))
  t.ok(pairs.length > 0)
  for (const pair of pairs) for (const text of [pair, Array.from(pair).toReversed().join('')]) t.equal(readPdf(t, await page(text)).flat, text)
})

t.test('what turns the reading direction or cannot be seen is shown, never obeyed', async t => {
  for (const char of ['\u202e', '\u2066', '\u200b', '\u0007', '\u001b', '\ufeff', '\u2028', '\ud800', '\u0000']) t.equal(face.shape(char)[0]?.drawn, null, char.charCodeAt(0).toString(16))
  const marks = fitText(face, '甲\u202e乙丙', { x: 15, y: 15, w: 180, h: 20 }).marks
  t.same(marks.flatMap(mark => (mark.kind === 'text' ? mark.pieces.map(piece => piece.text) : [])), ['甲', '\u202e', '乙', '丙'], 'in the order of writing')
})

t.test('a missing face is refused with the package that brings it', async t => {
  await t.rejects(Typeface.open(t.testdir({})), PaperFontError)
  await t.rejects(Typeface.open(t.testdir({ 'TW-Kai-98_1.ttf': 'no font at all' })), { code: 'CUSTOS_PAPER_FONT', remedy: /fonts-cns11643-kai/ })
})
