import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { checkShapeOf, isMapping, parseYaml, ProblemList, readTextFile, type Problem } from '../config/index.ts'
import { checkMeaning } from './meaning.ts'
import { parseRocDate } from './roc-date.ts'
import { ruleTexts } from './rule-texts.ts'
import { refName, RuleSet } from './rule-set.ts'
import { RULE_LIMITS, RuleSetSchema, type RawRuleSet } from './schema.ts'
import { RuleShelf } from './shelf.ts'

export type RuleSetResult = { readonly ok: true, readonly ruleSet: RuleSet } | { readonly ok: false, readonly problems: readonly Problem[] }
export type RuleShelfResult = { readonly ok: true, readonly shelf: RuleShelf } | { readonly ok: false, readonly problems: readonly Problem[] }

/** The folder of rule sets that came with this release. */
export const SHIPPED_RULE_SETS = resolve(import.meta.dirname, '../../config/rule-sets')

const EXAMPLE = 'id: xinyi-113-09-30'

function deepFreeze(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  for (const inside of Object.values(value)) deepFreeze(inside)
  Object.freeze(value)
}

/** One file: every problem of shape and meaning at once, each with its line. Throws nothing for what is wrong with the file. */
export async function loadRuleSet(path: string): Promise<RuleSetResult> {
  const file = resolve(path)
  const source = await readTextFile(file)
  const bare = new ProblemList(file)
  if (!source.ok) {
    bare.add({ steps: [], text: source.fault.text, example: source.fault.example })
    return { ok: false, problems: bare.all() }
  }
  // The record keeps the hash of the very bytes, as `sha256sum` prints it: a mark that editors hide would make two of one text.
  if (source.byteOrderMark) bare.add({ steps: [], position: { line: 1, column: 1 }, text: ruleTexts.byteOrderMark, example: EXAMPLE })
  const yaml = parseYaml(source.text)
  const problems = new ProblemList(file, yaml.locate)
  const failed = (): RuleSetResult => ({ ok: false, problems: [...bare.all(), ...problems.all()] })
  for (const fault of yaml.faults) problems.add(fault)
  if (yaml.value === undefined) return failed()
  if (!isMapping(yaml.value)) {
    problems.add({ steps: [], position: null, text: ruleTexts.fileForm, example: EXAMPLE })
    return failed()
  }
  const { findings } = checkShapeOf(RuleSetSchema, yaml.value)
  for (const finding of findings) problems.add(finding)
  const wrong = new Set(findings.map(finding => String(finding.steps[0])))
  const raw = yaml.value as unknown as RawRuleSet // the sections in `wrong` are not what the type says; checkMeaning leaves them alone
  for (const finding of checkMeaning(raw, wrong)) problems.add(finding)
  const effective = wrong.has('effective') ? null : parseRocDate(raw.effective)
  if (bare.hasErrors || problems.hasErrors || effective?.ok !== true) return failed()
  deepFreeze(raw)
  return { ok: true, ruleSet: new RuleSet(raw, { sha256: createHash('sha256').update(source.text).digest('hex'), effective: effective.date }) }
}

/** Every `*.yaml` of a folder: old versions stay beside the new one, for the records made under them (R45). All problems of all files at once. */
export async function loadRuleShelf(folder: string): Promise<RuleShelfResult> {
  const place = resolve(folder)
  const problems = new ProblemList(place)
  const failed = (): RuleShelfResult => ({ ok: false, problems: problems.all() })
  let names: readonly string[]
  try {
    names = (await readdir(place)).filter(name => name.endsWith('.yaml') && !name.startsWith('.')).sort()
  } catch { // missing, not a folder, or not ours to read: the example shows which
    problems.add({ steps: [], text: ruleTexts.folderUnreadable, example: `ls -ld ${basename(place)}` })
    return failed()
  }
  if (names.length > RULE_LIMITS.rules) problems.add({ steps: [], text: ruleTexts.tooManyFiles(RULE_LIMITS.rules), example: 'xinyi-113-09-30.yaml' })
  if (names.length === 0) problems.add({ steps: [], text: ruleTexts.fileMissing, example: 'xinyi-113-09-30.yaml' })
  if (problems.hasErrors) return failed()
  const results: RuleSetResult[] = []
  for (const name of names) results.push(await loadRuleSet(join(place, name)))
  const found = results.flatMap(result => result.ok ? [result.ruleSet] : [])
  found.forEach((ruleSet, index) => {
    if (found.findIndex(other => other.ref.name === ruleSet.ref.name) !== index) problems.add({ steps: [], text: ruleTexts.versionTwice(ruleSet.ref.name), example: refName(ruleSet.rules.id, ruleSet.rules.version + 1) })
  })
  const all = [...results.flatMap(result => result.ok ? [] : result.problems), ...problems.all()]
  return all.length > 0 ? { ok: false, problems: all } : { ok: true, shelf: new RuleShelf(found) }
}
