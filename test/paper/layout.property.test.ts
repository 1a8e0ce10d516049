import fc from 'fast-check'
import t from 'tap'
import { mmOf, pageSize, type Mark } from '../../src/paper/marks.ts'
import { layOut, Typeface, type Paper, type PaperJob } from '../../src/paper/index.ts'
import { shareRows } from '../../src/paper/request-form.ts'
import { fitText } from '../../src/paper/text-box.ts'
import { widthOf, wrapLine } from '../../src/paper/wrap.ts'
import { shippedRules } from '../rules/support.ts'
import { bookLine, entry, jobs, record, request } from './support/samples.ts'

const face = await Typeface.open()
const ruleSet = await shippedRules()
t.teardown(() => face[Symbol.asyncDispose]())
const context = { face, ruleSet, office: ruleSet.rules.office.name }

const SLACK_MM = 0.02
const word = fc.oneof(fc.constantFrom('錄影', '𡍼', '，', '。', '（', '」', 'camera-01', '2026-11-26', '\u{30000}', '\u202e', '\t', ' ', 'e\u0301', '\n', '□'), fc.string({ unit: 'binary', maxLength: 6 }), fc.constant('超'.repeat(60)), fc.constant('x'.repeat(90)))
const words = fc.array(word, { maxLength: 40 }).map(parts => parts.join(''))

/** What is wrong with where a text stands. */
function outside(mark: Mark): string | null {
  if (mark.kind !== 'text') return null
  const { box, x, baseline, sizePt, pieces } = mark
  const right = x + widthOf(pieces) * mmOf(sizePt), top = baseline - 0.8 * mmOf(sizePt), bottom = baseline + 0.2 * mmOf(sizePt)
  const isIn = x >= box.x - SLACK_MM && right <= box.x + box.w + SLACK_MM && top >= box.y - mmOf(sizePt) * 0.1 && bottom <= box.y + box.h + mmOf(sizePt) * 0.1
  return isIn ? null : `${pieces.map(piece => piece.text).join('')} at ${x}-${right}, ${top}-${bottom} in ${JSON.stringify(box)}`
}
const faults = (paper: Paper): string[] => paper.pages.flatMap(({ marks, landscape }) => {
  const { w, h } = pageSize(landscape)
  return marks.flatMap(mark => [outside(mark), mark.kind === 'text' && (mark.box.x < 0 || mark.box.y < 0 || mark.box.x + mark.box.w > w + 0.01 || mark.box.y + mark.box.h > h + 0.01) ? `a box off the page: ${JSON.stringify(mark.box)}` : null].filter(fault => fault !== null))
})
const textOf = (paper: Paper): string => paper.pages.flatMap(page => page.marks).flatMap(mark => (mark.kind === 'text' ? mark.pieces.map(piece => piece.text) : [])).join('')

t.test('lines: none is wider than asked unless a single character is, and all characters stand on them in order', async t => {
  fc.assert(fc.property(words, fc.integer({ min: 1, max: 60 }), (text, em) => {
    const pieces = face.shape(text.replaceAll('\n', ''))
    const lines = wrapLine(pieces, em)
    return lines.flat().map(piece => piece.text).join('') === pieces.map(piece => piece.text).join('') && lines.every(line => line.length <= 1 || widthOf(line) <= em + 1e-6)
  }), { numRuns: 300 })
  t.pass()
})

t.test('a box: no text outside it, and what is shown with what is left over is the whole text', async t => {
  fc.assert(fc.property(words, fc.double({ min: 8, max: 180, noNaN: true }), fc.double({ min: 4, max: 100, noNaN: true }), fc.constantFrom('left', 'center', 'right'), fc.constantFrom('top', 'middle', 'bottom'), (text, w, h, align, valign) => {
    const plain = text.replaceAll('\r', '').replaceAll('\t', '  ')
    const { marks, rest } = fitText(face, plain, { x: 10, y: 20, w, h }, { minPt: 6, align, valign } as never)
    const shown = marks.flatMap(mark => (mark.kind === 'text' ? mark.pieces.map(piece => piece.text) : [])).join('')
    return marks.every(mark => outside(mark) === null) && plain.endsWith(rest) && shown === plain.slice(0, plain.length - rest.length).replaceAll('\n', '')
  }), { numRuns: 300 })
  t.pass()
})

t.test('rows share a page: never more than there is, never less than the least', async t => {
  fc.assert(fc.property(fc.array(fc.double({ min: 0, max: 900, noNaN: true }), { minLength: 1, maxLength: 8 }), fc.double({ min: 100, max: 200, noNaN: true }), (needs, room) => {
    const { heights } = shareRows((index, sizePt) => needs[index]! * sizePt / 11, needs.map(() => 1), 10, room)
    return Math.abs(heights.reduce((sum, each) => sum + each, 0) - room) < 1e-6 && heights.every(height => height >= 10 - 1e-6)
  }))
  t.pass()
})

t.test('whole forms with anything written into them: no text leaves its box or the page, and nothing of it is lost', async t => {
  const job = fc.oneof(
    fc.record({ a: words, b: words, c: words }).map(({ a, b, c }): PaperJob => ({ form: 'form-2', data: request({ fields: { agency: a, applicant: b, phone: c, 'legal-basis': a, purpose: `${b}${c}`, use: a }, ranges: [c], cameras: [a, b] }) })),
    fc.record({ a: words, b: words, c: words }).map(({ a, b, c }): PaperJob => ({ form: 'form-3', data: request({ fields: { applicant: a, 'applicant-id': b, 'applicant-address': c, reason: `${a}${b}` }, agents: [{ agent: c, relation: a }, { agent: b }] }) })),
    words.map((a): PaperJob => ({ form: 'form-4', data: { ...record, entries: [entry({ applicant: a, purpose: a }), entry()] } })),
    words.map((a): PaperJob => ({ form: 'form-5', data: { ...record, page: 1, isFull: false, lines: [bookLine(1, { applicant: a, matter: a, other: a, uses: [true, true, true, true] }), bookLine(2, { corrects: { line: 1, reason: a }, detail: a })] } })),
  )
  fc.assert(fc.property(job, each => { const found = faults(layOut(context, each)); if (found.length > 0) throw new Error(found.join('\n')); return true }), { numRuns: 60 })
  const long = Array.from({ length: 900 }, (_, index) => `第${index}句話。`).join('')
  for (const form of ['form-2', 'form-3'] as const) {
    const paper = layOut(context, { form, data: request({ fields: { ...request().fields, purpose: long, reason: long } }) })
    t.ok(paper.pages.length > 1, 'it goes on on another page')
    t.match(textOf(paper), /（未完，接續頁）/)
    for (const part of [0, 450, 899]) t.match(textOf(paper).replace(/（未完，接續頁）/g, ''), `第${part}句話`)
  }
})

t.test('every document as it is: each text in its box, on the page', async t => {
  for (const job of jobs) t.same(faults(layOut(context, job)), [], job.form)
})
