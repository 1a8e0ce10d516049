import path from 'node:path'
import { makeKeyFile, readKeyFile } from '../platform/key-file.ts'
import { markingFor, sealingFor } from '../platform/sealing.ts'
import { PersonKeyError } from './errors.ts'

/** Keeps ID numbers from whoever reads the catalogue or its backup. `of` names where a number stands, and binds it there. */
export interface PersonVault {
  seal(of: string, number: string): Buffer
  /** Throws PersonKeyError when it was sealed under another key, for another place, or changed since. */
  open(of: string, sealed: Buffer): string
  /** Of a command that may hold ID numbers: a plain hash could be guessed back. 32 bytes. */
  mark(text: string): Buffer
}

export function personVault(key: Buffer): PersonVault {
  const sealing = sealingFor(key, 'custos ID numbers')
  return {
    seal: (of, number) => sealing.seal(of, Buffer.from(number, 'utf8')),
    open(of, sealed) {
      try { return sealing.open(of, sealed).toString('utf8') } catch (error) { throw new PersonKeyError(`${of} was sealed under another key, or changed`, error) }
    },
    mark: markingFor(key, 'custos request marks'),
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
