import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type ErrorCode, type Node, type ParsedNode, type Pair } from 'yaml'
import { LIMITS } from './defaults.ts'
import { keyText, type Finding, type Position, type Steps } from './problem.ts'
import { texts, type ProblemText } from './texts.ts'
import { isWithinBounds } from './yaml-bounds.ts'

/** `value` is undefined when the text is no YAML of ours; then `faults` says why. */
export interface YamlSource {
  readonly value: unknown
  readonly faults: readonly Finding[]
  /** Line and column of what the steps lead to, or of the nearest thing above it that exists. */
  locate(finding: Pick<Finding, 'steps' | 'at'>): Position | null
}

// The library's own words may quote the file, and so a secret: only its codes are used.
const FAULT_TEXTS: Partial<Record<ErrorCode, { text: ProblemText, example: string }>> = {
  TAB_AS_INDENT: { text: texts.yamlTab, example: 'site:\n  name: …' },
  BAD_INDENT: { text: texts.yamlIndent, example: 'site:\n    name: …\n    timezone: …' },
  MISSING_CHAR: { text: texts.yamlUnclosed, example: '{ id: disk1, path: /srv/custos/disk1 }' },
  BAD_DQ_ESCAPE: { text: texts.yamlEscape, example: `'…\\…'` },
  BAD_SCALAR_START: { text: texts.yamlReserved, example: '"@…"' },
  BLOCK_AS_IMPLICIT_KEY: { text: texts.yamlNestedKey, example: '"…: …"' },
  MULTIPLE_DOCS: { text: texts.yamlDocuments, example: '---' },
  TAG_RESOLVE_FAILED: { text: texts.yamlTag, example: '"!…"' },
  NON_STRING_KEY: { text: texts.yamlKey, example: 'name: …' },
}
const syntaxFault = (code: ErrorCode) => FAULT_TEXTS[code] ?? { text: texts.yamlSyntax, example: 'site: { name: …, timezone: Asia/Taipei }' }

const keyOf = (pair: Pair): string | null => isScalar(pair.key) ? String(pair.key.value) : null
const offsetOf = (node: unknown): number | null => (node as ParsedNode | null | undefined)?.range?.[0] ?? null

/** Own search instead of the library's, which compares every key with every other: 200,000 keys would take minutes. */
function duplicateKeys(node: unknown, steps: Steps, found: { steps: Steps, offset: number | null }[]): void {
  if (isMap(node)) {
    const seen = new Set<string>()
    for (const pair of node.items) {
      const key = keyOf(pair)
      if (key === null) continue
      if (seen.has(key)) found.push({ steps: [...steps, key], offset: offsetOf(pair.key) })
      seen.add(key)
      duplicateKeys(pair.value, [...steps, key], found)
    }
  } else if (isSeq(node)) {
    node.items.forEach((item, index) => duplicateKeys(item, [...steps, index], found))
  }
}

function locator(document: Document.Parsed, positionAt: (offset: number | null) => Position | null) {
  return ({ steps, at }: Pick<Finding, 'steps' | 'at'>): Position | null => {
    let node: unknown = document.contents
    let keyOffset: number | null = null
    let offset: number | null = offsetOf(node)
    for (const step of steps) {
      const inside: unknown = isAlias(node) ? node.resolve(document) : node
      const pair: Pair | undefined = isMap(inside) ? inside.items.findLast(item => keyOf(item) === String(step)) : undefined
      const next: unknown = pair ? pair.value : isSeq(inside) && typeof step === 'number' ? inside.items[step] : undefined
      if (pair === undefined && next === undefined) return positionAt(keyOffset ?? offset) // missing: its parent
      keyOffset = pair ? offsetOf(pair.key) : null
      offset = offsetOf(next as Node | null) ?? keyOffset
      node = next
    }
    return positionAt(at === 'key' ? keyOffset ?? offset : offset)
  }
}

/** Parses one YAML 1.2 document. Finds syntax errors, duplicate keys, tags and alias bombs; never throws. */
export function parseYaml(text: string): YamlSource {
  const lineCounter = new LineCounter()
  const positionAt = (offset: number | null): Position | null => {
    if (offset === null) return null
    const { line, col } = lineCounter.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  const fault = (offset: number | null, { text, example }: { text: ProblemText, example: string }, steps: Steps = []): Finding =>
    ({ steps, text, example, position: positionAt(offset) })
  const broken = (faults: readonly Finding[]): YamlSource => ({ value: undefined, faults, locate: () => null })

  const bareReturn = /\r(?!\n)/.exec(text)
  if (bareReturn) return broken([{ steps: [], text: texts.yamlLineEnds, example: 'dos2unix -c mac FILE', position: null }])

  if (!isWithinBounds(text)) return broken([{ steps: [], text: texts.yamlTooDeep, example: 'site: { name: … }', position: null }])

  const document = parseDocument(text, { lineCounter, prettyErrors: false, uniqueKeys: false, stringKeys: true, resolveKnownTags: false, logLevel: 'error' })
  const syntax = [...document.errors, ...document.warnings].slice(0, LIMITS.yamlFaults)
  if (syntax.length > 0) return broken(syntax.map(error => fault(error.pos[0], syntaxFault(error.code))))
  if (document.directives?.yaml.version !== '1.2') return broken([fault(0, { text: texts.yamlVersion, example: '%YAML 1.2' })])

  const duplicates: { steps: Steps, offset: number | null }[] = []
  duplicateKeys(document.contents, [], duplicates)
  const faults = duplicates.map(({ steps, offset }) => fault(offset, { text: texts.yamlDuplicate, example: `${keyText(String(steps.at(-1)))}: …` }, steps))
  try {
    return { value: document.toJS({ maxAliasCount: LIMITS.yamlAliases }) as unknown, faults, locate: locator(document, positionAt) }
  } catch {
    return broken([fault(null, { text: texts.yamlAlias, example: 'credential: lobby' })]) // an unknown anchor, or too many uses of one
  }
}
