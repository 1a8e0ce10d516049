import type { Acting, Act } from '../../access/index.ts'
import type { AuditLog, EvidenceCheckpoints } from '../../audit/index.ts'
import type { BookUse, LogBook } from '../../book/index.ts'
import type { CameraId, CameraUuid, EpochMs } from '../../domain/index.ts'
import type { Footage } from '../../footage/index.ts'
import type { Db } from '../../platform/catalogue.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Application, GrantBook } from '../../requests/index.ts'
import type { RuleSet } from '../../rules/index.ts'
import type { Destinations } from '../courier/courier.ts'
import type { Manifest } from '../package/manifest.ts'
import type { CustodyStep, FormFile, PackageSigner, SealFacts } from '../package/seal-package.ts'
import type { TimestampHook } from '../package/time-stamp.ts'
import type { HandOver } from './hand-over.ts'

/** Where Masters and preserved copies are kept; the archive is one. Putting the same footage of the same application again gives the item it made. */
export interface MasterArchive { put(acting: Acting, ask: { readonly folder: string, readonly facts: MasterFacts }): Promise<{ readonly itemNo: string }> }
export interface MasterFacts {
  readonly application: string
  readonly kind: 'copy-master' | 'preserved' | 'decided'
  readonly reason: string
  readonly requester: string
  readonly approver: string
  readonly ranges: readonly { readonly cameraUuid: CameraUuid, readonly cameraId: CameraId, readonly cameraName: string, readonly from: EpochMs, readonly to: EpochMs }[]
  /** Over the SHA-256 of each video file in the order of the manifest: one line `HASH  PATH` each. */
  readonly footageSha256: string
}

/** What is handed to whom, as the sheets beside a package have it. Everything else on them is read from the package itself. */
export interface SheetFacts {
  readonly ruleSet: RuleSet
  readonly manifest: Manifest
  readonly manifestSha256: string
  readonly custody: readonly CustodyStep[]
  readonly recipient: HandOver['recipient']
  readonly medium: HandOver['medium']
  readonly archiveItem: string
  readonly bookLine: number
}

/** What is printed. Names end in `.pdf`. */
export interface Papers {
  /** Forms that go into the package (E10). */
  forms(of: { readonly application: Application | null, readonly ruleSet: RuleSet | null, readonly facts: Omit<SealFacts, 'forms'>, /** What the release will be in the log book; null for what is handed to nobody. */ readonly use: Omit<BookUse, 'auditSeq'> | null }): Promise<readonly FormFile[]>
  /** Sheets that need the hash of the manifest, and so lie beside the package (E9, E14). */
  sheets(of: SheetFacts): Promise<readonly FormFile[]>
}

/** What the register says of a camera; null where it says nothing. */
export interface CameraFacts { readonly id: CameraId, readonly name: string, readonly location: string | null }

export interface CopyDeskOptions {
  readonly db: Db
  readonly audit: AuditLog
  readonly clock: Clock
  /** `Access.sessions`. */
  readonly rights: { requireRight(acting: Acting, act: Act): void }
  readonly grants: Pick<GrantBook, 'open' | 'ended' | 'now' | 'mayLeave' | 'mayCopyNow' | 'record' | 'toPreserve'>
  readonly book: Pick<LogBook, 'enter' | 'last'>
  /** `isBusy`: reading waits [G9]. */
  readonly footage: Pick<Footage, 'segments' | 'open' | 'device' | 'gaps' | 'isBusy'>
  readonly camera: (uuid: CameraUuid) => CameraFacts | null
  readonly checkpoints: EvidenceCheckpoints
  /** Asked before each sealing; rejects while the recorder cannot sign. */
  readonly signer: () => Promise<PackageSigner>
  /** Asked at each sealing. */
  readonly timestamp: () => TimestampHook | null
  readonly archive: MasterArchive
  readonly destinations: Destinations
  readonly papers: Papers
  /** What is known of the clock while packing (E5). */
  readonly time: () => Pick<Manifest['time'], 'sync' | 'recorderOffsetMs' | 'uncertaintyMs' | 'comparison'>
  /** Folders of the recorder itself, absolute: keys, catalogue, footage, archive. Nothing is delivered into them, whoever asks. */
  readonly own: () => readonly string[]
  /** Copies are put together below this folder, mode 0700. */
  readonly folder: string
  readonly office: string
  readonly timezone: string
  readonly version: string
}
