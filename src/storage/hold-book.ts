import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { cameraId, cameraUuid, epochMs, FatalError, isoOf, streamName, SYSTEM, type AuditActor, type AuditSink, type CameraId, type CameraUuid, type EpochMs, type StreamName } from '../domain/index.ts'
import type { Catalogue } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import { StorageError, type VolumeFileSystem } from '../platform/file-system.ts'
import type { cameraTable } from './tables/cameras.ts'
import { factsOf, HoldList } from './hold-list.ts'
import type { FoundHold, Hold, holdTable } from './tables/holds.ts'
import type { Volume } from './volume.ts'

/**
 * At a volume's root: all holds in force, of every camera, so that any one disk that survives knows them
 * all [G2].
 */
export const HOLDS_FILE = 'custos-holds.json'
const MAX_FILE_BYTES = 64 << 20 // some 150,000 holds
const MAX_TEXT = 500
/** Those that come in a row wait for each other no longer. */
const MOST_TURNS = 32

export interface HoldRequest {
  /** Chosen by who asks, so that the same again is the same hold; else one is made. */
  readonly holdId?: string
  readonly camera: { readonly id: CameraId, readonly uuid: CameraUuid }
  readonly stream: StreamName | null
  readonly fromAt: EpochMs
  readonly toAt: EpochMs
  readonly authority: string
  readonly application: string | null
  readonly by: AuditActor
}

export interface HoldBookOptions {
  readonly catalogue: Catalogue
  readonly holds: ReturnType<typeof holdTable>
  readonly cameras: ReturnType<typeof cameraTable>
  readonly audit: AuditSink
  readonly fs: VolumeFileSystem
  readonly clock: Clock
  /** Those that can be written now. */
  readonly volumes: () => readonly Volume[]
}

const refuse = (message: string, remedy: string): never => { throw new FatalError('CUSTOS_HOLD_REFUSED', message, { remedy }) }
const unknown = (holdId: string): never => {
  throw new FatalError('CUSTOS_HOLD_UNKNOWN', `there is no hold ${holdId}`, { remedy: 'See `custos hold list`.' })
}
/** Of its own code: who asks again because an answer was lost must know that it is over. */
const ended = (holdId: string, remedy: string): never => {
  throw new FatalError('CUSTOS_HOLD_ENDED', `hold ${holdId} was ended before`, { remedy })
}

/**
 * Places and ends holds: in the catalogue first, where the ring sees them at once, then on every volume;
 * only then is the caller told.
 * Works beside a running recorder: whoever publishes last has read last.
 */
export class HoldBook {
  readonly #options: HoldBookOptions
  readonly #unreadable = new Set<string>()
  /** What stands in the file of each volume, as far as this process knows. */
  readonly #written = new Map<string, string>()
  readonly #list: HoldList
  /** How often, so far. */
  #asked = 0
  #publishing: Promise<void> | null = null
  #nextPublished: Promise<void> | null = null
  constructor(options: HoldBookOptions) {
    this.#options = options
    this.#list = new HoldList(options.catalogue.db, options.holds)
  }

  /** What the hold would keep from reuse now. */
  cost(request: Pick<HoldRequest, 'camera' | 'stream' | 'fromAt' | 'toAt'>): { slots: number, bytes: number, newlyHeld: number } {
    return this.#options.holds.cost({ ...request, cameraUuid: request.camera.uuid })
  }

  /**
   * Durable in the catalogue and on every volume in use on return. Throws FatalError for a request that
   * makes no sense.
   */
  async place(request: HoldRequest): Promise<Hold> {
    const hold = this.#options.catalogue.db.transaction(() => this.#enter(request)).immediate()
    await this.publish()
    return hold
  }

  /** Row, counts and entry. */
  #enter(request: HoldRequest): Hold {
    const { holds, audit, clock } = this.#options
    const { camera, by } = request
    if (request.toAt <= request.fromAt) refuse(`the range ends (${isoOf(request.toAt)}) before it begins (${isoOf(request.fromAt)})`, 'Give --from before --to.')
    for (const [name, text] of [['authority', request.authority], ['name', by.name]] as const) {
      if (text.trim() === '' || text.length > MAX_TEXT) refuse(`the ${name} is empty or longer than ${MAX_TEXT} characters`, 'A hold must say on whose word it stands and who placed it.')
    }
    const known = request.holdId === undefined ? null : holds.find(request.holdId)
    if (known !== null) return sameAgain(known, request)
    const hold: Hold = {
      holdId: request.holdId ?? randomBytes(16).toString('hex'), cameraId: camera.id, cameraUuid: camera.uuid, stream: request.stream, fromAt: request.fromAt, toAt: request.toAt,
      authority: request.authority, application: request.application, placedBy: by.name, placedAt: clock.wallNow(),
    }
    this.#list.changed(hold.holdId)
    holds.insert(hold)
    audit.append({ action: 'hold.placed', actor: by, object: hold.holdId, application: hold.application, result: 'done', detail: { ...factsOf(hold), ...holds.cost(hold) } })
    return hold
  }

  /**
   * Ended before by the same person for the same reason, it is that hold. Throws FatalError when there is no
   * such hold in force.
   */
  async end(holdId: string, by: AuditActor, reason: string): Promise<Hold> {
    const hold = this.#options.catalogue.db.transaction(() => this.#leave(holdId, by, reason)).immediate()
    await this.publish()
    return hold
  }

  #leave(holdId: string, by: AuditActor, reason: string): Hold {
    const { holds, audit, clock } = this.#options
    if (reason.trim() === '' || reason.length > MAX_TEXT) refuse(`the reason is empty or longer than ${MAX_TEXT} characters`, 'Say why the footage may go: whose decision, which document.')
    const { hold, ended: before } = holds.find(holdId) ?? unknown(holdId)
    if (before?.endedBy === by.name && before.endReason === reason) return hold
    this.#list.changed(holdId)
    if (!holds.end(hold, clock.wallNow(), by.name, reason)) ended(holdId, 'See `custos hold list --all`.')
    audit.append({ action: 'hold.ended', actor: by, object: holdId, application: hold.application, result: 'done', detail: { ...factsOf(hold), reason } })
    return hold
  }

  /**
   * Writes the holds in force to every volume that takes them. Throws StorageError when one did not: the
   * catalogue has them all the same, and `catchUp` writes them there later.
   */
  publish(): Promise<void> {
    this.#asked++
    return this.#nextPublished ??= this.#publishNext(this.#publishing)
  }

  /** One list for what several changed in one moment, or while the last one was being written. */
  async #publishNext(last: Promise<void> | null): Promise<void> {
    await last?.catch(() => undefined)
    for (let seen = 0, turns = 0; seen !== this.#asked && turns < MOST_TURNS; turns++) {
      seen = this.#asked
      await turn()
    }
    this.#nextPublished = null
    const publishing = this.#publishing = this.#publishTo(this.#options.volumes)
    try { await publishing } finally { if (this.#publishing === publishing) this.#publishing = null }
  }

  /**
   * Writes them to a volume that has not taken them as they are now, or that came back. Throws
   * StorageError.
   */
  async catchUp(volume: Volume): Promise<void> {
    await this.#list.refresh()
    if (this.#written.get(volume.identity.uuid) !== this.#list.text) await this.#publishTo(() => [volume])
  }

  async #publishTo(volumes: () => readonly Volume[]): Promise<void> {
    const failures: unknown[] = []
    await this.#list.refresh()
    // Another process may have changed them meanwhile.
    for (let text = '', now = this.#list.text; text !== now; now = this.#list.text) {
      text = now
      failures.length = 0
      await Promise.all(volumes().map(volume => this.#write(volume, now).catch((error: unknown) => {
        failures.push(error)
      })))
    }
    if (failures.length > 0) throw failures[0]
  }

  /** It was away: nobody knows what its file says. */
  forget(volume: Volume): void { this.#written.delete(volume.identity.uuid) }

  async #write(volume: Volume, text: string): Promise<void> {
    const { uuid } = volume.identity
    if (this.#unreadable.has(uuid)) return
    this.#written.delete(uuid)
    await this.#options.fs.publishText(path.join(volume.path, HOLDS_FILE), text, 'holds')
    this.#written.set(uuid, text)
  }

  /**
   * Takes in what a volume knows and the catalogue does not: after a rebuild, or when a backup of the
   * catalogue came back. A file that cannot be read is told, never dropped.
   */
  async import(volume: Volume): Promise<{ imported: number, fault: string | null }> {
    const { catalogue, holds, cameras, audit, fs, clock } = this.#options
    let text: string
    try { text = await fs.readText(path.join(volume.path, HOLDS_FILE), MAX_FILE_BYTES, 'holds') } catch (error) {
      if (error instanceof StorageError && error.fault === 'missing') return { imported: 0, fault: null }
      if (error instanceof StorageError && error.fault === 'hung') throw error // it is asked again when the volume answers
      this.#unreadable.add(volume.identity.uuid) // never written over: it may be read another day
      return { imported: 0, fault: (error as Error).message }
    }
    const told = parseHolds(text)
    if (told === null) {
      await fs.publishText(path.join(volume.path, `${HOLDS_FILE}.damaged-${clock.wallNow()}`), text, 'holds')
      return { imported: 0, fault: `${HOLDS_FILE} is damaged; a copy of it was kept beside it` }
    }
    const unknown = told.filter(hold => holds.find(hold.holdId) === null)
    if (unknown.length > 0) {
      catalogue.db.transaction(() => {
        for (const hold of unknown) {
          cameras.remember(hold.cameraUuid, hold.cameraId, hold.placedAt)
          this.#list.changed(hold.holdId)
          holds.insert(hold)
          audit.append({ action: 'hold.imported', actor: SYSTEM, object: hold.holdId, application: hold.application, result: 'done', detail: { ...factsOf(hold), volume: volume.identity.id } })
        }
      }).immediate()
    }
    return { imported: unknown.length, fault: null }
  }
}

function sameAgain({ hold, ended: end }: FoundHold, { holdId, camera, stream, fromAt, toAt, authority, application, by }: HoldRequest): Hold {
  const asked = [camera.uuid, stream, fromAt, toAt, authority, application, by.name]
  const stands = [hold.cameraUuid, hold.stream, hold.fromAt, hold.toAt, hold.authority, hold.application, hold.placedBy]
  if (end !== null) return ended(hold.holdId, 'Place another one.')
  if (asked.some((each, i) => each !== stands[i])) return refuse(`hold ${holdId} is another one`, 'Place it again.')
  return hold
}

/** Null for what `HoldList` did not write. */
export function parseHolds(text: string): Hold[] | null {
  try {
    const raw = JSON.parse(text) as { format?: unknown, holds?: unknown }
    if (raw.format !== 1 || !Array.isArray(raw.holds)) return null
    return raw.holds.map((each: Record<string, unknown>) => {
      const words = (key: string): string => { const value = each[key]; if (typeof value !== 'string' || value.length > MAX_TEXT) throw new RangeError(key); return value }
      const instant = (key: string) => epochMs(Date.parse(words(key)))
      if (!/^[0-9a-f]{32}$/.test(words('id'))) throw new RangeError('id')
      return {
        holdId: words('id'), cameraId: cameraId(words('camera')), cameraUuid: cameraUuid(words('cameraUuid')), stream: each['stream'] === null ? null : streamName(words('stream')),
        fromAt: instant('from'), toAt: instant('to'), authority: words('authority'), application: each['application'] === null ? null : words('application'), placedBy: words('placedBy'), placedAt: instant('placedAt'),
      }
    })
  } catch { return null } // whatever is wrong with it, it is not ours
}
