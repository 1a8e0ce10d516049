import { canonicalJson } from './audit-check.ts'
import { equalBytes, utf8Bytes, utf8Text, type Bytes } from './bytes.ts'

/** What of manifest.json this page uses. Each field was looked at: whoever made the file may have put anything there. */
export interface Manifest {
  readonly packageId: string
  readonly createdAt: string
  readonly createdOn: string
  readonly application: { readonly number: string, readonly formTitle: string, readonly agency: string, readonly purpose: string, readonly legalBasis: string }
  readonly exporter: string
  readonly witness: string
  readonly recorder: string
  readonly fingerprint: string
  /** An RFC 3161 token over this very manifest lies beside it. */
  readonly tokenFollows: boolean
  readonly videos: readonly ManifestVideo[]
  readonly gaps: readonly ManifestGap[]
  readonly files: readonly ManifestFile[]
}
export interface ManifestFile { readonly path: string, readonly bytes: number, readonly sha256: string }
export interface ManifestGap { readonly cameraId: string, readonly stream: string, readonly fromMs: number, readonly toMs: number, readonly zh: string, readonly en: string, readonly isThinned: boolean }
export interface ManifestSegment { readonly merkleRoot: string, readonly leaves: number, /** The entry that names it. */ readonly auditSeq: number | null }
export interface ManifestRecord {
  readonly segment: number
  readonly sequence: number
  readonly offset: number
  readonly bytes: number
  readonly atMs: number
  readonly durationMs: number
  readonly key: boolean
  /** Cut at a granted edge: it lacks frames, so that it cannot be hashed as it was recorded. */
  readonly cut: boolean
  readonly sha256: string
  readonly proof: readonly string[]
}
export interface ManifestVideo {
  readonly path: string
  readonly cameraId: string
  readonly cameraName: string
  readonly location: string
  readonly stream: string
  readonly codec: string
  readonly sha256: string
  readonly firstFrameMs: number
  readonly endMs: number
  /** What may be in it: the granted ranges of its camera, and the pre-roll it lists. Half-open. */
  readonly granted: readonly { readonly fromMs: number, readonly toMs: number }[]
  readonly segments: readonly ManifestSegment[]
  readonly records: readonly ManifestRecord[]
}

/** The manifest is not one; the message says where. */
export class ManifestError extends Error { override readonly name = 'ManifestError' }

/** A browser's text ends at 512 MiB; an hour of one camera takes about 6 MiB. */
export const MAX_MANIFEST_BYTES = 384 << 20
export const MAX_RECORDS = 2_000_000
const MAX_LIST = 100_000
const MAX_TEXT = 2000
const MAX_RECORD_BYTES = 64 << 20
const MAX_PROOF_STEPS = 40
const HEX_32 = /^[0-9a-f]{64}$/

type Fields = Readonly<Record<string, unknown>>

function fields(value: unknown, where: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ManifestError(`${where} is no mapping`)
  return value as Fields
}
function list(value: unknown, where: string, most = MAX_LIST): readonly unknown[] {
  if (!Array.isArray(value)) throw new ManifestError(`${where} is no list`)
  if (value.length > most) throw new ManifestError(`${where} has ${value.length} items; ${most} are read`)
  return value as readonly unknown[]
}
function text(value: unknown, where: string): string {
  if (typeof value !== 'string') throw new ManifestError(`${where} is no text`)
  if (value.length > MAX_TEXT) throw new ManifestError(`${where} has ${value.length} characters`)
  return value
}
/** Shown only, so that a missing one is no fault here: the signature tells whether it was meant. */
const shown = (value: unknown): string => typeof value === 'string' ? value.slice(0, MAX_TEXT) : ''
function whole(value: unknown, where: string, most = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > most) throw new ManifestError(`${where} is no whole number in its bounds`)
  return value
}
function hash(value: unknown, where: string): string {
  if (typeof value !== 'string' || !HEX_32.test(value)) throw new ManifestError(`${where} is no SHA-256`)
  return value
}
function instant(value: unknown, where: string): number {
  const ms = typeof value === 'string' && value.length <= 40 ? Date.parse(value) : Number.NaN
  if (Number.isNaN(ms)) throw new ManifestError(`${where} is no instant`)
  return ms
}
/** A path inside the package: no empty step, no step up, no backslash. */
function path(value: unknown, where: string): string {
  const given = text(value, where)
  if (given.startsWith('/') || given.includes('\\') || given.split('/').some(step => step === '' || step === '.' || step === '..')) throw new ManifestError(`${where} leaves the package`)
  return given
}
const person = (value: unknown): string => {
  if (typeof value !== 'object' || value === null) return ''
  const { name, role, account } = value as Fields
  return [shown(name) || shown(account), shown(role)].filter(part => part !== '').join('，')
}

/** RFC 8785, as the recorder writes it: whoever reads the text sees what was signed, and no key stands twice. */
function isCanonical(value: unknown, bytes: Bytes): boolean {
  try { return equalBytes(utf8Bytes(canonicalJson(value)), bytes) } catch { return false } // TypeError: numbers or depths that no manifest has
}

/** Throws ManifestError. */
export function parseManifest(bytes: Bytes): Manifest {
  let value: unknown
  try { value = JSON.parse(utf8Text(bytes)) } catch (error) { throw new ManifestError(`no JSON: ${String(error).slice(0, 200)}`) }
  const top = fields(value, 'the manifest')
  if (top.format !== 'custos-evidence/1') throw new ManifestError(`format ${JSON.stringify(top.format ?? null).slice(0, 60)}; this page reads custos-evidence/1`)
  const application = fields(top.application, 'application'), recorder = fields(top.recorder ?? {}, 'recorder'), key = fields(top.key, 'key'), time = fields(top.time, 'time')
  const scope = list(application.scope, 'application.scope').map((each, i) => {
    const line = fields(each, `application.scope[${i}]`)
    return { camera: text(line.cameraUuid, `application.scope[${i}].cameraUuid`), ...span(line, `application.scope[${i}]`) }
  })
  let records = 0
  const videos = list(top.videos, 'videos').map((each, i) => {
    const video = parseVideo(fields(each, `videos[${i}]`), `videos[${i}]`, scope)
    records += video.records.length
    if (records > MAX_RECORDS) throw new ManifestError(`more than ${MAX_RECORDS} records`)
    return video
  })
  const manifest: Manifest = {
    packageId: text(top.packageId, 'packageId'), createdAt: text(top.createdAt, 'createdAt'), createdOn: shown(top.createdOn), fingerprint: hash(key.fingerprint, 'key.fingerprint'), tokenFollows: time.timestampAuthority === 'token-follows',
    application: { number: shown(application.number), formTitle: shown(application.formTitle), agency: shown(application.agency), purpose: shown(application.purpose), legalBasis: shown(application.legalBasis) },
    exporter: person(top.exporter), witness: person(top.witness),
    recorder: ['make', 'model', 'serial', 'version'].map(name => shown(recorder[name])).filter(part => part !== '').join(' '),
    videos,
    gaps: list(top.gaps, 'gaps').map((each, i) => parseGap(fields(each, `gaps[${i}]`), `gaps[${i}]`)),
    files: uniquePaths(list(top.files, 'files').map((each, i) => {
      const file = fields(each, `files[${i}]`)
      return { path: path(file.path, `files[${i}].path`), bytes: whole(file.bytes, `files[${i}].bytes`), sha256: hash(file.sha256, `files[${i}].sha256`) }
    })),
  }
  if (!isCanonical(value, bytes)) throw new ManifestError('it is not in its canonical form')
  return manifest
}

function uniquePaths(files: readonly ManifestFile[]): readonly ManifestFile[] {
  if (new Set(files.map(file => file.path)).size !== files.length) throw new ManifestError('files names one path twice')
  return files
}

function parseGap(gap: Fields, where: string): ManifestGap {
  const cause = fields(gap.cause ?? {}, `${where}.cause`)
  return {
    cameraId: text(gap.cameraId, `${where}.cameraId`), stream: shown(gap.stream), fromMs: instant(gap.from, `${where}.from`), toMs: instant(gap.to, `${where}.to`),
    isThinned: cause.code === 'key-frames-only', zh: shown(cause.zh) || shown(cause.code) || '原因不明', en: shown(cause.en) || shown(cause.code) || 'cause unknown',
  }
}

type Span = ManifestVideo['granted'][number]
const span = (line: Fields, where: string): Span => ({ fromMs: instant(line.from, `${where}.from`), toMs: instant(line.to, `${where}.to`) })

function parseVideo(video: Fields, where: string, scope: readonly (Span & { readonly camera: string })[]): ManifestVideo {
  const segments = list(video.segments, `${where}.segments`).map((each, i) => {
    const segment = fields(each, `${where}.segments[${i}]`)
    return { merkleRoot: hash(segment.merkleRoot, `${where}.segments[${i}].merkleRoot`), leaves: whole(segment.leaves, `${where}.segments[${i}].leaves`), auditSeq: segment.auditSeq == null ? null : whole(segment.auditSeq, `${where}.segments[${i}].auditSeq`) }
  })
  return {
    path: path(video.path, `${where}.path`), cameraId: text(video.cameraId, `${where}.cameraId`), cameraName: shown(video.cameraName), location: shown(video.location), stream: shown(video.stream), codec: shown(video.codec),
    sha256: hash(video.sha256, `${where}.sha256`), firstFrameMs: instant(video.firstFrameAt, `${where}.firstFrameAt`), endMs: instant(video.endAt, `${where}.endAt`), segments,
    granted: [...scope.filter(({ camera }) => camera === video.cameraUuid), ...video.preRoll == null ? [] : [span(fields(video.preRoll, `${where}.preRoll`), `${where}.preRoll`)]],
    records: list(video.records, `${where}.records`, MAX_RECORDS).map((each, i) => {
      const at = `${where}.records[${i}]`, record = fields(each, at)
      const segment = whole(record.segment, `${at}.segment`)
      if (segment >= segments.length) throw new ManifestError(`${at}.segment is not listed`)
      return {
        segment, sequence: whole(record.sequence, `${at}.sequence`, 0xfffffffe), offset: whole(record.offset, `${at}.offset`), bytes: whole(record.bytes, `${at}.bytes`, MAX_RECORD_BYTES),
        atMs: instant(record.at, `${at}.at`), durationMs: whole(record.durationMs, `${at}.durationMs`, 3_600_000), key: record.key === true, cut: record.cut === true, sha256: hash(record.sha256, `${at}.sha256`),
        proof: list(record.proof ?? [], `${at}.proof`, MAX_PROOF_STEPS).map(step => hash(step, `${at}.proof`)),
      }
    }),
  }
}
