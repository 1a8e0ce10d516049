import { dirname, posix } from 'node:path'
import { NAME_PATTERN, type Credential } from '../domain/index.ts'
import { sealCredential } from './credential.ts'
import { LIMITS } from './defaults.ts'
import { nearestOf } from './near-key.ts'
import { absolutePath } from './places.ts'
import { ProblemList, type Problem, type Severity, type Steps } from './problem.ts'
import { isMapping } from './shape.ts'
import { readTextFile, shellWord, type FileFacts } from './text-file.ts'
import { texts, type ProblemText } from './texts.ts'
import { parseYaml } from './yaml-source.ts'

/** What the cameras' `credential` is looked up in. An entry that is null was wrong and has been reported. */
export type CredentialBook =
  | { readonly kind: 'none' } // no secrets file is configured
  | { readonly kind: 'skipped' }
  | { readonly kind: 'unreadable' }
  | { readonly kind: 'read', readonly entries: ReadonlyMap<string, Credential | null>, nearest(name: string): string | null }

/** Where `secrets.file` points. systemd gives its credentials read-only, at times through an ACL that shows as group read. */
export interface SecretsPlace { readonly file: string, readonly fromSystemd: boolean }

const SYSTEMD_PREFIX = 'credential:'
const SYSTEMD_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}$/

/** An absolute path, a path beside the configuration, or `credential:NAME`. Null: needs systemd, which is not there. */
export function secretsPlace(text: string, from: { configFile: string, credentialsDirectory: string | undefined }): SecretsPlace | ProblemText | null {
  if (text.startsWith(SYSTEMD_PREFIX)) {
    const name = text.slice(SYSTEMD_PREFIX.length)
    if (!SYSTEMD_NAME.test(name)) return texts.secretsFile
    return from.credentialsDirectory ? { file: posix.join(from.credentialsDirectory, name), fromSystemd: true } : null
  }
  const file = text === '' ? null : absolutePath(posix.resolve(dirname(from.configFile), text))
  return file === null ? texts.secretsFile : { file, fromSystemd: false }
}

function checkFacts(facts: FileFacts, place: SecretsPlace, reader: { uid: number, strict: boolean }, problems: ProblemList): void {
  const allowed = place.fromSystemd ? 0o640 : 0o600
  if ((facts.mode & ~allowed) !== 0) {
    problems.add({ steps: [], position: null, text: texts.secretsMode(facts.mode.toString(8).padStart(4, '0')), example: `chmod 600 ${shellWord(place.file)}` })
  }
  if (facts.uid !== 0 && facts.uid !== reader.uid) {
    // Root checking for the service cannot know which account the service has.
    const severity: Severity = reader.uid === 0 && !reader.strict ? 'warning' : 'error'
    problems.add({ severity, steps: [], position: null, text: texts.secretsOwner(facts.uid), example: `chown custos ${shellWord(place.file)}` })
  }
}

const CONTROL = /\p{Cc}|\p{Cs}/u
const FIELDS = ['username', 'password'] as const

/** Some cameras have no password; none has no user. */
const isSoundField = (field: (typeof FIELDS)[number], value: string): boolean =>
  value.length <= LIMITS.credentialChars && !CONTROL.test(value) && (field === 'password' || (value !== '' && !value.includes(':'))) // RTSP and HTTP logins end the user name at the first colon

/** Checked by hand, not by the schema, so that no text can hold a key or a value of this file by way of a general rule. */
function readEntry(entry: unknown, steps: Steps, path: string, problems: ProblemList): Credential | null {
  if (!isMapping(entry)) {
    problems.add({ steps, path, text: texts.secretsEntry, example: 'door: { username: "…", password: "…" }' })
    return null
  }
  const extra = Object.keys(entry).find(key => key !== 'username' && key !== 'password')
  if (extra !== undefined) problems.add({ steps: [...steps, extra], at: 'key', path, text: texts.secretsKey, example: '{ username: "…", password: "…" }' })
  const [username, password] = FIELDS.map(field => {
    const value: unknown = entry[field]
    const fault = typeof value !== 'string' ? texts.secretsText(field)
      : isSoundField(field, value) ? null : texts.secretsChars({ field, max: LIMITS.credentialChars })
    if (fault) problems.add({ steps: [...steps, field], path: `${path}.${field}`, text: fault, example: `${field}: "…"` })
    return typeof value === 'string' && !fault ? value : null
  })
  return typeof username === 'string' && typeof password === 'string' && extra === undefined ? sealCredential(username, password) : null
}

/** A name may be offered as "did you mean" only if it is no secret itself. */
function offeredNames(entries: ReadonlyMap<string, Credential | null>): string[] {
  const values = new Set([...entries.values()].flatMap(entry => entry ? [entry.username, entry.password] : []))
  return [...entries].flatMap(([name, entry]) => entry && NAME_PATTERN.test(name) && !values.has(name) ? [name] : [])
}

/**
 * Reads and checks the secrets file, or `copy` in its place, which was checked when it was made.
 * `known` are the names that cameras ask for; no other key of the file is ever shown.
 */
export async function readSecrets(
  place: SecretsPlace, known: ReadonlySet<string>, reader: { uid: number, strict: boolean },
  copy: string | null = null,
): Promise<{ book: CredentialBook, problems: readonly Problem[] }> {
  const unlocated = new ProblemList(place.file)
  const source = copy === null ? await readTextFile(place.file) : { ok: true, text: copy, facts: null } as const
  if (!source.ok) {
    unlocated.add({ steps: [], text: source.fault.text, example: source.fault.example })
    return { book: { kind: 'unreadable' }, problems: unlocated.all() }
  }
  const yaml = parseYaml(source.text)
  const problems = new ProblemList(place.file, yaml.locate)
  if (source.facts !== null) checkFacts(source.facts, place, reader, problems)
  for (const fault of yaml.faults) problems.add({ ...fault, path: '', example: 'door: { username: "…", password: "…" }' })
  if (yaml.value !== undefined && !isMapping(yaml.value)) {
    problems.add({ steps: [], path: '', text: texts.secretsEntry, example: 'door: { username: "…", password: "…" }' })
  }
  if (!isMapping(yaml.value)) return { book: { kind: 'unreadable' }, problems: problems.all() }

  const entries = new Map(Object.entries(yaml.value).map(([name, entry], index) =>
    [name, readEntry(entry, [name], known.has(name) ? name : `[${index}]`, problems)] as const))
  return { book: { kind: 'read', entries, nearest: name => nearestOf(name, offeredNames(entries)) }, problems: problems.all() }
}

/** The entries that cameras name, as JSON, which YAML is too; null without any. */
export function neededSecrets(book: CredentialBook, known: ReadonlySet<string>): string | null {
  if (book.kind !== 'read') return null
  const needed: Record<string, { username: string, password: string }> = {}
  for (const [name, entry] of book.entries) {
    if (entry === null || !known.has(name)) continue
    needed[name] = { username: entry.username, password: entry.password }
  }
  return JSON.stringify(needed)
}
