import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import path from 'node:path'

/** Signs checkpoints (and evidence packages later). ECDSA P-256 with SHA-256; signatures are DER, as openssl has them. */
export interface SigningKey {
  /** SHA-256 of the SubjectPublicKeyInfo, hex: what is printed and posted by the office. */
  readonly fingerprint: string
  readonly publicPem: string
  sign(body: string | Buffer): Buffer
}

export interface OpenedKey {
  readonly key: SigningKey
  /** `found`, or why a new one was made: there was none, or the file could not be made sense of and was moved aside. */
  readonly origin: 'found' | 'missing' | 'damaged'
  /** Mode bits that were open to others, before they were taken away; null when they were right. */
  readonly exposedMode: number | null
}

const KEY_FILE = 'audit-key.pem'
const PUBLIC_FILE = 'audit-key.pub.pem'

export const keyFolderOf = (stateDir: string): string => path.join(stateDir, 'keys')

export function fingerprintOf(publicKey: KeyObject): string {
  return createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' })).digest('hex')
}

/** Of a public key in PEM; null for what is none. */
export function fingerprintOfPem(publicPem: string): string | null {
  try { return fingerprintOf(createPublicKey(publicPem)) } catch { return null }
}

/** The key of this recorder, made on first use. The private half never leaves its file (0600). Throws the system's error when folder or file cannot be read or written. */
export function openSigningKey(stateDir: string, nowMs: number): OpenedKey {
  const folder = keyFolderOf(stateDir)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  chmodSync(folder, 0o700)
  const file = path.join(folder, KEY_FILE)
  const found = readKey(file)
  const origin: OpenedKey['origin'] = found.kind === 'sound' ? 'found' : found.kind
  let exposedMode: number | null = null
  if (found.kind === 'sound') {
    const mode = statSync(file).mode & 0o777
    if ((mode & 0o077) !== 0) { chmodSync(file, 0o600); exposedMode = mode }
  }
  if (found.kind === 'damaged') renameSync(file, `${file}.damaged-${nowMs}`) // kept: it may tell somebody something
  const privateKey = found.kind === 'sound' ? found.key : generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  if (found.kind !== 'sound') publish(file, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), 0o600)
  const publicKey = createPublicKey(privateKey)
  const publicPem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const publicFile = path.join(folder, PUBLIC_FILE)
  if (textOf(publicFile) !== publicPem) publish(publicFile, publicPem, 0o644)
  return { key: { fingerprint: fingerprintOf(publicKey), publicPem, sign: body => sign('sha256', Buffer.from(body), privateKey) }, origin, exposedMode }
}

function readKey(file: string): { kind: 'sound', key: KeyObject } | { kind: 'missing' | 'damaged' } {
  const pem = textOf(file)
  if (pem === null) return { kind: 'missing' }
  try {
    const key = createPrivateKey(pem)
    return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? { kind: 'sound', key } : { kind: 'damaged' }
  } catch {
    return { kind: 'damaged' } // the error would quote the file
  }
}

function textOf(file: string): string | null {
  try { return readFileSync(file, 'utf8') } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** Write, sync, rename, sync the folder: after a crash there is the whole file or none. */
function publish(file: string, text: string, mode: number): void {
  const fresh = `${file}.new`
  rmSync(fresh, { force: true })
  const handle = openSync(fresh, 'wx', mode)
  try {
    writeSync(handle, text)
    fsyncSync(handle)
  } finally { closeSync(handle) }
  chmodSync(fresh, mode) // whatever the umask took
  renameSync(fresh, file)
  const folder = openSync(path.dirname(file), 'r')
  try { fsyncSync(folder) } finally { closeSync(folder) }
}
