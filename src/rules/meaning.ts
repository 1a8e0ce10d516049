import type { Finding, ProblemText } from '../config/index.ts'
import { lastDayOf } from './period.ts'
import { parseRocDate } from './roc-date.ts'
import { ruleTexts } from './rule-texts.ts'
import { periodOf } from './rule-set.ts'
import type { RawRuleSet } from './schema.ts'
import { isSlot, SLOTS, slotsOf, type Slot } from './wording.ts'

type Section = keyof RawRuleSet
type Report = (steps: Finding['steps'], text: ProblemText, example: string) => void

/** Deadlines and notices the program asks for by name, and what each notice must say. */
const NEEDED_DEADLINES = ['completion', 'third-party']
const NEEDED_NOTICES: Readonly<Record<string, readonly Slot[]>> = {
  remedy: [], completion: ['案號', '補正事項', '期限'], extension: ['案號', '延長期限', '理由'], approval: ['案號', '核准範圍', '有效期限', '調閱處所'],
  refusal: ['案號', '理由', '法令依據', '救濟教示'], 'third-party': ['案號', '期限'], preservation: ['案號', '存檔編號', '雜湊值', '到期日'],
}
/** Roles the program's own rules speak of; an office may have more. */
const NEEDED_ROLES = ['system-admin', 'custodian', 'clerk', 'approver', 'checker', 'auditor', 'records', 'vendor']
/** Any day will do: only lengths are compared. */
const SAMPLE_DAY = Temporal.PlainDate.from('2026-01-15')

interface Known { readonly id: string }
const unique = (section: Section, items: readonly Known[], report: Report, prefix: Finding['steps'] = [section]): void => {
  const seen = new Set<string>()
  items.forEach(({ id }, index) => { if (seen.has(id)) report([...prefix, index, 'id'], ruleTexts.idTwice(id), `${id}-2`); seen.add(id) })
}
function known(kind: string, id: string | undefined, items: readonly Known[], steps: Finding['steps'], report: Report): void {
  const ids = items.map(item => item.id)
  if (id !== undefined && !ids.includes(id)) report(steps, ruleTexts.unknown(kind, id, ids), ids[0] ?? kind)
}

/** Each check with the sections it reads; it is left out while one of them has the wrong shape. */
const CHECKS: readonly { readonly needs: readonly Section[], readonly check: (rules: RawRuleSet, report: Report) => void }[] = [
  { needs: ['effective'], check: ({ effective }, report) => { if (!parseRocDate(effective).ok) report(['effective'], ruleTexts.rocDate, '113-09-30') } },
  ...(['roles', 'posts', 'chains', 'deadlines', 'forms', 'statements', 'grounds', 'notices'] as const).map(section =>
    ({ needs: [section], check: (rules: RawRuleSet, report: Report) => unique(section, rules[section], report) })),
  { needs: ['roles'], check: ({ roles }, report) => { for (const id of NEEDED_ROLES) if (!roles.some(role => role.id === id)) report(['roles'], ruleTexts.roleMissing(id), `{ id: ${id}, name: …, en: … }`) } },
  { needs: ['roles', 'posts'], check: ({ roles, posts }, report) => posts.forEach((post, index) => known('role', post.role, roles, ['posts', index, 'role'], report)) },
  { needs: ['roles', 'combining'], check: ({ roles, combining }, report) => combining.apart.forEach(({ roles: pair }, index) => {
    pair.forEach((role, at) => known('role', role, roles, ['combining', 'apart', index, 'roles', at], report))
    if (pair[0] === pair[1]) report(['combining', 'apart', index, 'roles'], ruleTexts.apartSelf, '[auditor, clerk]')
  }) },
  { needs: ['posts', 'chains'], check: ({ posts, chains }, report) => chains.forEach((chain, index) => {
    chain.steps.forEach((step, at) => known('post', step.post, posts, ['chains', index, 'steps', at, 'post'], report))
    const last = chain.steps.length - 1
    if (chain.steps.findIndex(step => step.post === chain.steps[last]!.post) !== last) report(['chains', index, 'steps', last, 'post'], ruleTexts.lastPost, 'director')
    if (chain.distinctSigners > chain.steps.length) report(['chains', index, 'distinctSigners'], ruleTexts.tooManySigners(chain.steps.length), String(chain.steps.length))
  }) },
  { needs: ['retention'], check: ({ retention }, report) => {
    const sound = (['floor', 'archive'] as const).filter(key => onePeriod(retention[key], ['retention', key], report))
    if (sound.includes('floor') && Temporal.PlainDate.compare(lastDayOf(periodOf(retention.floor), SAMPLE_DAY), SAMPLE_DAY.add({ months: 1 })) < 0) report(['retention', 'floor'], ruleTexts.floorShort, '{ months: 1 }')
  } },
  { needs: ['deadlines'], check: ({ deadlines }, report) => {
    deadlines.forEach(({ period, extension }, index) => {
      onePeriod(period, ['deadlines', index, 'period'], report)
      if (extension !== undefined) onePeriod(extension, ['deadlines', index, 'extension'], report)
    })
    for (const id of NEEDED_DEADLINES) if (!deadlines.some(deadline => deadline.id === id)) report(['deadlines'], ruleTexts.deadlineMissing(id), `{ id: ${id}, name: …, basis: …, period: { days: 7 } }`)
  } },
  { needs: ['grant'], check: ({ grant }, report) => { if (grant.days > grant.maxDays) report(['grant', 'days'], ruleTexts.grantDays, String(grant.maxDays)) } },
  { needs: ['switches'], check: ({ switches }, report) => { if (switches.redactedCopyForParties) report(['switches', 'redactedCopyForParties'], ruleTexts.redactedCopy, 'false') } },
  { needs: ['notices'], check: ({ notices }, report) => {
    notices.forEach(({ id, text }, index) => {
      const slots = slotsOf(text)
      for (const slot of slots) if (!isSlot(slot)) report(['notices', index, 'text'], ruleTexts.slot(slot, SLOTS), '{理由}')
      for (const slot of NEEDED_NOTICES[id] ?? []) if (!slots.includes(slot)) report(['notices', index, 'text'], ruleTexts.slotMissing(slot), `{${slot}}`)
    })
    for (const id of Object.keys(NEEDED_NOTICES)) if (!notices.some(notice => notice.id === id)) report(['notices'], ruleTexts.noticeMissing(id), `{ id: ${id}, title: …, text: … }`)
  } },
  { needs: ['forms'], check: checkForms },
  ...([['chain', 'chains'], ['deadline', 'deadlines'], ['statement', 'statements']] as const).map(([key, section]) => ({ needs: ['forms', section], check: (rules: RawRuleSet, report: Report) =>
    rules.forms.forEach((form, index) => known(key, form[key], rules[section], ['forms', index, key], report)) } as const)),
  { needs: ['forms', 'roles'], check: ({ forms, roles }, report) => forms.forEach((form, index) =>
    form.receivedBy?.forEach((role, of) => known('role', role, roles, ['forms', index, 'receivedBy', of], report))) },
]

function onePeriod(raw: Record<string, unknown>, steps: Finding['steps'], report: Report): boolean {
  const isOne = Object.keys(raw).length === 1
  if (!isOne) report(steps, ruleTexts.period, '{ days: 15 }')
  return isOne
}

const REQUEST_KEYS = ['applicants', 'acts', 'chain', 'receivedBy'] as const

function checkForms(rules: RawRuleSet, report: Report): void {
  for (const use of ['check', 'book'] as const) {
    const count = rules.forms.filter(form => form.use === use).length
    if (count !== 1) report(['forms'], ruleTexts.formUse(use, count), `use: ${use}`)
  }
  rules.forms.forEach((form, index) => {
    const at = (key: string): Finding['steps'] => ['forms', index, key]
    unique('forms', form.fields, report, at('fields'))
    form.fields.forEach((field, of) => { if ((field.kind === 'options') !== (field.options !== undefined)) report([...at('fields'), of, 'kind'], ruleTexts.optionsNeeded, 'options: [陪同閱覽, 複製]') })
    if (form.use !== 'request') {
      for (const key of [...REQUEST_KEYS, 'deadline', 'statement'] as const) if (form[key] !== undefined) report(at(key), ruleTexts.notForRequests(key), 'use: request')
      return
    }
    for (const key of REQUEST_KEYS) if (form[key] === undefined) report(at(key), ruleTexts.requestNeeds(key), `${key}: …`)
    const copyAt = form.acts?.indexOf('copy') ?? -1
    // R30 stands in the program too; here it is told while the file is written.
    if (copyAt >= 0 && form.applicants?.some(applicant => applicant !== 'agency')) report([...at('acts'), copyAt], ruleTexts.copyForParties, 'acts: [view]')
    const means = form.fields.map(field => field.means)
    for (const needed of ['applicant', ...(form.applicants?.includes('agency') ? ['agency', 'legal-basis'] as const : [])] as const) {
      if (!means.includes(needed)) report(at('fields'), ruleTexts.fieldNeeded(needed), `{ id: …, label: …, en: …, kind: text, means: ${needed} }`)
    }
  })
}

/** What the parts of a rule set say of each other. `wrong` names the sections whose shape is wrong already: what reads them is not asked. */
export function checkMeaning(rules: RawRuleSet, wrong: ReadonlySet<string>): readonly Finding[] {
  const findings: Finding[] = []
  for (const { needs, check } of CHECKS) if (!needs.some(section => wrong.has(section))) check(rules, (steps, text, example) => findings.push({ steps, text, example }))
  return findings
}
