import type { Access } from '../access/index.ts'
import type { Archive } from '../archive/index.ts'
import type { AuditLog } from '../audit/index.ts'
import type { Book } from '../book/index.ts'
import type { CameraUuid, EpochMs } from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import type { CopyDesk } from '../export/index.ts'
import type { Footage, SeenDevice } from '../footage/index.ts'
import type { CameraSurvey } from '../ingest/index.ts'
import type { PaperPress } from '../paper/index.ts'
import type { RequestDesk } from '../requests/index.ts'
import type { OfficeCalendar, RuleShelf } from '../rules/index.ts'
import type { Viewing } from '../viewing/index.ts'

/** A camera as a form offers it. One that left the configuration is still asked for as long as its footage stands. */
export interface ConsoleCamera { readonly uuid: CameraUuid, readonly id: string, readonly name: string, readonly location: string, /** What its device last said of itself; null where it never did. */ readonly device: SeenDevice | null }

/** What the console stands on. It adds no right of its own: each of these looks for itself. Owned by whoever composes them. */
export interface ConsoleParts {
  readonly site: { readonly name: string, readonly timezone: string }
  /** Read only, for the audit log's own tables. */
  readonly db: Db
  readonly audit: Pick<AuditLog, 'append' | 'get' | 'size' | 'transaction' | 'tree'>
  readonly access: Access
  readonly desk: RequestDesk
  readonly book: Book
  readonly shelf: Pick<RuleShelf, 'all' | 'get' | 'inForceOn'>
  readonly calendar: () => OfficeCalendar
  readonly footage: Pick<Footage, 'cameras' | 'found'>
  /** For the day that is today, and no right. */
  readonly wallNow: () => EpochMs
  /** For what is waited for. */
  readonly clock: Clock
  readonly cameras: () => readonly ConsoleCamera[]
  readonly survey: Pick<CameraSurvey, 'discover' | 'probe'>
  readonly viewing: Viewing
  readonly copies: CopyDesk
  /** Null where none is configured, or it could not be opened. */
  readonly archive: Archive | null
  readonly press: PaperPress
}
