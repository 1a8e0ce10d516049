import fc from 'fast-check'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { copyFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { fillWording, loadRuleSet, loadRuleShelf, type RuleSetResult } from '../../src/rules/index.ts'
import { day, loadText, RULE_SETS, SHIPPED, shippedRules, shippedText } from './support.ts'

const codes = (result: RuleSetResult): readonly string[] => result.ok ? ['ok'] : result.problems.map(problem => `${problem.code} ${problem.path}`)
/** The shipped file with one thing changed; the change must be there to be made. */
function changed(from: string | RegExp, to: string): string {
  const text = shippedText().replace(from, to)
  if (text === shippedText()) throw new Error(`nothing to change: ${String(from)}`)
  return text
}

t.test('the shipped rule set is the office\'s rule', async t => {
  const rules = await shippedRules()
  t.equal(rules.ref.name, 'xinyi-113-09-30@1')
  t.equal(rules.ref.sha256, createHash('sha256').update(readFileSync(SHIPPED)).digest('hex'), 'what sha256sum prints')
  t.equal(rules.effective.toString(), '2024-09-30')
  t.same(rules.rules.articles.map(article => article.number).join(''), '一二三四五六七八九')
  t.same(rules.chain('outside').steps.map(step => rules.post(step.post).name), ['承辦人', '課長', '秘書', '主任'], 'R29')
  t.same(rules.chain('inside').steps.map(step => rules.post(step.post).name), ['申請單位主管', '管理單位承辦人', '管理單位主管'], 'R37')
  t.same(rules.requestForm('form-2')?.acts, ['view', 'copy', 'preserve'])
  t.same(rules.requestForm('form-3')?.acts, ['view', 'preserve'], 'no 複製 box (R30)')
  t.same(rules.requestForm('form-4')?.acts, ['view'])
  t.equal(rules.requestForm('form-5'), null, 'nobody applies with the log book')
  t.same(rules.form('form-5').fields.find(field => field.id === 'applied-as')?.options, ['陪同閱覽', '複製', '提供檢調', '其他'], 'R41')
  t.same([rules.floor, rules.archive], [{ months: 1 }, { period: { years: 1 }, from: 'copied' }])
  t.equal(rules.rules.switches.redactedCopyForParties, false, 'R59 is off')
  t.match(rules.statement('secrecy').lines.join(''), /刑事訴訟法.*保密責任.*不得以任何形式攜出.*法律責任/)
  t.throws(() => { (rules.rules.grant as { days: number }).days = 365 }, TypeError, 'it cannot be changed in memory')
  t.throws(() => rules.chain('nowhere'), RangeError)
})

t.test('labels stand on the forms in the order of the paper', async t => {
  const rules = await shippedRules()
  const labels = (form: string): string => rules.form(form).fields.map(field => field.label).join(' ')
  t.equal(labels('form-2'), '申請日期 申請機關 申請人（代理人） 代理人 機關用印 聯絡電話 法令（公文）依據 調閱目的 範圍及用途 附繳文件 調閱時段 調閱鏡頭位址')
  t.equal(labels('form-3'), '申請日期 申請人 身分證字號 聯絡地址 聯絡電話 代理人 身分證字號 聯絡地址 聯絡電話 代理人與申請人關係 申請事由 附繳文件 調閱時段 調閱鏡頭位址 申請人（或代理人）簽名或蓋章')
  t.equal(labels('form-5'), '日期時間 申請人 案由 應用情形 簽章：管理人員 簽章：主管')
})

t.test('names every mistake at once, with its line', async t => {
  const text = changed('version: 1', 'version: 0').replace('chain: inside', 'chain: outsidee').replace('archiveFrom: copied', 'archiveFrom: today').replace('post: director', 'post: directr').replace('name: 稽核,', 'nam: 稽核,')
  const result = await loadText(t, text)
  t.same(codes(result).toSorted(), ['missing roles[5].name', 'rule-number version', 'rule-one-of retention.archiveFrom', 'rule-unknown chains[0].steps[3].post', 'rule-unknown forms[3].chain', 'unknown-key roles[5].nam'].toSorted())
  const lines = text.split('\n')
  for (const problem of result.ok ? [] : result.problems) {
    t.match(lines[(problem.line ?? 0) - 1], problem.path.endsWith('chain') ? /outsidee/ : /version|稽核|archiveFrom|directr/, problem.path)
    t.not(problem.example, '')
  }
})

t.test('refuses a rule set that would break what the program promises', async t => {
  const cases: readonly (readonly [string, string | RegExp, string, string])[] = [
    ['a copy for parties', 'acts: [view, preserve]', 'acts: [view, copy, preserve]', 'rule-copy-for-parties forms[2].acts[1]'],
    ['a copy for staff', 'acts: [view]\n', 'acts: [view, copy]\n', 'rule-copy-for-parties forms[3].acts[1]'],
    ['parties on the agencies\' form', 'applicants: [agency]', 'applicants: [agency, data-subject]', 'rule-copy-for-parties forms[1].acts[1]'],
    ['redacted copies', 'redactedCopyForParties: false', 'redactedCopyForParties: true', 'rule-redacted-copy switches.redactedCopyForParties'],
    ['a floor below a month', 'floor: { months: 1 }', 'floor: { days: 30 }', 'rule-floor retention.floor'],
    ['two units in one period', 'floor: { months: 1 }', 'floor: { months: 1, days: 1 }', 'rule-period retention.floor'],
    ['no unit', 'archive: { years: 1 }', 'archive: {}', 'rule-period retention.archive'],
    ['a decider who signs earlier too', '{ post: secretary }, { post: director }', '{ post: director }, { post: director }', 'rule-last-post chains[0].steps[3].post'],
    ['more signers than steps', 'distinctSigners: 3', 'distinctSigners: 5', 'rule-signers chains[0].distinctSigners'],
    ['a form without its chain', '    chain: inside\n', '', 'rule-request-needs forms[3].chain'],
    ['acts on the log book', '    use: book\n', '    use: book\n    acts: [view]\n', 'rule-not-for-requests forms[4].acts'],
    ['no log book', 'use: book', 'use: check', 'rule-form-use forms'],
    ['a notice without how to appeal', '救濟教示：{救濟教示}', '', 'rule-slot-missing notices[3].text'],
    ['a slot nobody fills', '{救濟教示}', '{救濟教示}{主任手機}', 'rule-slot notices[3].text'],
    ['a missing notice', 'id: third-party\n    title', 'id: third\n    title', 'rule-notice-missing notices'],
    ['a missing deadline', 'id: completion, name: 補正', 'id: complete, name: 補正', 'rule-deadline-missing deadlines'],
    ['a missing role', 'id: vendor, name', 'id: seller, name', 'rule-role-missing roles'],
    ['an id twice', 'id: secretary, name', 'id: chief, name', 'rule-id-twice posts[2].id'],
    ['a role apart from itself', 'roles: [system-admin, auditor]', 'roles: [auditor, auditor]', 'rule-apart-self combining.apart[3].roles'],
    ['a longer default than allowed', 'grant: { days: 7', 'grant: { days: 31', 'rule-grant-days grant.days'],
    ['a date that is none', 'effective: 113-09-30', 'effective: 113-02-30', 'rule-date effective'],
    ['a western date', 'effective: 113-09-30', 'effective: 2024-09-30', 'rule-date effective'],
    ['four agents', 'agents: { most: 3', 'agents: { most: 4', 'rule-number agents.most'],
    ['options without any', ', options: [陪同閱覽, 複製, 提供檢調, 其他]', '', 'rule-options forms[4].fields[3].kind'],
    ['an agency form without a legal basis', ', means: legal-basis', '', 'rule-field-needed forms[1].fields'],
    ['a byte order mark', /^/, '\uFEFF', 'rule-set-bom '],
    ['a list', /^[^]*$/, '- a\n', 'rule-set-form '],
    ['broken YAML', 'grant: {', 'grant: {{', 'yaml-'],
  ]
  for (const [what, from, to, code] of cases) t.ok(codes(await loadText(t, changed(from, to))).some(found => found.startsWith(code.trimEnd())), `${what}: ${code}`)
})

t.test('whatever a hand does to the file, it is loaded whole or refused with words', async t => {
  const lines = shippedText().split('\n')
  const edit = fc.tuple(fc.nat(lines.length - 1), fc.oneof(fc.constant(''), fc.constantFrom('  - { id: x }', 'roles: 3', 'forms:', '  text: |', 'x: [', '- 1', 'chains: []', 'deadlines: [null]', 'notices: { a: b }')))
  await fc.assert(fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async edits => {
    const text = lines.map((line, at) => edits.find(([where]) => where === at)?.[1] ?? line).join('\n')
    const result = await loadText(t, text)
    return result.ok || (result.problems.length > 0 && result.problems.every(problem => problem.message.zh !== '' && problem.message.en !== ''))
  }), { numRuns: 150 })
  t.pass()
})

t.test('versions stand side by side; each case keeps its own', async t => {
  const folder = t.testdir({})
  await copyFile(SHIPPED, path.join(folder, 'xinyi-113-09-30.yaml'))
  await writeFile(path.join(folder, 'xinyi-115-01-01.yaml'), changed('effective: 113-09-30', 'effective: 115-01-01').replace('id: xinyi-113-09-30', 'id: xinyi-115-01-01'))
  await writeFile(path.join(folder, 'xinyi-113-09-30@2.yaml'), changed('version: 1', 'version: 2'))
  const result = await loadRuleShelf(folder)
  if (!result.ok) return t.fail(JSON.stringify(result.problems))
  const { shelf } = result
  t.equal(shelf.inForceOn(day('2024-09-29')), null, 'before the first')
  t.equal(shelf.inForceOn(day('2024-09-30'))?.ref.name, 'xinyi-113-09-30@2', 'of one date the highest version')
  t.equal(shelf.inForceOn(day('2025-12-31'))?.ref.name, 'xinyi-113-09-30@2')
  t.equal(shelf.inForceOn(day('2026-01-01'))?.ref.name, 'xinyi-115-01-01@1')
  const old = shelf.all.find(ruleSet => ruleSet.ref.name === 'xinyi-113-09-30@1')!
  t.equal(shelf.get(old.ref), old, 'a case of the old version finishes under it')
  t.throws(() => shelf.get({ ...old.ref, sha256: '0'.repeat(64) }), { code: 'CUSTOS_RULE_SET_CHANGED' })
  t.throws(() => shelf.get({ ...old.ref, name: 'xinyi-113-09-30@9' }), { code: 'CUSTOS_RULE_SET_MISSING' })
})

t.test('a folder is refused as a whole, with all problems of all files', async t => {
  const folder = t.testdir({})
  const found = async (): Promise<readonly string[]> => {
    const result = await loadRuleShelf(folder)
    return result.ok ? ['ok'] : result.problems.map(problem => problem.code)
  }
  t.same(await found(), ['rule-set-none'])
  await copyFile(SHIPPED, path.join(folder, 'a.yaml'))
  await copyFile(SHIPPED, path.join(folder, 'b.yaml'))
  t.same(await found(), ['rule-set-twice'])
  await writeFile(path.join(folder, 'b.yaml'), 'x: 1')
  t.ok((await found()).includes('unknown-key'))
  const missing = await loadRuleShelf(path.join(folder, 'nowhere'))
  t.match(missing, { ok: false, problems: [{ code: 'rule-set-folder' }] })
  t.match(await loadRuleSet(path.join(folder, 'c.yaml')), { ok: false, problems: [{ code: 'file-missing' }] })
  t.ok((await loadRuleShelf(RULE_SETS)).ok, 'the shipped folder')
})

t.test('a notice is filled whole or not at all', async t => {
  const rules = await shippedRules()
  t.equal(fillWording('案號：{案號}，{理由}', { 案號: '115-調-0001', 理由: '{案號}' }), '案號：115-調-0001，{案號}', 'braces inside a value stay')
  t.throws(() => fillWording(rules.notice('refusal').text, { 案號: '115-調-0001' }), /申請日期/)
  t.throws(() => fillWording('{toString}', {}), RangeError)
})

t.test('which roles one person may combine', async t => {
  const rules = await shippedRules()
  t.equal(rules.mayCombine(['clerk', 'custodian', 'staff']), null)
  t.equal(rules.mayCombine(['approver', 'auditor']), null, 'a small office has nobody else')
  t.match(rules.mayCombine(['system-admin', 'staff', 'custodian']), { zh: /系統管理.*管理人員.*不得開啟影像/, en: /accounts/ })
  t.match(rules.mayCombine(['vendor', 'staff']), { en: /vendor/ })
  t.match(rules.mayCombine(['root']), { zh: /沒有角色「root」/ })
  t.equal(rules.mayCombine([]), null)
})
