import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { actorOf, personKey, RightMissingError, type Acting, type Act, type AuditBook, type Sessions } from '../access/index.ts'
import { isoOf, type CameraId, type CameraUuid, type EpochMs, type MonoMs } from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import { syncFolder, writeSynced } from '../platform/publish-file.ts'
import { PictureError, ViewingRefusedError } from './errors.ts'
import type { LiveDesk } from './live-desk.ts'
import type { StillMaker } from './still-maker.ts'
import { referenceImageTable, type ReferenceImage } from './tables/reference-images.ts'

export interface ReferenceImagesOptions {
  readonly db: Db
  readonly audit: AuditBook
  readonly sessions: Pick<Sessions, 'requireRight'>
  readonly live: LiveDesk
  readonly stills: StillMaker
  readonly clock: Clock
  readonly stateDir: string
}

/** A key frame comes within ten seconds of any camera that is recorded. */
const KEY_WITHIN_MS = 12_000
const CANDIDATE_MS = 5 * 60_000
const MOST_CANDIDATES = 4
/** Any of them lets somebody see the image that was approved. */
const READERS = ['reference-image', 'live-view', 'aim-camera', 'check'] as const satisfies readonly Act[]

interface Candidate { readonly id: string, readonly camera: CameraUuid, readonly cameraId: CameraId, readonly takenAt: EpochMs, readonly jpeg: Buffer, readonly by: string, readonly sinceMono: MonoMs }

/** The one still that live view yields: what a camera's direction is compared with (R5). Taken, looked at, approved by the custodian; then a file with its hash in row and audit log. */
export class ReferenceImages {
  readonly #options: ReferenceImagesOptions
  readonly #table: ReturnType<typeof referenceImageTable>
  readonly #folder: string
  #candidates: Candidate[] = []
  constructor(options: ReferenceImagesOptions) {
    this.#options = options
    this.#table = referenceImageTable(options.db)
    this.#folder = path.join(options.stateDir, 'reference-images')
  }

  /** A still of this moment to look at; nothing of it is kept unless it is approved within five minutes. Throws RightMissingError, ViewingRefusedError, PictureError. */
  async take(acting: Acting, id: CameraId): Promise<{ readonly candidate: string, readonly takenAt: EpochMs, readonly jpeg: Buffer }> {
    const { live, audit, sessions, stills, clock } = this.#options
    const camera = this.#perform(acting, 'reference-image.taken', id, () => {
      sessions.requireRight(acting, 'reference-image')
      const known = live.camera(id)
      audit.append({ action: 'reference-image.taken', actor: actorOf(acting), object: id, application: null, result: 'done', detail: {} })
      return known
    })
    const over = new AbortController()
    void clock.wait(KEY_WITHIN_MS, over.signal).then(() => { over.abort() })
    const [stream] = camera.streams
    const next = stream === undefined ? null : await live.feed(id, stream).nextKey(over.signal)
    over.abort()
    if (next === null) throw new PictureError('鏡頭目前沒有畫面。', 'the camera gives no picture now')
    const jpeg = await stills.make(next.piece.init, next.piece.bytes)
    const candidate: Candidate = { id: randomBytes(16).toString('hex'), camera: camera.uuid, cameraId: id, takenAt: next.at, jpeg, by: personKey(acting), sinceMono: clock.monoNow() }
    this.#candidates = [...this.#fresh().slice(-MOST_CANDIDATES + 1), candidate]
    return { candidate: candidate.id, takenAt: candidate.takenAt, jpeg }
  }

  /** What was taken, for who took it. Throws ViewingRefusedError, RightMissingError. */
  candidate(acting: Acting, candidateId: string): Buffer { return this.#candidate(acting, candidateId).jpeg }

  /** File first and whole, then row and entry: a file without a row is swept by nobody and shown to nobody. Throws ViewingRefusedError, RightMissingError, AuditUnavailableError. */
  async approve(acting: Acting, candidateId: string): Promise<ReferenceImage> {
    const { audit, sessions } = this.#options
    const candidate = this.#candidate(acting, candidateId)
    const sha256 = createHash('sha256').update(candidate.jpeg).digest('hex')
    const file = this.#fileOf(candidate.id)
    await this.#write(file, candidate.jpeg)
    try {
      const image = this.#perform(acting, 'reference-image.approved', candidate.cameraId, () => {
        sessions.requireRight(acting, 'reference-image')
        const { seq } = audit.append({ action: 'reference-image.approved', actor: actorOf(acting), object: candidate.cameraId, application: null, result: 'done', detail: { image: candidate.id, takenAt: isoOf(candidate.takenAt), sha256 } })
        const approved: ReferenceImage = { id: candidate.id, camera: candidate.camera, takenAt: candidate.takenAt, sizeBytes: candidate.jpeg.length, sha256, approvedBy: personKey(acting), approvedSeq: seq }
        this.#table.add(approved)
        return approved
      })
      this.#candidates = this.#candidates.filter(each => each !== candidate)
      return image
    } catch (error) {
      await rm(file, { force: true })
      throw error
    }
  }

  /** The image in force; null while there is none. Throws RightMissingError, PictureError when the file is not what was approved. */
  async read(acting: Acting, id: CameraId): Promise<{ readonly image: ReferenceImage, readonly jpeg: Buffer } | null> {
    this.#requireReader(acting)
    const [image] = this.#table.ofCamera(this.#options.live.camera(id).uuid)
    if (image === undefined) return null
    const jpeg = await readFile(this.#fileOf(image.id)).catch(() => null)
    if (jpeg === null || createHash('sha256').update(jpeg).digest('hex') !== image.sha256) throw new PictureError('參考影像檔遺失或與核定時不符。', 'the file of the reference image is missing or not what was approved')
    return { image, jpeg }
  }

  #candidate(acting: Acting, id: string): Candidate {
    this.#options.sessions.requireRight(acting, 'reference-image')
    const candidate = this.#fresh().find(each => each.id === id && each.by === personKey(acting))
    if (candidate === undefined) throw new ViewingRefusedError('這張影像已逾五分鐘或不是您擷取的。', 'that still is gone after five minutes, or somebody else took it')
    return candidate
  }

  #requireReader(acting: Acting): void {
    let refusal: unknown
    for (const act of READERS) {
      try { this.#options.sessions.requireRight(acting, act); return } catch (error) { refusal ??= error }
    }
    throw refusal
  }

  #fresh(): Candidate[] {
    const now = this.#options.clock.monoNow()
    return this.#candidates = this.#candidates.filter(({ sinceMono }) => now - sinceMono <= CANDIDATE_MS)
  }
  #fileOf(id: string): string { return path.join(this.#folder, `${id}.jpg`) }

  async #write(file: string, bytes: Buffer): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    await writeSynced(file, bytes, { mode: 0o600, flag: 'wx' })
    await syncFolder(this.#folder)
  }

  #perform<Result>(acting: Acting, action: string, object: string, work: () => Result): Result {
    const { audit } = this.#options
    try { return audit.transaction(work) } catch (error) {
      if (error instanceof RightMissingError) audit.append({ action, actor: actorOf(acting), object, application: null, result: 'refused', detail: { code: error.code } })
      throw error
    }
  }
}
