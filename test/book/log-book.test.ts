import fc from 'fast-check'
import t from 'tap'
import { bookPageHtml, lineHash } from '../../src/book/index.ts'
import { DAY_MS } from '../access/support/office.ts'
import { CASE, Desk, wording } from './support/desk.ts'

const REFUSED = { code: 'CUSTOS_BOOK_REFUSED' }

t.test('a use becomes a line with the time, session and account of its audit entry', t => {
  const desk = new Desk(t), { log } = desk.book
  t.equal(desk.use(), 1)
  desk.papers.approve('115-調-0002')
  t.equal(desk.use({ application: '115-調-0002' }, { object: 'copy-1', isCopy: true }), 2)
  const { line } = log.get(2)!
  t.match(line, { act: 'copy', object: 'copy-1', account: '陳管理 (chen)', usedAt: desk.office.clock.wallNow(), uses: { copied: true, forInquiry: true, accompanied: false, other: null } })
  t.equal(line.sha256, lineHash(line))
  const told = desk.office.entries('book.entered').at(-1)!
  t.match(JSON.parse(told.detail), { sha256: line.sha256, useSeq: line.useSeq })
  t.end()
})

t.test('what is no use, belongs to another application, has its line or breaks R41 is refused, and the act with it', t => {
  const desk = new Desk(t), { log } = desk.book, { audit } = desk.office
  const enter = (change: object, seq?: number) => () => audit.transaction(() => log.enter({ ...wording(change), auditSeq: seq ?? desk.audited(CASE) }))
  desk.use()
  const before = audit.size()
  t.throws(enter({}, 1), REFUSED, 'it has its line')
  t.throws(enter({}, 2), REFUSED, 'book.entered is no use')
  t.throws(enter({}, 999), REFUSED)
  t.throws(enter({ application: '115-調-0009' }), REFUSED)
  t.throws(enter({ uses: { accompanied: false, copied: false, forInquiry: false, other: null } }), REFUSED)
  t.throws(enter({ uses: { accompanied: false, copied: false, forInquiry: false, other: ' ' } }), REFUSED, '其他 needs a text')
  t.throws(enter({ uses: { accompanied: true, copied: true, forInquiry: false, other: null } }), REFUSED, 'a viewing is no copy')
  t.throws(enter({ applicant: ' ' }), REFUSED)
  t.throws(enter({ applicant: '王\u202e明' }), REFUSED, 'letters that turn the print around')
  t.throws(enter({ ranges: [] }), REFUSED)
  t.throws(() => log.enter({ ...wording(), auditSeq: 1 }), TypeError, 'outside a transaction')
  t.equal(audit.size(), before, 'no viewing was opened')
  t.equal(log.last(), 1)
  t.end()
})

t.test('rows are never changed, deleted or put in between', t => {
  const desk = new Desk(t), { db } = desk.office
  desk.use()
  for (const sql of ["UPDATE book_line SET matter = 'x'", 'DELETE FROM book_line', "UPDATE book_range SET camera = 'x'", 'DELETE FROM book_range', "UPDATE book_person SET name = 'x'", 'DELETE FROM book_person']) t.throws(() => db.exec(sql), /never/)
  t.throws(() => db.exec('INSERT INTO book_line SELECT 7, used_at, entered_at, act, 2, object, account, application, applicant, unit, matter, basis, 1, 0, 0, NULL, NULL, NULL, NULL, sha256, 2 FROM book_line'), /at the end/)
  t.end()
})

t.test('signatures: the custodian, then the head, each with right and role, never one person for both', async t => {
  const desk = new Desk(t), { log } = desk.book
  const both = await desk.office.person('multi', ['custodian', 'chief'])
  desk.office.director = both
  const { office } = desk
  const asHead = await office.acting(both, 'chief')
  office.directorActing = asHead
  const chen = await office.person('chen', ['custodian'])
  const asCustodian = await office.acting(chen, 'custodian')
  const bothAsCustodian = await office.acting(both, 'custodian')
  desk.use()
  t.throws(() => { log.sign(1, 'head', asHead) }, REFUSED, 'too early')
  t.throws(() => { log.sign(1, 'head', asCustodian) }, REFUSED, 'another post')
  t.throws(() => { log.sign(1, 'custodian', office.machine) }, { code: 'CUSTOS_RIGHT_MISSING' })
  t.throws(() => { log.sign(2, 'custodian', asCustodian) }, REFUSED, 'no such line')
  log.sign(1, 'custodian', bothAsCustodian)
  t.throws(() => { log.sign(1, 'head', asHead) }, REFUSED, 'one person')
  t.throws(() => { log.sign(1, 'custodian', asCustodian) }, REFUSED, 'signed already')
  t.throws(() => office.db.exec("INSERT INTO book_signature SELECT line, 'head', account, name, role, at, sha256, audit_seq FROM book_signature"), /another person/, 'the table says so too')
  t.match(log.waiting(), { count: 1, oldestLine: 1 })
  desk.use()
  log.sign(2, 'custodian', asCustodian)
  log.sign(2, 'head', asHead)
  t.same(log.get(2)?.signatures.map(({ box, account }) => [box, account]), [['custodian', 'chen'], ['head', 'multi']])
  t.same(log.search({ isUnsigned: true }).lines.map(({ line }) => line.line), [1])
  t.same(office.entries('book.signed').map(({ result }) => result), ['refused', 'refused', 'refused', 'refused', 'done', 'refused', 'refused', 'done', 'done'])
})

t.test('an altered line is not signed', async t => {
  const desk = new Desk(t), { custodian } = await desk.people()
  desk.use()
  desk.unguard()
  desk.office.db.exec("UPDATE book_line SET matter = '別的事'")
  t.throws(() => { desk.book.log.sign(1, 'custodian', custodian) }, REFUSED)
})

t.test('a correction is a new line; the old one prints struck through and waits for nobody', async t => {
  const desk = new Desk(t), { log } = desk.book, { custodian, head } = await desk.people()
  desk.use()
  const usedAt = log.get(1)!.line.usedAt
  desk.office.pass(60_000)
  t.equal(log.correct(1, { ...wording(), applicant: '王曉明<b>' }, '姓名誤植', custodian), 2)
  t.throws(() => log.correct(1, wording(), '再改', custodian), REFUSED, 'corrected already')
  t.throws(() => log.correct(2, wording(), ' ', custodian), REFUSED, 'without a reason')
  t.throws(() => log.correct(2, wording(), '主管改', head), { code: 'CUSTOS_RIGHT_MISSING' })
  t.throws(() => log.correct(9, wording(), '沒有', custodian), REFUSED)
  t.throws(() => { log.sign(1, 'custodian', custodian) }, REFUSED, 'the struck line')
  t.match(log.get(2)?.line, { corrects: 1, reason: '姓名誤植', correctedBy: '人員chen (chen)', usedAt, application: CASE })
  t.match(log.waiting(), { count: 1, oldestLine: 2, oldestUsedAtMs: usedAt, oldestAgeMs: 60_000 })
  log.sign(2, 'custodian', custodian)
  const page = log.page(1), html = bookPageHtml({ title: '影音應用紀錄簿', page })
  t.match(html, /<tr class="struck"><td>1<\/td>.*已由第 2 行更正/)
  t.match(html, /<tr><td>2<\/td>.*更正第 1 行：姓名誤植/)
  t.match(html, /王曉明&#60;b&#62;/)
  t.match(html, /☑陪同閱覽 □複製 □提供檢調 □其他<\/td><td class="sign">人員chen<br><small>民國115年11月22日<\/small><\/td><td class="sign"><\/td>/, 'the head has still to sign with a pen')
  t.equal(html.match(/<tr><td><\/td>/g)?.length, 12, 'fourteen lines a page')
  t.equal((await desk.book.reconciler.run()).orphans.length, 0)
})

t.test('page numbers run on; the hash of a page stays when its lines are signed or corrected later', async t => {
  const desk = new Desk(t), { log } = desk.book, { custodian } = await desk.people()
  for (let i = 0; i < 16; i++) desk.use({}, { object: `s${i}` })
  const { sha256 } = log.page(1)
  t.same([log.pages(), log.page(1).isFull, log.page(1).lines.length, log.page(2).isFull, log.page(2).lines.map(({ line }) => line.line)], [2, true, 14, false, [15, 16]])
  log.correct(3, wording(), '誤植', custodian)
  log.sign(4, 'custodian', custodian)
  t.equal(log.page(1).sha256, sha256)
  t.not(log.page(2).sha256, sha256)
  desk.unguard()
  desk.office.db.exec('UPDATE book_line SET used_at = used_at + 60000 WHERE line = 5')
  t.not(log.page(1).sha256, sha256)
  t.match(bookPageHtml({ title: '影音應用紀錄簿', page: log.page(9) }), /年　月　日/, 'a blank form')
})

t.test('names are found by any part of them, however short', t => {
  const desk = new Desk(t), { log } = desk.book
  const names = ['王小明', '陳王小', '歐陽娜娜', 'Wang Hsiao-Ming', '𠮷田一郎', '小王']
  for (const [i, applicant] of names.entries()) desk.use({ applicant, persons: [], matter: i % 2 === 0 ? '竊盜案' : '遺失物', unit: '' }, { object: `s${i}` })
  desk.use({ applicant: '警員', persons: [{ name: '警員', part: 'applicant' }, { name: '王小明', part: 'receiver' }], unit: '' })
  const who = (part: string) => log.search({ who: part, limit: 50 }).lines.map(({ line }) => line.line)
  t.same(who('小明'), [7, 1])
  t.same(who('王小'), [7, 2, 1])
  t.same(who('王'), [7, 6, 2, 1])
  t.same(who('明'), [7, 1], 'also the last character')
  t.same(who('王小明'), [7, 1])
  t.same(who('ＨＳＩＡＯ'), [4])
  t.same(who('g h'), [4], 'blanks do not count')
  t.same(who('𠮷田'), [5])
  t.same(who('"小" OR *'), [], 'no query language')
  t.same(log.search({ who: '王小', matter: '竊盜' }).lines.map(({ line }) => line.line), [7, 1])
  t.same(log.disclosuresTo('王 小明').map(({ line }) => line.line), [7, 1], 'per person: who saw or received')
  t.end()
})

t.test('a search by words finds what looking through all lines finds', t => {
  const char = fc.constantFrom('王', '小', '明', 'a', 'B', ' ', '-')
  const text = fc.array(char, { minLength: 1, maxLength: 6 }).map(chars => chars.join('')).filter(name => name.trim() !== '')
  fc.assert(fc.property(fc.array(text, { minLength: 1, maxLength: 8 }), fc.array(char, { minLength: 1, maxLength: 3 }).map(chars => chars.join('')).filter(part => part.trim() !== ''), (names, part) => {
    const owner: (() => unknown)[] = []
    try {
      const desk = new Desk({ teardown: work => { owner.push(work) } })
      for (const [i, applicant] of names.entries()) desk.use({ applicant, persons: [], unit: '' }, { object: `s${i}` })
      const plain = (name: string) => name.replace(/\s/g, '').toLowerCase()
      const wanted = names.flatMap((name, i) => plain(name).includes(plain(part)) ? [i + 1] : []).reverse()
      return JSON.stringify(desk.book.log.search({ who: part, limit: 50 }).lines.map(({ line }) => line.line)) === JSON.stringify(wanted)
    } finally { for (const work of owner) work() }
  }), { numRuns: 60 })
  t.end()
})

t.test('the book never loses or renumbers a line, whatever is entered, corrected, refused or rolled back', async t => {
  const desk = new Desk(t), { log } = desk.book, { custodian } = await desk.people()
  const seen: { readonly sha256: string, readonly text: string }[] = []
  const act = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('use' as const), isCopy: fc.boolean() }) }, { weight: 2, arbitrary: fc.record({ kind: fc.constant('rollback' as const) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('correct' as const), line: fc.nat(40) }) }, { weight: 1, arbitrary: fc.record({ kind: fc.constant('bad' as const) }) },
  )
  fc.assert(fc.property(fc.array(act, { maxLength: 8 }), acts => {
    for (const each of acts) {
      const before = log.last()
      let wanted = before
      try {
        if (each.kind === 'use') { wanted = before + 1; desk.use({}, { isCopy: each.isCopy }) }
        else if (each.kind === 'rollback') desk.office.audit.transaction(() => { desk.use(); throw new Error('the player failed') })
        else if (each.kind === 'bad') desk.use({ matter: '' })
        else { const old = log.get(each.line); if (old !== null && old.struckBy === null && old.line.act === 'view') wanted = before + 1; log.correct(each.line, wording({ matter: `更正${before}` }), '誤植', custodian) }
      } catch (error) { if (wanted !== before) throw error }
      if (log.last() !== wanted) return false
      if (wanted > before) { const { line } = log.get(wanted)!; seen.push({ sha256: line.sha256, text: JSON.stringify(line) }) }
    }
    return seen.every(({ sha256, text }, i) => { const { line } = log.get(i + 1)!; return line.line === i + 1 && lineHash(line) === sha256 && JSON.stringify(line) === text })
  }), { numRuns: 60 })
  t.equal(log.last(), seen.length)
  t.same((await desk.book.reconciler.run()).orphans, [])
})

t.test('pages of a search come without a hole and without a line twice', t => {
  const desk = new Desk(t), { log } = desk.book
  desk.papers.approve('115-調-0002')
  for (let i = 0; i < 45; i++) {
    desk.use({ application: i % 3 === 0 ? '115-調-0002' : CASE }, { object: `s${i}`, isCopy: i % 2 === 0 })
    if (i % 5 !== 0) desk.office.pass(DAY_MS)
    if (i % 20 === 19) desk.office.clock.stepWall(-10 * DAY_MS)
  }
  for (const search of [{}, { who: '小明' }, { application: '115-調-0002' }, { use: 'copied' as const }, { use: 'copied' as const, matter: '竊盜', application: CASE }, { isUnsigned: true }, { isUnsigned: true, who: '王' }]) {
    const got: number[] = []
    for (let page = log.search({ ...search, limit: 7 }); ; page = log.search({ ...search, limit: 7, after: page.next })) {
      got.push(...page.lines.map(({ line }) => line.line))
      if (page.next === null) break
    }
    const wanted = Array.from({ length: 45 }, (_, i) => log.get(i + 1)!.line).filter(line =>
      (search.application === undefined || line.application === search.application) && (search.use === undefined || line.uses.copied)).map(({ line }) => line)
    t.same([...got].sort((a, b) => a - b), wanted, JSON.stringify(search))
  }
  const { line: middle } = log.get(20)!
  const range = { fromAt: middle.usedAt - 2 * DAY_MS, toAt: middle.usedAt + DAY_MS }
  const inside = Array.from({ length: 45 }, (_, i) => log.get(i + 1)!.line).filter(({ usedAt }) => usedAt >= range.fromAt && usedAt < range.toAt).map(({ line }) => line)
  t.same(log.search({ ...range, limit: 50 }).lines.map(({ line }) => line.line).sort((a, b) => a - b), inside)
  t.same(log.search({ ...range, who: '王', limit: 50 }).lines.map(({ line }) => line.line).sort((a, b) => a - b), inside)
  t.end()
})
