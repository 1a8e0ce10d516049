import { actorOf, FactorNeededError, RightMissingError, type AccessTime, type Act, type Acting, type AuditBook } from '../access/index.ts'
import { epochMs, SYSTEM, type AuditActor, type AuditEvent, type EpochMs, type TimeStamp } from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'
import type { Logger } from '../platform/logger.ts'
import type { ArchiveDisk } from './disk.ts'
import { ArchiveItemError, ArchiveRefusedError } from './errors.ts'
import type { ItemNo } from './item.ts'
import type { ArchiveRule } from './pin.ts'
import type { ItemTables, StoredItem } from './tables/items.ts'
import type { keyBackupTable } from './tables/key-backups.ts'
import type { destructionTables } from './tables/destructions.ts'

/** Trusted time, as far as the archive asks it. */
export interface ArchiveTime {
  /** Null while unknown. */
  now(): EpochMs | null
  /** Null unless both clocks agree. */
  nowForArchive(): EpochMs | null
  /** Trusted time, for what is dated while they do not. */
  stamp(): TimeStamp
  /** When that was, as is known now; null: nobody can tell. */
  standing(stamp: TimeStamp): EpochMs | null
}

/** For commands that put in nothing and let nothing go. */
export const NO_TIME: ArchiveTime = {
  now: () => null, nowForArchive: () => null, standing: () => null,
  stamp: () => { throw new TypeError('this command puts nothing in') },
}

export interface ArchiveOptions {
  /** The catalogue's connection; stays the caller's. */
  readonly db: Db
  readonly audit: AuditBook
  /** `Access.sessions`: looks again, inside the transaction, whether who acts may. */
  readonly rights: { requireRight(acting: Acting, act: Act): void }
  readonly trustedTime: ArchiveTime
  readonly time: AccessTime
  /** Of the rule set in force (R22). */
  readonly rule: () => ArchiveRule
  readonly dir: string
  readonly quotaBytes: number
  readonly stateDir: string
  /** A second secret for the key file, from outside the disk; asked for at each look, for it may come late. */
  readonly credential?: () => Buffer | null
  readonly disk?: ArchiveDisk
  readonly log: Logger
}

/** What the parts of the archive share. */
export interface ArchiveCore {
  readonly options: ArchiveOptions
  readonly items: ItemTables
  readonly destructions: ReturnType<typeof destructionTables>
  readonly keyBackups: ReturnType<typeof keyBackupTable>
}

type Told = AuditEvent['detail']
interface Happening { readonly action: string, readonly object: string | null, readonly application: string | null, readonly result?: AuditEvent['result'] }

/** One act with its entry: allowed, done and written down in one transaction, or not at all; a refusal has an entry of its own. */
export function perform<Result>({ options: { audit, rights } }: ArchiveCore, acting: Acting, act: Act, event: Happening, work: (write: (detail: Told) => number) => Result): Result {
  const entry = { action: event.action, actor: actorOf(acting), object: event.object, application: event.application }
  try {
    return audit.transaction(() => {
      rights.requireRight(acting, act)
      return work(detail => audit.append({ ...entry, result: 'done', detail }).seq)
    })
  } catch (error) {
    if (error instanceof RightMissingError || error instanceof FactorNeededError || error instanceof ArchiveRefusedError) audit.append({ ...entry, result: 'refused', detail: { code: error.code } })
    throw error
  }
}

/** By the recorder itself, or in the name of who acts. */
export function note({ options: { audit } }: ArchiveCore, { action, object, application, result = 'done' }: Happening, detail: Told, actor: AuditActor = SYSTEM): number {
  return audit.append({ action, actor, object, application, result, detail }).seq
}

export function required({ items }: ArchiveCore, itemNo: ItemNo): StoredItem {
  const item = items.get(itemNo)
  if (item === null) throw new ArchiveItemError(itemNo, { zh: '不存在', en: 'is not there' })
  return item
}

/** For what is only told, not decided by: never behind true time by more than is not believed yet. */
export function toldNow({ options: { trustedTime, time } }: ArchiveCore): EpochMs {
  return trustedTime.nowForArchive() ?? epochMs(Math.max(time.wallNow(), trustedTime.now() ?? 0))
}

/** Words that go into records as they stand. Throws ArchiveRefusedError. */
export function plain(text: string, what: { readonly zh: string, readonly en: string }, maxChars = 200): string {
  const trimmed = text.trim()
  if (trimmed === '' || Array.from(trimmed).length > maxChars || /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u202a-\u202e\u2066-\u2069]/u.test(trimmed)) {
    throw new ArchiveRefusedError(`${what.zh}是空的、超過 ${maxChars} 字，或含有無法列印的字元。`, `${what.en} is empty, longer than ${maxChars} characters or holds characters that cannot be printed`)
  }
  return trimmed
}
