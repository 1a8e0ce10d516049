import { epochMs, SYSTEM, type AuditSink, type CameraChange, type CameraId, type CameraUuid,
  type DeviceFacts, type EpochMs } from '../domain/index.ts'
import type { SeenDevice } from '../footage/index.ts'
import { withCatalogue, type Catalogue, type Db } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import { cameraTable } from './tables/cameras.ts'
import { deviceTable } from './tables/devices.ts'

export interface DeviceBookOptions { readonly catalogue: Catalogue, readonly audit: AuditSink, readonly clock: Clock, readonly log: Logger }

const DAY_MS = 86_400_000
/** A device that is another at each question fills neither catalogue nor audit log. */
export const MOST_CHANGES_A_DAY = 12

/** Which device stood behind each camera and when, as far as devices told (E4, R82). Nothing of it is in the way of recording. */
export class DeviceBook {
  readonly #options: DeviceBookOptions
  readonly #cameras
  readonly #devices
  constructor(options: DeviceBookOptions) {
    this.#options = options
    this.#cameras = cameraTable(options.catalogue.db)
    this.#devices = deviceTable(options.catalogue.db)
  }

  /** Takes down what the device of a camera said just now; a device that is another than before is an audit entry. Throws CatalogueFaultError. */
  heard(cameraId: CameraId, told: DeviceFacts): void {
    const camera = this.#cameras.find(cameraId)?.uuid, now = this.#options.clock.wallNow()
    if (camera === undefined || Object.values(told).every(fact => fact === null)) return
    withCatalogue(() => { this.#options.catalogue.db.transaction(() => { this.#note(cameraId, camera, told, now) })() })
  }

  /** Cameras that came to be another device within the span before now. */
  changedWithin(spanMs: number): CameraChange[] {
    return this.#devices.replacedSince(epochMs(this.#options.clock.wallNow() - spanMs)) }

  #note(cameraId: CameraId, camera: CameraUuid, told: DeviceFacts, now: EpochMs): void {
    const before = this.#devices.newest(camera)
    if (before !== null && isSame(before, told)) { this.#devices.seenAgain(camera, before, now); return }
    if (this.#devices.countSince(camera, epochMs(now - DAY_MS)) >= MOST_CHANGES_A_DAY) {
      this.#options.log.warn({ cameraId }, 'the device of a camera says something else each time; no more of it is noted today')
      return
    }
    const connectedAt = this.#devices.connectedSince(camera, now) ?? now
    // Not from before the other one was last heard, whatever the clock did meanwhile.
    const firstSeenAt = epochMs(before === null ? connectedAt : Math.max(connectedAt, before.lastSeenAt + 1))
    this.#devices.insert(camera, { ...told, firstSeenAt, lastSeenAt: epochMs(Math.max(now, firstSeenAt)) })
    this.#options.audit.append({ action: 'camera.device-changed', actor: SYSTEM, object: cameraId, application: null, result: 'done', detail: { camera, since: firstSeenAt, before: before === null ? null : factsOf(before), now: factsOf(told) } })
  }
}

const factsOf = ({ maker, model, firmware, serial }: DeviceFacts): { maker: string | null, model: string | null, firmware: string | null, serial: string | null } => ({ maker, model, firmware, serial })
const isSame = (a: DeviceFacts, b: DeviceFacts): boolean => a.maker === b.maker && a.model === b.model && a.firmware === b.firmware && a.serial === b.serial

/** What the device of a camera last said of itself, for the register; null where it never did. */
export function lastDevices(db: Db): (camera: CameraId) => SeenDevice | null {
  const cameras = cameraTable(db), devices = deviceTable(db)
  return id => {
    const camera = cameras.find(id)
    return camera === null ? null : devices.newest(camera.uuid)
  }
}
