import path from 'node:path'
import { makeKeyFile, readKeyFile } from '../platform/key-file.ts'
import { markingFor, sealingFor } from '../platform/sealing.ts'
import { FactorKeyError } from './errors.ts'
import type { AccountId } from './roles.ts'

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
  const file = path.join(stateDir, 'keys', KEY_FILE)
  try {
    const key = readKeyFile(file)
    if (key === null && hasFactors) throw new FactorKeyError('it is gone, and factors are enrolled that only it opens')
    return vaultOf(key ?? makeKeyFile(file))
  } catch (error) {
    if (error instanceof FactorKeyError) throw error
    throw new FactorKeyError(error instanceof RangeError ? error.message : (error as NodeJS.ErrnoException).code ?? 'unknown', error)
  }
}

export function vaultOf(key: Buffer): FactorVault {
  const sealing = sealingFor(key, 'custos factor secrets'), mark = markingFor(key, 'custos recovery codes')
  return {
    seal: (account, secret) => sealing.seal(account, secret),
    open(account, sealed) {
      try { return sealing.open(account, sealed) } catch (error) { throw new FactorKeyError(`the factor of ${account} was sealed under another key, or changed`, error) }
    },
    mark: (account, code) => mark(`${account}\n${code}`),
  }
}
