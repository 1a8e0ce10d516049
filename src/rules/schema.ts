import Type from 'typebox'
import type { Note } from '../config/index.ts'
import { NAME_PATTERN } from '../domain/index.ts'
import { ruleTexts } from './rule-texts.ts'

/** Bounds of a rule set; each far above any office's. */
export const RULE_LIMITS = { titleChars: 200, wordingChars: 4000, fields: 40, list: 64, days: 3660, rules: 64 } as const

/** Who applies (R26). The words are stored with every application; keep them. */
export const APPLICANT_CLASSES = ['agency', 'data-subject', 'interested-party', 'staff'] as const
export type ApplicantClass = (typeof APPLICANT_CLASSES)[number]
/** □調閱 □複製 申請保存. */
export const REQUEST_ACTS = ['view', 'copy', 'preserve'] as const
export type RequestAct = (typeof REQUEST_ACTS)[number]
const FORM_USES = ['check', 'request', 'book'] as const
const FIELD_KINDS = ['text', 'long-text', 'phone', 'id-number', 'date', 'date-time', 'yes-no', 'options', 'attachments', 'ranges', 'cameras', 'seal', 'signature', 'stamp'] as const
/** What a field is to the program, whatever its label says. */
const FIELD_MEANINGS = ['applicant', 'agency', 'id-number', 'relation', 'legal-basis', 'purpose', 'matter'] as const
const FIELD_OWNERS = ['case', 'applicant', 'agent'] as const

const closed = <Extra extends Note>(note: Extra) => ({ additionalProperties: false, ...note }) as const
const lineOf = (maxChars: number) => new RegExp(`^(?=.*\\S)[^\\p{Cc}\\p{Cs}\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069]{1,${maxChars}}$`, 'u')
const wordingOf = (maxChars: number) => new RegExp(`^(?=[^]*\\S)(?:\\n|[^\\p{Cc}\\p{Cs}\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069]){1,${maxChars}}$`, 'u')

const id = (example: string) => Type.String({ pattern: NAME_PATTERN, expect: ruleTexts.id, example, quotable: true } satisfies Note & { pattern: RegExp })
const line = (example: string) => Type.String({ pattern: lineOf(RULE_LIMITS.titleChars), expect: ruleTexts.sentence(RULE_LIMITS.titleChars), example, quotable: true } satisfies Note & { pattern: RegExp })
const wording = (example: string) => Type.String({ pattern: wordingOf(RULE_LIMITS.wordingChars), expect: ruleTexts.wording(RULE_LIMITS.wordingChars), example, quotable: true } satisfies Note & { pattern: RegExp })
const whole = (minimum: number, maximum: number, example: number) => Type.Integer({ minimum, maximum, expect: ruleTexts.number(minimum, maximum), example: String(example) } satisfies Note & { minimum: number, maximum: number })
const yesNo = (example: 'true' | 'false') => Type.Boolean({ expect: ruleTexts.trueOrFalse, example } satisfies Note)
const rocDate = (example: string) => Type.String({ pattern: /^\d{3}-\d{2}-\d{2}$/, expect: ruleTexts.rocDate, example, quotable: true } satisfies Note & { pattern: RegExp })
const oneOf = <const Words extends readonly string[]>(words: Words, example: Words[number]) =>
  Type.Unsafe<Words[number]>(Type.Union(words.map(word => Type.Literal(word)), { expect: ruleTexts.oneOf(words), example } satisfies Note))
const list = <Item extends Type.TSchema>(item: Item, { min = 1, max = RULE_LIMITS.list, example }: { min?: number, max?: number, example: string }) =>
  Type.Array(item, { minItems: min, maxItems: max, expect: ruleTexts.list(min, max), example } satisfies Note & { minItems: number, maxItems: number })
const both = (zh: string, en: string) => Type.Object({ zh: wording(zh), en: wording(en) }, closed({ example: `{ zh: ${zh}, en: ${en} }` }))
/** Exactly one of its keys; meaning.ts checks that. */
const period = (example: string) => Type.Object({
  days: Type.Optional(whole(1, RULE_LIMITS.days, 15)), weeks: Type.Optional(whole(1, 520, 2)), months: Type.Optional(whole(1, 120, 1)), years: Type.Optional(whole(1, 10, 1)),
}, { ...closed({ example }), expect: ruleTexts.period })

const Field = Type.Object({
  id: id('phone'), label: line('聯絡電話'), en: line('phone'), kind: oneOf(FIELD_KINDS, 'text'),
  of: Type.Optional(oneOf(FIELD_OWNERS, 'case')), means: Type.Optional(oneOf(FIELD_MEANINGS, 'purpose')),
  required: Type.Optional(yesNo('true')), maxChars: Type.Optional(whole(1, 4000, 200)), options: Type.Optional(list(line('陪同閱覽'), { example: '[陪同閱覽, 複製]' })),
  uncertain: Type.Optional(line('欄名於原文中缺漏')),
}, closed({ example: '{ id: phone, label: 聯絡電話, en: phone, kind: phone }' }))

const Form = Type.Object({
  id: id('form-2'), annex: line('附件2'), use: oneOf(FORM_USES, 'request'), title: line('調閱申請書'), otherTitles: Type.Optional(list(line('調閱紀錄表'), { example: '[調閱紀錄表]' })),
  orientation: oneOf(['portrait', 'landscape'], 'portrait'), linesPerPage: whole(1, 60, 1),
  applicants: Type.Optional(list(oneOf(APPLICANT_CLASSES, 'agency'), { max: APPLICANT_CLASSES.length, example: '[agency]' })),
  acts: Type.Optional(list(oneOf(REQUEST_ACTS, 'view'), { max: REQUEST_ACTS.length, example: '[view]' })),
  chain: Type.Optional(id('outside')), deadline: Type.Optional(id('access')), statement: Type.Optional(id('secrecy')),
  receivedBy: Type.Optional(list(id('clerk'), { example: '[clerk]' })),
  fields: list(Field, { max: RULE_LIMITS.fields, example: '[ { id: phone, label: 聯絡電話, en: phone, kind: phone } ]' }),
}, closed({ example: '{ id: form-2, annex: 附件2, … }' }))

const Chain = Type.Object({
  id: id('outside'), name: line('公務機關及民眾'), refusalEnds: oneOf(['any-step', 'last-step'], 'last-step'),
  distinctSigners: whole(1, 12, 3), lastSignsOnce: yesNo('true'),
  steps: list(Type.Object({ post: id('chief') }, closed({ example: '{ post: chief }' })), { max: 12, example: '[ { post: clerk }, { post: director } ]' }),
}, closed({ example: '{ id: outside, … }' }))

const Deadline = Type.Object({
  id: id('access'), name: line('查閱申請之准駁'), basis: line('個人資料保護法第13條第1項'), period: period('{ days: 15 }'), extension: Type.Optional(period('{ days: 15 }')),
}, closed({ example: '{ id: access, … }' }))

/** One version of an office's rule as its file says it (R1): the shape only; meaning.ts checks what the parts say of each other. */
export const RuleSetSchema = Type.Object({
  id: id('xinyi-113-09-30'), version: whole(1, 9999, 1), effective: rocDate('113-09-30'), title: line('錄影監視系統管理作業規定'),
  history: Type.Optional(list(line('102年5月13日訂定'), { example: '[102年5月13日訂定]' })),
  office: Type.Object({ name: line('臺北市信義區戶政事務所'), self: line('本所') }, closed({ example: '{ name: 臺北市信義區戶政事務所, self: 本所 }' })),
  articles: list(Type.Object({ number: line('一'), text: wording('…') }, closed({ example: '{ number: 一, text: … }' })), { example: '[ { number: 一, text: … } ]' }),
  roles: list(Type.Object({ id: id('custodian'), name: line('管理人員'), en: line('custodian') }, closed({ example: '{ id: custodian, name: 管理人員, en: custodian }' })), { example: '[ { id: custodian, name: 管理人員, en: custodian } ]' }),
  posts: list(Type.Object({
    id: id('chief'), name: line('課長'), en: line('section chief'), role: id('approver'), ofApplicantsUnit: Type.Optional(yesNo('true')),
  }, closed({ example: '{ id: chief, name: 課長, en: section chief, role: approver }' })), { example: '[ { id: chief, … } ]' }),
  combining: Type.Object({
    apart: list(Type.Object({ roles: list(id('auditor'), { min: 2, max: 2, example: '[auditor, clerk]' }), because: both('稽核應獨立', 'an auditor is independent') }, closed({ example: '{ roles: [auditor, clerk], because: … }' })), { min: 0, example: '[]' }),
  }, closed({ example: '{ apart: [] }' })),
  chains: list(Chain, { example: '[ { id: outside, … } ]' }),
  retention: Type.Object({
    floor: period('{ months: 1 }'), archive: period('{ years: 1 }'), archiveFrom: oneOf(['copied', 'recorded'], 'copied'), basis: line('作業規定第五點'),
  }, closed({ example: '{ floor: { months: 1 }, archive: { years: 1 }, archiveFrom: copied, basis: 作業規定第五點 }' })),
  deadlines: list(Deadline, { example: '[ { id: access, … } ]' }),
  grant: Type.Object({ days: whole(1, 366, 7), maxDays: whole(1, 366, 30), place: line('本所調閱室') }, closed({ example: '{ days: 7, maxDays: 30, place: 本所調閱室 }' })),
  numbering: Type.Object({ word: line('調'), digits: whole(1, 8, 4) }, closed({ example: '{ word: 調, digits: 4 }' })),
  agents: Type.Object({ most: whole(0, 3, 3), basis: line('行政程序法第24條') }, closed({ example: '{ most: 3, basis: 行政程序法第24條 }' })),
  forms: list(Form, { example: '[ { id: form-2, … } ]' }),
  statements: list(Type.Object({ id: id('secrecy'), title: line('聲明'), lines: list(wording('…'), { example: '[…]' }) }, closed({ example: '{ id: secrecy, … }' })), { example: '[ { id: secrecy, … } ]' }),
  grounds: list(Type.Object({ id: id('third-party'), name: line('妨害第三人之重大利益'), citation: line('個人資料保護法第10條但書第3款') }, closed({ example: '{ id: third-party, … }' })), { example: '[ { id: third-party, … } ]' }),
  notices: list(Type.Object({ id: id('refusal'), title: line('不予核准通知書'), text: wording('…') }, closed({ example: '{ id: refusal, … }' })), { example: '[ { id: refusal, … } ]' }),
  switches: Type.Object({ redactedCopyForParties: yesNo('false'), completionPausesDeadline: yesNo('true') }, closed({ example: '{ redactedCopyForParties: false, completionPausesDeadline: true }' })),
  toConfirm: Type.Optional(list(wording('請本所確認…'), { min: 0, example: '[]' })),
}, closed({ example: 'id: xinyi-113-09-30' }))

export type RawRuleSet = Type.Static<typeof RuleSetSchema>
