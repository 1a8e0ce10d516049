import type { Db } from '../platform/catalogue.ts'
import { DEFAULT_SETTINGS, type AccessSettings } from './account-machine.ts'
import { Accounts } from './accounts.ts'
import { BreakGlass } from './break-glass.ts'
import { tablesOf, type AccessTime, type AuditBook, type Core } from './core.ts'
import { openFactorVault, type FactorVault } from './factor-vault.ts'
import { Factors } from './factors.ts'
import { PasswordHasher } from './password-hash.ts'
import { Register } from './register.ts'
import type { MayCombine } from './roles.ts'
import { Sessions } from './sessions.ts'
import { SignIn } from './sign-in.ts'
import { SourceThrottle } from './source-throttle.ts'

export interface AccessOptions {
  readonly db: Db
  readonly audit: AuditBook
  readonly time: AccessTime
  readonly stateDir: string
  /** Shown by authenticators, and a word no password may lean on. */
  readonly officeName: string
  /** The rule set's table. */
  readonly mayCombine: MayCombine
  readonly settings?: Partial<AccessSettings>
  readonly hasher?: PasswordHasher
  readonly vault?: FactorVault
}

/** Everything about who may act, over one catalogue. No state of its own beside the throttle: commands work beside the recorder. */
export interface Access {
  readonly accounts: Accounts
  readonly signIn: SignIn
  readonly sessions: Sessions
  readonly factors: Factors
  readonly register: Register
  readonly breakGlass: BreakGlass
  /** Writes down what time has done; to be called now and then. How many things. */
  sweep(): number
}

export function openAccess({ db, audit, time, stateDir, officeName, mayCombine, settings = {}, hasher = new PasswordHasher(), vault }: AccessOptions): Access {
  const tables = tablesOf(db)
  let opened = vault
  const core: Core = {
    audit, time, hasher, mayCombine, throttle: new SourceThrottle(), ...tables, settings: { ...DEFAULT_SETTINGS, officeWords: [officeName], ...settings },
    vault: () => opened ??= openFactorVault(stateDir, tables.credentials.hasFactors()),
  }
  const sessions = new Sessions(core)
  const factors = new Factors(core, sessions, officeName)
  const accounts = new Accounts(core, sessions)
  const breakGlass = new BreakGlass(core)
  return { accounts, sessions, factors, breakGlass, signIn: new SignIn(core, sessions, factors), register: new Register(core, sessions), sweep: () => accounts.sweep() + sessions.sweep() + breakGlass.sweep() }
}
