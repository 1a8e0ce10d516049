import { epochMs, SYSTEM, type AuditSink, type CameraChange, type CameraId, type CameraTrait,
  type EpochMs } from '../domain/index.ts'
import { withCatalogue, type Catalogue, type Db } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import { cameraTable } from './tables/cameras.ts'
import { cameraTraitTable } from './tables/camera-traits.ts'

export interface CameraTraitsOptions {
  readonly catalogue: Catalogue
  readonly audit: AuditSink
  readonly clock: Clock
  readonly log: Logger
}

/** A device that shows another value at each connection does not fill the audit log. */
const CHANGE_EVERY_MS = 3_600_000
const ACTIONS = { 'video-source': 'camera.channel-chosen',
  'certificate': 'camera.certificate-seen' } as const satisfies Record<CameraTrait, string>
const CHANGED = { 'video-source': 'camera.channel-changed',
  'certificate': 'camera.certificate-changed' } as const satisfies Record<CameraTrait, string>

/**
 * What each camera was last time: which lens of its device is recorded, which certificate it showed. Held in
 * memory, so that
 * no connection waits for the catalogue [INV-10]; a change is an audit entry.
 */
export class CameraTraits {
  readonly #options: CameraTraitsOptions
  readonly #cameras
  readonly #table
  readonly #known = new Map<string, { value: string | null, isStored: boolean, writtenAt: EpochMs | null }>()

  constructor(options: CameraTraitsOptions) {
    this.#options = options
    this.#cameras = cameraTable(options.catalogue.db)
    this.#table = cameraTraitTable(options.catalogue.db)
  }

  /** Null where nothing is known, or the catalogue does not tell. Never throws. */
  of(cameraId: CameraId, trait: CameraTrait): string | null { return this.#recall(cameraId, trait).value }

  /**
   * What the camera shows now. Never throws: what the catalogue refuses is tried again at the next
   * connection.
   */
  shown(cameraId: CameraId, trait: CameraTrait, value: string): void {
    const known = this.#recall(cameraId, trait), now = this.#options.clock.wallNow()
    if (known.value === value && known.isStored) return
    const isSoon = known.writtenAt !== null && Math.abs(now - known.writtenAt) < CHANGE_EVERY_MS
    this.#known.set(key(cameraId, trait), { ...known, value, isStored: false })
    if (isSoon) return
    try {
      this.#write(cameraId, trait, value, now)
      this.#known.set(key(cameraId, trait), { value, isStored: true, writtenAt: now })
    } catch (error) {
      this.#options.log.warn({ err: error, cameraId, trait }, 'what a camera showed could not be noted')
    }
  }

  #recall(cameraId: CameraId, trait: CameraTrait): {
    readonly value: string | null, readonly isStored: boolean, readonly writtenAt: EpochMs | null } {
    const known = this.#known.get(key(cameraId, trait))
    if (known !== undefined) return known
    const nothing = { value: null, isStored: false, writtenAt: null }
    try {
      const camera = this.#cameras.inUse(cameraId)
      const value = camera === null ? null : this.#table.find(camera, trait)
      if (value === null) return nothing
      const stored = { value, isStored: true, writtenAt: null }
      this.#known.set(key(cameraId, trait), stored)
      return stored
    } catch (error) {
      this.#options.log.warn({ err: error, cameraId, trait }, 'what a camera showed before cannot be read')
      return nothing
    }
  }

  #write(cameraId: CameraId, trait: CameraTrait, value: string, now: EpochMs): void {
    const camera = this.#cameras.inUse(cameraId)
    if (camera === null) return
    const { catalogue, audit } = this.#options
    withCatalogue(() => {
      catalogue.db.transaction(() => {
        const before = this.#table.find(camera, trait)
        if (before === value) return
        this.#table.put(camera, trait, { value, before, since: now })
        const action = before === null ? ACTIONS[trait] : CHANGED[trait]
        audit.append({ action, actor: SYSTEM, object: cameraId, application: null, result: 'done',
          detail: { camera, before, now: value } })
      })()
    })
  }

  /** Values that replaced others within the span before now. */
  changedWithin(spanMs: number): CameraChange[] {
    return this.#table.changedSince(epochMs(this.#options.clock.wallNow() - spanMs)) }
}

const key = (cameraId: CameraId, trait: CameraTrait): string => `${cameraId} ${trait}`

/** Which lens of its device each camera records, for the register; null where none is known. */
export function cameraChannels(db: Db): (camera: CameraId) => string | null {
  const cameras = cameraTable(db), traits = cameraTraitTable(db)
  return id => {
    const camera = cameras.find(id)
    return camera === null ? null : traits.find(camera.uuid, 'video-source')
  }
}
