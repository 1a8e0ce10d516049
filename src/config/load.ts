import { resolve } from 'node:path'
import { readCameras } from './cameras.ts'
import type { Config, ConfigResult } from './config.ts'
import { DEFAULTS } from './defaults.ts'
import { readEndpoints } from './endpoints.ts'
import { absolutePath, readPlaces } from './places.ts'
import { ProblemList, type Problem } from './problem.ts'
import { isTrialFloor, parseFloor } from './quantity.ts'
import type { RawConfig } from './schema.ts'
import { neededSecrets, readSecrets, secretsPlace, type CredentialBook } from './secrets.ts'
import { checkShape, isMapping, type Draft } from './shape.ts'
import { ConfigSource, type ConfigCopy } from './source.ts'
import { readTextFile, shellWord } from './text-file.ts'
import { texts } from './texts.ts'
import { readPackage } from './time-stamp.ts'
import { isTimeZone, nearestTimeZone } from './time-zone.ts'
import { readWitness } from './witness.ts'
import { parseYaml } from './yaml-source.ts'

export interface LoadOptions {
  /**
   * `load`: as the daemon needs them. `try`: as a check by an administrator can; what only the service sees is a warning.
   * `skip`: for commands that open no camera; every camera's credential is null then.
   */
  readonly secrets?: 'load' | 'try' | 'skip'
  /** Stands in for $CREDENTIALS_DIRECTORY. */
  readonly credentialsDirectory?: string | undefined
  /** Stands in for the user id of this process. */
  readonly uid?: number
  /** Read in place of the files. Places, positions and problems are told as of the files. */
  readonly copy?: ConfigCopy
}

type RootDraft = NonNullable<Draft<RawConfig>>

function readSite(draft: RootDraft['site'], problems: ProblemList): Config['site'] | null {
  const timezone = draft?.timezone === undefined ? DEFAULTS.timezone : draft.timezone
  if (timezone !== null && !isTimeZone(timezone)) {
    problems.add({ steps: ['site', 'timezone'], text: texts.timezone(nearestTimeZone(timezone)), example: 'Asia/Taipei' })
    return null
  }
  return draft?.name && timezone !== null ? { name: draft.name, timezone } : null
}

function readRetention(draft: RootDraft['retention'], problems: ProblemList): Config['retention'] | null {
  if (draft === null || draft?.floor === null) return null
  const floor = draft?.floor === undefined ? DEFAULTS.floor : parseFloor(draft.floor)
  const at = { steps: ['retention', 'floor'], example: DEFAULTS.floorText }
  if (floor === null) problems.add({ ...at, text: texts.floor })
  else if (isTrialFloor(floor)) problems.add({ ...at, severity: 'warning', text: texts.floorTrial })
  const insist = draft?.insist
  if (insist === undefined) return floor && { floor, insist: null }
  return floor && insist?.by && insist.reason ? { floor, insist: { by: insist.by, reason: insist.reason } } : null
}

/** `needed`: see ConfigCopy. */
interface SecretsOutcome {
  readonly book: CredentialBook
  readonly file: string | null
  readonly problems: readonly Problem[]
  readonly needed: string | null
}

export async function lookUpSecrets(draft: RootDraft, configFile: string, options: LoadOptions,
  problems: ProblemList): Promise<SecretsOutcome> {
  const mode = options.secrets ?? 'load'
  const nothing = { file: null, problems: [], needed: null }
  if (draft.secrets === undefined) return { ...nothing, book: { kind: mode === 'skip' ? 'skipped' : 'none' } }
  const text = draft.secrets?.file
  if (typeof text !== 'string') return { ...nothing, book: { kind: 'unreadable' } }
  const at = { steps: ['secrets', 'file'] }
  const place = secretsPlace(text, {
    configFile, credentialsDirectory: 'credentialsDirectory' in options ? options.credentialsDirectory : process.env['CREDENTIALS_DIRECTORY'],
  })
  if (place !== null && 'code' in place) {
    problems.add({ ...at, text: place, example: '/etc/custos/secrets.yaml' })
    return { ...nothing, book: { kind: 'unreadable' } }
  }
  if (mode === 'skip') return { ...nothing, book: { kind: 'skipped' }, file: place?.file ?? text }
  if (place === null) {
    problems.add({ ...at, severity: mode === 'try' ? 'warning' : 'error', text: texts.secretsNoSystemd, example: 'LoadCredential=NAME:/etc/custos/secrets.yaml' })
    if (mode === 'try') return { ...nothing, book: { kind: 'skipped' }, file: text }
    return { ...nothing, book: { kind: 'unreadable' } }
  }
  const known = new Set((draft.cameras ?? []).flatMap(camera => camera?.credential ?? []))
  const uid = options.uid ?? process.getuid?.() ?? 0
  const copy = options.copy?.secrets ?? null
  const read = await readSecrets(place, known, { uid, strict: mode === 'load' }, copy)
  // What systemd hands over may be encrypted on the disk, and comes again at each start: no copy of it is
  // made.
  return { ...read, file: place.file, needed: place.fromSystemd ? null : neededSecrets(read.book, known) }
}

/** Freezes what it is given and all inside; made from fresh values, so nothing of anybody else's is frozen. */
function deepFreeze<T extends object>(value: T): T {
  for (const inside of Object.values(value)) if (typeof inside === 'object' && inside !== null) deepFreeze(inside)
  return Object.freeze(value)
}

/**
 * Reads, checks and freezes a configuration with its secrets. Tells every problem of shape and of meaning at once
 * and throws nothing for what is wrong with the files.
 */
export async function loadConfig(path: string, options: LoadOptions = {}): Promise<ConfigResult> {
  const file = resolve(path)
  const { copy } = options
  const source = copy === undefined ? await readTextFile(file)
    : { ok: true, text: copy.config, byteOrderMark: false, sha256: copy.sha256 } as const
  if (!source.ok) {
    const problems = new ProblemList(file)
    problems.add({ steps: [], text: source.fault.text, example: source.fault.example })
    return { ok: false, problems: problems.all(), files: [file], stateDir: null, sha256: null }
  }
  const yaml = parseYaml(source.text)
  const problems = new ProblemList(file, yaml.locate)
  let files: readonly string[] = [file], stateDir: string | null = null
  const failed = (more: readonly Problem[] = []): ConfigResult =>
    ({ ok: false, problems: [...problems.all(), ...more], files, stateDir, sha256: source.sha256 })
  const fromWindows = { severity: 'warning', steps: [], position: { line: 1, column: 1 } } as const
  if (source.byteOrderMark) problems.add({ ...fromWindows, text: texts.fileByteOrderMark, example: `sed -i '1s/^\\xEF\\xBB\\xBF//' ${shellWord(file)}` })
  if (source.text.includes('\r\n')) problems.add({ ...fromWindows, text: texts.fileCrLf, example: `sed -i 's/\\r$//' ${shellWord(file)}` })
  for (const fault of yaml.faults) problems.add(fault)
  if (yaml.value === undefined) return failed()
  if (!isMapping(yaml.value)) {
    problems.add({ steps: [], position: null, text: yaml.value === null ? texts.fileEmpty : texts.fileNotMapping, example: 'site: { name: 信義區戶政事務所 }' })
    return failed()
  }

  const { findings, draft } = checkShape(yaml.value)
  for (const finding of findings) problems.add(finding)
  if (draft === null) return failed()
  stateDir = typeof draft.state?.dir === 'string' ? absolutePath(draft.state.dir) : null
  const site = readSite(draft.site, problems)
  const endpoints = readEndpoints(draft, problems)
  const places = readPlaces(draft, problems)
  const retention = readRetention(draft.retention, problems)
  const witness = readWitness(draft, problems)
  const evidence = await readPackage(draft, problems)
  const secrets = await lookUpSecrets(draft, file, options, problems)
  if (secrets.file !== null) files = [file, secrets.file]
  const cameras = readCameras(draft.cameras, secrets.book, problems)

  if (problems.hasErrors || secrets.problems.some(problem => problem.severity === 'error')) return failed(secrets.problems)
  if (!site || !endpoints || !places || !retention || !cameras) throw new TypeError('a section of the configuration is missing and no problem says why')
  const config: Config = { file, site, ...places, ...endpoints, retention, witness, package: evidence, secrets: secrets.file === null ? null : { file: secrets.file }, cameras }
  const warnings = [...problems.all(), ...secrets.problems]
  return {
    ok: true, config: deepFreeze(config), warnings, files,
    source: new ConfigSource({ config: source.text, sha256: source.sha256, secrets: secrets.needed }),
  }
}
