import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { epochMs, isoOf, type EpochMs } from '../domain/index.ts'
import { publishFile } from '../platform/publish-file.ts'
import type { Config } from './config.ts'
import { LIMITS } from './defaults.ts'
import { absolutePath } from './places.ts'
import { isMapping } from './shape.ts'
import type { ConfigCopy, ConfigSource } from './source.ts'

const RECORD_FILE = 'last-good-config.json'
const FORMAT = 1
/** Both files at their bound, each character escaped. */
const RECORD_MAX_BYTES = 4 * LIMITS.fileBytes
/** Where the package has its state; a recorder with another `state.dir` leaves word of it there. */
const USUAL_STATE_DIR = '/var/lib/custos'

type Env = Readonly<Record<string, string | undefined>>
type Own = Readonly<Record<string, unknown>>

/** A configuration that was in force, as it was kept. */
export interface KeptConfig { readonly takenOverAt: EpochMs, readonly copy: ConfigCopy }

/** systemd names the folder it made for the service, which is there whatever the configuration says. */
const serviceStateDir = (env: Env): string =>
  absolutePath(env['STATE_DIRECTORY']?.split(':')[0] ?? '') ?? USUAL_STATE_DIR

/** Several recorders of one machine differ by their configuration file. */
const pointerFile = (dir: string, file: string): string =>
  join(dir, `state-dir-${createHash('sha256').update(file).digest('hex').slice(0, 16)}.json`)

export interface KeepOptions {
  readonly config: Config
  readonly source: ConfigSource
  readonly now: EpochMs
  readonly env?: Env
}

/**
 * Keeps a configuration that was taken over: text and needed accounts in one file of `state.dir`, mode 0600,
 * whole or not at all. Writes nothing when it is kept already. Throws the error of the file system.
 */
export async function keepConfig({ config, source, now, env = process.env }: KeepOptions): Promise<void> {
  const { file, state: { dir } } = config
  const copy = source.copy()
  const before = await readRecord(join(dir, RECORD_FILE), file)
  const isKept = before !== null && before.copy.sha256 === copy.sha256 && before.copy.config === copy.config
    && before.copy.secrets === copy.secrets
  if (!isKept) {
    await publish(join(dir, RECORD_FILE), { format: FORMAT, file, takenOverAt: isoOf(now), ...copy })
  }
  await leaveWord(serviceStateDir(env), file, dir)
}

/**
 * For a start that cannot read the configuration: where `state.dir` is, if it is not where the service has
 * its own.
 */
async function leaveWord(at: string, file: string, stateDir: string): Promise<void> {
  if (at === stateDir) return
  const facts = await stat(at).catch(() => null)
  // never made, and never somebody else's
  if (facts === null || !facts.isDirectory() || facts.uid !== process.getuid?.()) return
  const pointer = pointerFile(at, file)
  if (await readPointer(pointer, file) !== stateDir) {
    await publish(pointer, { format: FORMAT, file, stateDir })
  }
}

const publish = (file: string, record: object): Promise<void> =>
  publishFile(file, Buffer.from(`${JSON.stringify(record)}\n`), 0o600)

interface KeptOptions {
  /** State folder as far as the spoilt file still names it. */
  readonly hint: string | null
  readonly env?: Env
  /** Also what another user keeps: for who only looks, such as root beside the service. */
  readonly anyOwner?: boolean
}

/**
 * What was kept of this configuration file, the newest first: in the state folder that the spoilt file still
 * names, in that of the service, and where the word left there leads. Empty when it was never in force. Never
 * throws.
 */
export async function keptConfigs(file: string, options: KeptOptions): Promise<readonly KeptConfig[]> {
  const { hint, env = process.env, anyOwner = false } = options
  const service = serviceStateDir(env)
  const places = new Set([hint, service, await readPointer(pointerFile(service, file), file, anyOwner)])
  const found = await Promise.all([...places].filter(dir => dir !== null)
    .map(dir => readRecord(join(dir, RECORD_FILE), file, anyOwner)))
  return found.filter(kept => kept !== null).sort((a, b) => b.takenOverAt - a.takenOverAt)
}

async function readRecord(record: string, file: string, anyOwner = false): Promise<KeptConfig | null> {
  const raw = await readOwn(record, file, anyOwner)
  if (raw === null) return null
  const { takenOverAt, config, sha256, secrets } = raw
  const at = typeof takenOverAt === 'string' ? Date.parse(takenOverAt) : Number.NaN
  if (Number.isNaN(at) || typeof config !== 'string' || typeof sha256 !== 'string') return null
  if (secrets !== null && typeof secrets !== 'string') return null
  return { takenOverAt: epochMs(at), copy: { config, sha256, secrets } }
}

async function readPointer(pointer: string, file: string, anyOwner = false): Promise<string | null> {
  const stateDir = (await readOwn(pointer, file, anyOwner))?.['stateDir']
  return typeof stateDir === 'string' ? absolutePath(stateDir) : null
}

/**
 * A file of ours about this configuration; null for one that is not there, is damaged, or that another user
 * could have written or read.
 */
async function readOwn(path: string, file: string, anyOwner: boolean): Promise<Own | null> {
  try {
    await using handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const facts = await handle.stat()
    const isOurs = anyOwner || facts.uid === 0 || facts.uid === process.getuid?.()
    if (!facts.isFile() || !isOurs || (facts.mode & 0o077) !== 0 || facts.size > RECORD_MAX_BYTES) return null
    const raw: unknown = JSON.parse(await handle.readFile('utf8'))
    return isMapping(raw) && raw['format'] === FORMAT && raw['file'] === file ? raw : null
  } catch { return null } // whatever is wrong with it: there is no copy then, and that is told
}
