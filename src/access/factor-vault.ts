import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'
import { chmodSync, closeSync, constants, fchmodSync, fstatSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import path from 'node:path'
import { FactorKeyError } from './errors.ts'
import type { AccountId } from './roles.ts'

const KEY_BYTES = 32, NONCE_BYTES = 12, TAG_BYTES = 16
const KEY_FILE = 'factor-key'

/** Keeps secrets of second factors from whoever reads the catalogue or its backup: the key is a file of its own, in `state.dir/keys`. */
export interface FactorVault {
  seal(account: AccountId, secret: Buffer): Buffer
  /** Throws FactorKeyError when it was sealed under another key, for another account, or changed since. */
  open(account: AccountId, sealed: Buffer): Buffer
  /** Of a recovery code: 50 bits are too few for a plain hash. */
  mark(account: AccountId, code: string): Buffer
}

/**
 * The vault of this recorder. The key is made on first use, never where factors exist already that it could not open (`hasFactors`).
 * Throws FactorKeyError.
 */
export function openFactorVault(stateDir: string, hasFactors: boolean): FactorVault {
  const folder = path.join(stateDir, 'keys')
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const key = read(path.join(folder, KEY_FILE)) ?? (hasFactors ? missing() : make(folder))
    return vaultOf(key)
  } catch (error) {
    if (error instanceof FactorKeyError) throw error
    throw new FactorKeyError((error as NodeJS.ErrnoException).code ?? 'unknown', error)
  }
}

const missing = (): never => { throw new FactorKeyError('it is gone, and factors are enrolled that only it opens') }

export function vaultOf(key: Buffer): FactorVault {
  const sealing = Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), 'custos factor secrets', KEY_BYTES))
  const marking = Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), 'custos recovery codes', KEY_BYTES))
  return {
    seal(account, secret) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', sealing, nonce).setAAD(Buffer.from(account))
      return Buffer.concat([nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag()])
    },
    open(account, sealed) {
      try {
        const decipher = createDecipheriv('aes-256-gcm', sealing, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES }).setAAD(Buffer.from(account)).setAuthTag(sealed.subarray(-TAG_BYTES))
        return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()])
      } catch (error) { throw new FactorKeyError(`the factor of ${account} was sealed under another key, or changed`, error) }
    },
    mark: (account, code) => createHmac('sha256', marking).update(`${account}\n${code}`).digest(),
  }
}

function read(file: string): Buffer | null {
  let handle: number
  try { handle = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW) } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  try {
    if ((fstatSync(handle).mode & 0o077) !== 0) fchmodSync(handle, 0o600)
    const key = readFileSync(handle)
    if (key.length !== KEY_BYTES) throw new FactorKeyError(`it has ${key.length} bytes in place of ${KEY_BYTES}`)
    return key
  } finally { closeSync(handle) }
}

/** Written beside and linked into place: two commands at once end with one key. */
function make(folder: string): Buffer {
  const key = randomBytes(KEY_BYTES)
  const file = path.join(folder, KEY_FILE), fresh = `${file}.${process.pid}.new`
  const handle = openSync(fresh, 'wx', 0o600)
  try { writeSync(handle, key); fsyncSync(handle) } finally { closeSync(handle) }
  chmodSync(fresh, 0o600) // whatever the umask took
  try { linkSync(fresh, file) } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return read(file) ?? key
  } finally { rmSync(fresh, { force: true }) }
  const sync = openSync(folder, 'r')
  try { fsyncSync(sync) } finally { closeSync(sync) }
  return key
}
