import type { Db } from '../../platform/catalogue.ts'
import type { Failures } from '../account-machine.ts'
import type { AccountId } from '../roles.ts'

export interface StoredPassword { readonly passwordId: number, readonly hash: string, readonly setSteadyMs: number }
export interface StoredFactor { readonly sealed: Buffer, readonly lastStep: number, readonly isConfirmed: boolean }
interface RawPassword { password_id: number, hash: string, set_steady: number }

/** Names that belong to nobody are remembered too; the ones that failed longest ago go first. */
const MAX_NAMES = 10_000

/** Tables `account_password`, `account_token`, `account_factor`, `account_recovery_code`, `sign_in_failure`. */
export function credentialTables(db: Db) {
  const passwords = db.prepare<[string, number], RawPassword>('SELECT password_id, hash, set_steady FROM account_password WHERE account_id = ? ORDER BY password_id DESC LIMIT ?')
  const addPassword = db.prepare<[string, string, number]>('INSERT INTO account_password (account_id, hash, set_steady) VALUES (?, ?, ?)')
  const trimPasswords = db.prepare<[string, string, number]>('DELETE FROM account_password WHERE account_id = ? AND password_id NOT IN (SELECT password_id FROM account_password WHERE account_id = ? ORDER BY password_id DESC LIMIT ?)')
  const rehash = db.prepare<[string, number, string]>('UPDATE account_password SET hash = ? WHERE password_id = ? AND hash = ?')
  const token = db.prepare<[string], { hash: Buffer, ends_steady: number }>('SELECT hash, ends_steady FROM account_token WHERE account_id = ?')
  const setToken = db.prepare<[string, Buffer, number, string]>('REPLACE INTO account_token VALUES (?, ?, ?, ?)')
  const dropToken = db.prepare<[string]>('DELETE FROM account_token WHERE account_id = ?')
  const factor = db.prepare<[string], { sealed_secret: Buffer, last_step: number, confirmed_at: number | null }>('SELECT sealed_secret, last_step, confirmed_at FROM account_factor WHERE account_id = ?')
  const anyFactor = db.prepare<[], number>('SELECT 1 FROM account_factor LIMIT 1').pluck()
  const setFactor = db.prepare<[string, Buffer]>('REPLACE INTO account_factor VALUES (?, ?, 0, NULL)')
  const takeStep = db.prepare<[number, string, number]>('UPDATE account_factor SET last_step = ? WHERE account_id = ? AND last_step < ?')
  const confirmFactor = db.prepare<[number, string]>('UPDATE account_factor SET confirmed_at = ? WHERE account_id = ?')
  const dropFactor = db.prepare<[string]>('DELETE FROM account_factor WHERE account_id = ?')
  const addCode = db.prepare<[string, Buffer]>('INSERT INTO account_recovery_code VALUES (?, ?, NULL)')
  const useCode = db.prepare<[number, string, Buffer]>('UPDATE account_recovery_code SET used_at = ? WHERE account_id = ? AND hash = ? AND used_at IS NULL')
  const codesLeft = db.prepare<[string], number>('SELECT count(*) FROM account_recovery_code WHERE account_id = ? AND used_at IS NULL').pluck()
  const dropCodes = db.prepare<[string]>('DELETE FROM account_recovery_code WHERE account_id = ?')
  const failures = db.prepare<[Buffer], { failures: number, locked_steady: number }>('SELECT failures, locked_steady FROM sign_in_failure WHERE name_hash = ?')
  const setFailures = db.prepare<[Buffer, number, number, number]>('REPLACE INTO sign_in_failure VALUES (?, ?, ?, ?)')
  const dropFailures = db.prepare<[Buffer]>('DELETE FROM sign_in_failure WHERE name_hash = ?')
  const countFailures = db.prepare<[], number>('SELECT count(*) FROM sign_in_failure').pluck()
  const trimFailures = db.prepare<[]>('DELETE FROM sign_in_failure WHERE name_hash = (SELECT name_hash FROM sign_in_failure ORDER BY failed_steady LIMIT 1)')
  const floor = Math.floor
  return {
    /** Newest first: the present one and those before. */
    passwords: (id: AccountId, limit: number): StoredPassword[] => passwords.all(id, limit).map(row => ({ passwordId: row.password_id, hash: row.hash, setSteadyMs: row.set_steady })),
    setPassword(id: AccountId, hash: string, steadyMs: number, keep: number): void {
      addPassword.run(id, hash, floor(steadyMs))
      trimPasswords.run(id, id, Math.max(1, keep))
    },
    rehash(passwordId: number, from: string, to: string): void { rehash.run(to, passwordId, from) },
    token(id: AccountId): { readonly hash: Buffer, readonly endsSteadyMs: number } | null { const row = token.get(id); return row === undefined ? null : { hash: row.hash, endsSteadyMs: row.ends_steady } },
    setToken(id: AccountId, hash: Buffer, endsSteadyMs: number, by: string): void { setToken.run(id, hash, floor(endsSteadyMs), by) },
    dropToken(id: AccountId): void { dropToken.run(id) },
    factor(id: AccountId): StoredFactor | null {
      const row = factor.get(id)
      return row === undefined ? null : { sealed: row.sealed_secret, lastStep: row.last_step, isConfirmed: row.confirmed_at !== null }
    },
    hasFactors: (): boolean => anyFactor.get() !== undefined,
    setFactor(id: AccountId, sealed: Buffer): void { setFactor.run(id, sealed) },
    /** False when this step or a later one was taken before. */
    takeStep: (id: AccountId, step: number): boolean => takeStep.run(step, id, step).changes === 1,
    confirmFactor(id: AccountId, atMs: number): void { confirmFactor.run(atMs, id) },
    dropFactor(id: AccountId): void { dropFactor.run(id); dropCodes.run(id) },
    setCodes(id: AccountId, marks: readonly Buffer[]): void {
      dropCodes.run(id)
      for (const mark of marks) addCode.run(id, mark)
    },
    useCode: (id: AccountId, mark: Buffer, atMs: number): boolean => useCode.run(atMs, id, mark).changes === 1,
    codesLeft: (id: AccountId): number => codesLeft.get(id) ?? 0,
    failures(name: Buffer): Failures { const row = failures.get(name); return row === undefined ? { count: 0, lockedUntilMs: 0 } : { count: row.failures, lockedUntilMs: row.locked_steady } },
    setFailures(name: Buffer, { count, lockedUntilMs }: Failures, steadyMs: number): void {
      setFailures.run(name, count, Math.ceil(lockedUntilMs), floor(steadyMs))
      if ((countFailures.get() ?? 0) > MAX_NAMES) trimFailures.run()
    },
    clearFailures(name: Buffer): void { dropFailures.run(name) },
  }
}
