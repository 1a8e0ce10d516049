import { canonicalJson } from '../../audit/index.ts'
import type { AuditValue } from '../../domain/index.ts'
import type { ManifestPlayback } from './play-video.ts'
import type { TIMESTAMP_TEXTS } from './time-stamp.ts'

/** The one spelling of the format; another number means another reader. */
export const PACKAGE_FORMAT = 'custos-evidence/1'

/** One granted camera and range. Instants everywhere in a package are ISO 8601 in UTC with milliseconds; ranges are half-open. */
export type ManifestScope = { readonly cameraId: string, readonly cameraUuid: string, readonly cameraName: string, readonly from: string, readonly to: string }
export type ManifestApproval = { readonly post: string, readonly name: string, readonly at: string, readonly decision: string }
export type ManifestApplication = {
  readonly number: string
  readonly form: string
  readonly formTitle: string
  /** 法令(公文)依據. */
  readonly legalBasis: string
  readonly agency: string
  readonly purpose: string
  readonly preRollAllowed: boolean
  readonly scope: readonly ManifestScope[]
  readonly approvals: readonly ManifestApproval[]
  readonly ruleSet: string
}
export type ManifestPerson = { readonly account: string, readonly name: string, readonly role: string }
/** `serial` is the id of the audit log: it was minted with the recorder and stands in every checkpoint. */
export type ManifestRecorder = { readonly make: string, readonly model: string, readonly serial: string, readonly version: string }
export type ManifestKey = { readonly algorithm: 'ECDSA P-256 SHA-256', readonly fingerprint: string }

/** E5. What was not measured is null and says so in words, never 0. */
export type ManifestTime = {
  /** Which clock stamped the frames. */
  readonly stampedBy: { readonly zh: string, readonly en: string }
  readonly utcOffset: string
  readonly sync: { readonly source: string, readonly state: string, readonly stratum: number | null } | null
  readonly recorderOffsetMs: number | null
  readonly uncertaintyMs: number | null
  readonly atExport: string
  /** The camera's clock minus the recorder's, as asked while recording. */
  readonly cameraOffsets: readonly { readonly cameraId: string, readonly from: string, readonly to: string, readonly minMs: number, readonly maxMs: number }[]
  /** The officer's comparison with 117 or another reference, in their words. */
  readonly comparison: { readonly by: string, readonly at: string, readonly reference: string, readonly differenceMs: number, readonly note: string } | null
  /** RFC 3161: whether a token lies beside the manifest. It may be added later; the manifest says how it stood when it was signed. */
  readonly timestampAuthority: 'token-follows' | 'not-obtained'
  /** Why none was obtained; null when one follows. */
  readonly timestampWhyNot: keyof typeof TIMESTAMP_TEXTS | null
}

/** One use of a slot. `merkleRoot` is RFC 6962 over the SHA-256 of its records; `isSealed` false: it was still being written, and the root is over what stood in it then. */
export type ManifestSegment = {
  readonly volume: string, readonly slot: number, readonly generation: number, readonly merkleRoot: string, readonly leaves: number, readonly isSealed: boolean
  /** The audit entry that names the root. */
  readonly auditSeq: number | null
}

/**
 * One record in a video file: the bytes `[offset, offset + bytes)`. To get back what was recorded, and so its
 * `sha256`: set the pictures' `tfdt` back to the media time in `prft`, another track's back by as much in its
 * own ticks (rounded), and the `mfhd` sequence number to `sequence` + 1. A record that was cut at a granted
 * edge lacks frames, and one whose frames stood into the next record was shortened: such a record (`cut`)
 * cannot be hashed again; `proof` still leads from the hash of the whole one to the segment's root.
 */
export type ManifestRecord = {
  /** Index in the video's `segments`. */
  readonly segment: number
  /** Position in the segment, from 0. */
  readonly sequence: number
  readonly offset: number
  readonly bytes: number
  readonly at: string
  readonly durationMs: number
  /** Pictures in it. */
  readonly frames: number
  readonly key: boolean
  readonly cut: boolean
  readonly sha256: string
  readonly proof: readonly string[]
}

export type ManifestVideo = {
  readonly path: string
  readonly cameraId: string, readonly cameraUuid: string, readonly cameraName: string
  readonly location: string | null, readonly maker: string | null, readonly model: string | null, readonly firmware: string | null
  readonly stream: string
  /** RFC 6381, e.g. `avc1.64001f`. */
  readonly codec: string
  readonly widthPx: number, readonly heightPx: number
  /** Decimal text with three places: canonical JSON here has whole numbers only. */
  readonly fps: string
  readonly bitrateBps: number
  readonly firstFrameAt: string
  readonly endAt: string
  readonly frames: number
  readonly bytes: number
  readonly sha256: string
  readonly preRoll: { readonly from: string, readonly to: string } | null
  readonly mediaSigning: 'none' | 'present-unverified'
  readonly segments: readonly ManifestSegment[]
  readonly records: readonly ManifestRecord[]
}

export type ManifestGap = { readonly cameraId: string, readonly cameraName: string, readonly stream: string, readonly from: string, readonly to: string, readonly cause: { readonly code: string, readonly zh: string, readonly en: string } }
export type ManifestFile = { readonly path: string, readonly bytes: number, readonly sha256: string }

/** `manifest.json`: what was asked, approved, taken and by whom, and every other file with its hash. The signature covers its bytes. */
export type Manifest = {
  readonly format: typeof PACKAGE_FORMAT
  readonly packageId: string
  readonly createdAt: string
  /** 民國 date where the office is. */
  readonly createdOn: string
  readonly timezone: string
  /** `release`: to be handed over. `preserve`: the office's own 複製存檔 (R21, R33), which stays in the archive. */
  readonly intent: 'release' | 'preserve'
  readonly application: ManifestApplication
  readonly exporter: ManifestPerson
  /** Who released it as the second person; for `preserve` who approved it. */
  readonly witness: ManifestPerson
  readonly recorder: ManifestRecorder
  readonly key: ManifestKey
  readonly time: ManifestTime
  readonly redaction: 'none'
  readonly masks: readonly string[]
  readonly videos: readonly ManifestVideo[]
  readonly gaps: readonly ManifestGap[]
  /** What decoding the pictures came to when they were read back. They are as they were recorded, whatever it says. */
  readonly playback: readonly ManifestPlayback[]
  readonly files: readonly ManifestFile[]
}

/** The bytes that are signed. */
export const manifestText = (manifest: Manifest): string => canonicalJson(manifest as unknown as AuditValue)

/** Files that lie over the manifest and so cannot be listed in it. */
export const SIGNATURE_FILES = ['manifest.sig', 'manifest.p7s', 'manifest.tsr'] as const
/** In `files` stands all but these. */
export const OUTSIDE_MANIFEST: readonly string[] = ['manifest.json', 'SHA256SUMS', ...SIGNATURE_FILES]
/** In SHA256SUMS stands all but these. */
export const OUTSIDE_SUMS: readonly string[] = ['SHA256SUMS', ...SIGNATURE_FILES]

/** `115-調-0001-1`, also the folder's name: the application's number and which package of it this is, from 1. */
export const packageIdOf = (application: string, count: number): string => `${application}-${count}`
