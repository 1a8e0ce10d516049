import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'
import path from 'node:path'
import { makeKeyFile, readKeyFile } from '../platform/key-file.ts'
import { PersonKeyError } from './errors.ts'

const KEY_BYTES = 32, NONCE_BYTES = 12, TAG_BYTES = 16

/** Keeps ID numbers from whoever reads the catalogue or its backup. `of` names where a number stands, and binds it there. */
export interface PersonVault {
  seal(of: string, number: string): Buffer
  /** Throws PersonKeyError when it was sealed under another key, for another place, or changed since. */
  open(of: string, sealed: Buffer): string
  /** Of a command that may hold ID numbers: a plain hash could be guessed back. 32 bytes. */
  mark(text: string): Buffer
}

export function personVault(key: Buffer): PersonVault {
  const sealing = Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), 'custos ID numbers', KEY_BYTES))
  const marking = Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), 'custos request marks', KEY_BYTES))
  return {
    seal(of, number) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', sealing, nonce).setAAD(Buffer.from(of))
      return Buffer.concat([nonce, cipher.update(number, 'utf8'), cipher.final(), cipher.getAuthTag()])
    },
    open(of, sealed) {
      try {
        const decipher = createDecipheriv('aes-256-gcm', sealing, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES }).setAAD(Buffer.from(of)).setAuthTag(sealed.subarray(-TAG_BYTES))
        return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]).toString('utf8')
      } catch (error) { throw new PersonKeyError(`${of} was sealed under another key, or changed`, error) }
    },
    mark: text => createHmac('sha256', marking).update(text).digest(),
  }
}

/** The vault of this recorder. Its key is made on first use, never where numbers exist already that it could not open. Throws PersonKeyError. */
export function openPersonVault(stateDir: string, hasNumbers: boolean): PersonVault {
  const file = path.join(stateDir, 'keys', 'person-key')
  try {
    const key = readKeyFile(file)
    if (key === null && hasNumbers) throw new PersonKeyError('it is gone, and applications are stored that only it opens')
    return personVault(key ?? makeKeyFile(file))
  } catch (error) {
    if (error instanceof PersonKeyError) throw error
    throw new PersonKeyError(error instanceof RangeError ? error.message : (error as NodeJS.ErrnoException).code ?? 'unknown', error)
  }
}
