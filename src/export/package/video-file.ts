import { createHash } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { epochMs, isoOf, type EpochMs } from '../../domain/index.ts'
import { codecName } from './codec-name.ts'
import { ClipTimeline } from '../clip.ts'
import { cutRecord, type TimedSample } from './cut.ts'
import type { ManifestRecord, ManifestSegment, ManifestVideo } from './manifest.ts'
import { SegmentTree } from './merkle-proofs.ts'
import { exportedMoov } from './onvif-boxes.ts'
import type { IndexEntry, SlotFootage } from '../../slots/index.ts'

/** What a video file says of where it comes from. */
export interface VideoSubject {
  readonly cameraId: string, readonly cameraUuid: string, readonly cameraName: string
  readonly location: string | null, readonly maker: string | null, readonly model: string | null, readonly firmware: string | null
  readonly stream: string
  readonly unitName: string
  readonly operator: string
  readonly exportedAt: EpochMs
}

/** One record with what stays of it. */
export interface KeptRecord { readonly footage: SlotFootage, readonly position: number, readonly entry: IndexEntry, readonly bytes: Buffer, readonly samples: readonly (readonly TimedSample[])[], readonly kept: readonly (readonly boolean[])[] }

/** Axis and ONVIF media signing: the SEI by which a camera signs its own pictures. */
const MEDIA_SIGNING_UUID = Buffer.from('005bc93f2d715e95ada4796f90877a6f', 'hex')
const LOOKED_AT_KEYS = 16 // the certificate comes with the first groups, or never

/** One MP4 of one camera and one run, being written. It is on the medium when `finish` returns; a file that was not finished is the caller's to remove. */
export class VideoFile {
  readonly #subject: VideoSubject
  readonly #file: FileHandle
  readonly path: string
  readonly #digest = createHash('sha256')
  readonly #timeline: ClipTimeline
  readonly #records: ManifestRecord[] = []
  readonly #segments: { readonly footage: SlotFootage, readonly tree: SegmentTree }[] = []
  readonly #init: SlotFootage['init']
  readonly #startAt: EpochMs
  #bytes = 0
  #frames = 0
  #endAt: EpochMs
  #keysLookedAt = 0
  #isSigned = false
  /** Of what was granted as pre-roll: sound may begin a moment before the first picture. */
  #preRoll: { readonly from: EpochMs, readonly to: EpochMs } | null = null
  #pending: Promise<unknown> = Promise.resolve()

  private constructor(subject: VideoSubject, file: FileHandle, name: string, first: KeptRecord) {
    this.#subject = subject
    this.#file = file
    this.path = name
    this.#init = first.footage.init
    this.#startAt = first.entry.startAt
    this.#endAt = first.entry.startAt
    this.#timeline = new ClipTimeline(first.entry.startAt)
  }

  /** Makes `video/CAMERA_START.mp4` below `folder`; the folder is there. After the clock was set back a second run may begin in the same millisecond: `CAMERA_START-2.mp4`. */
  static async create(folder: string, subject: VideoSubject, first: KeptRecord): Promise<VideoFile> {
    const stamp = isoOf(first.entry.startAt).replace(/[-:.]/g, '')
    const stem = `video/${subject.cameraId}${subject.stream === 'main' ? '' : `-${subject.stream}`}_${stamp}`
    const { file, name } = await createFree(folder, stem)
    const video = new VideoFile(subject, file, name, first)
    const { init } = first.footage
    await video.#put(init.ftyp)
    await video.#put(exportedMoov(init, {
      unitName: subject.unitName, operator: subject.operator, exportedAtMs: subject.exportedAt, sourceName: `${subject.cameraName} (${subject.cameraId}/${subject.stream})`, location: subject.location, startAtMs: first.entry.startAt,
    }))
    return video
  }

  get endAt(): EpochMs { return this.#endAt }

  /** Appends a record. Its bytes are changed in place, as writeClip does. False when nothing of it stays. */
  async add({ footage, position, entry, bytes, samples, kept }: KeptRecord, isPreRoll: boolean): Promise<boolean> {
    const left = samples.flatMap((track, i) => track.filter((_, j) => kept[i]?.[j] === true))
    if (left.length === 0) return false
    const isShortened = this.#timeline.place(bytes, footage, position, this.#records.length + 1)
    const isPartial = samples.some((track, i) => track.some((_, j) => kept[i]?.[j] !== true))
    const written = isPartial ? cutRecord(bytes, kept) : bytes
    if (written === null) return false
    if (entry.startsWithKey && !this.#isSigned && this.#keysLookedAt++ < LOOKED_AT_KEYS) this.#isSigned = bytes.includes(MEDIA_SIGNING_UUID)
    const pictures = left.filter(({ isVideo }) => isVideo)
    const endAt = Math.max(...(pictures.length > 0 ? pictures : left).map(sample => sample.endAt))
    const { tree, index } = this.#segmentOf(footage)
    this.#records.push({
      segment: index, sequence: position, offset: this.#bytes, bytes: written.length, at: isoOf(entry.startAt), durationMs: Math.max(0, endAt - entry.startAt), frames: pictures.length,
      key: entry.startsWithKey, cut: isPartial || isShortened, sha256: entry.sha256.toString('hex'),
      proof: tree.path(position).map(hash => hash.toString('hex')),
    })
    this.#frames += pictures.length
    this.#endAt = epochMs(Math.max(this.#endAt, endAt))
    if (isPreRoll) this.#preRoll = { from: this.#preRoll?.from ?? epochMs(Math.min(entry.startAt, ...left.map(sample => sample.decodeAt))), to: epochMs(endAt) }
    await this.#put(written)
    return true
  }

  #segmentOf(footage: SlotFootage): { readonly tree: SegmentTree, readonly index: number } {
    const last = this.#segments.at(-1)
    if (last?.footage === footage) return { tree: last.tree, index: this.#segments.length - 1 }
    const tree = new SegmentTree(footage.entries.map(entry => entry.sha256))
    this.#segments.push({ footage, tree })
    return { tree, index: this.#segments.length - 1 }
  }

  /** The write goes on while the next record is read; its bytes belong to it until then. */
  async #put(bytes: Buffer): Promise<void> {
    await this.#pending
    this.#pending = this.#file.appendFile(bytes)
    this.#pending.catch(() => undefined) // told by the next call, or by finish
    this.#digest.update(bytes)
    this.#bytes += bytes.length
  }

  /** Syncs and closes. `auditSeq` is not known yet: see `withAuditSeq`. */
  async finish(grantFrom: EpochMs): Promise<ManifestVideo> {
    try {
      await this.#pending
      await this.#file.sync()
    } finally { await this.#file.close() }
    const { unitName: _, operator: __, exportedAt: ___, ...subject } = this.#subject
    const durationMs = Math.max(1, this.#endAt - this.#startAt)
    return {
      ...subject, path: this.path, codec: codecName(this.#init), widthPx: this.#init.video.widthPx, heightPx: this.#init.video.heightPx,
      fps: (this.#frames * 1000 / durationMs).toFixed(3), bitrateBps: Math.round(this.#bytes * 8000 / durationMs), firstFrameAt: isoOf(this.#startAt), endAt: isoOf(this.#endAt),
      frames: this.#frames, bytes: this.#bytes, sha256: this.#digest.digest('hex'),
      preRoll: this.#preRoll === null ? null : { from: isoOf(this.#preRoll.from), to: isoOf(epochMs(Math.min(grantFrom, this.#endAt))) }, mediaSigning: this.#isSigned ? 'present-unverified' : 'none',
      segments: this.#segments.map(({ footage: { header, sealed }, tree }): ManifestSegment => ({
        volume: header.volumeUuid, slot: header.slot, generation: header.generation, merkleRoot: tree.root().toString('hex'), leaves: tree.size, isSealed: sealed !== null, auditSeq: null,
      })),
      records: this.#records,
    }
  }

  /** Closes without finishing. */
  async abandon(): Promise<void> {
    await this.#pending.catch(() => undefined)
    await this.#file.close().catch(() => undefined)
  }
}

async function createFree(folder: string, stem: string): Promise<{ readonly file: FileHandle, readonly name: string }> {
  for (let count = 1; ; count++) {
    const name = `${stem}${count === 1 ? '' : `-${count}`}.mp4`
    try { return { file: await open(path.join(folder, name), 'wx', 0o600), name } } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}
