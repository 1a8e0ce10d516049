import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import pino from 'pino'
import { AuditLog, CheckpointBook } from '../../../src/audit/index.ts'
import { cameraId, epochMs, streamName, volumeId, type EpochMs } from '../../../src/domain/index.ts'
import { openCatalogue } from '../../../src/platform/catalogue.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { realFileSystem } from '../../../src/platform/file-system.ts'
import { initVolume, Storage } from '../../../src/storage/index.ts'
import { newestFootageIn, TrustedTime } from '../../../src/trusted-time/index.ts'
import { builtFragment, builtInit, timedFragment } from '../../support/fragments.ts'

export const SLOT_BYTES = 1 << 20
const log = pino({ level: 'silent' })
const init = builtInit()

/** An office with volumes and a state folder on the real disk, a configuration that names them, and no recorder running. */
export class Office {
  readonly folder: string
  readonly stateDir: string
  readonly configFile: string
  readonly volumes: readonly { readonly id: ReturnType<typeof volumeId>, readonly path: string }[]

  private constructor(folder: string, volumes: readonly string[]) {
    this.folder = folder
    this.stateDir = path.join(folder, 'state')
    this.configFile = path.join(folder, 'custos.yaml')
    this.volumes = volumes.map(name => ({ id: volumeId(name), path: path.join(folder, name) }))
  }

  static async open(folder: string, { volumes = ['disk1'], slots = 6, slotBytes = SLOT_BYTES, cameras = ['lobby', 'gate'] } = {}): Promise<Office> {
    const office = new Office(folder, volumes)
    mkdirSync(office.stateDir)
    for (const { id, path: to } of office.volumes) await initVolume(realFileSystem, { folder: to, id, sizeBytes: slots * slotBytes, slotSizeBytes: slotBytes, now: new Date() })
    writeFileSync(office.configFile, [
      'site: { name: 信義區戶政事務所, timezone: Asia/Taipei }', `state: { dir: ${office.stateDir} }`, 'inbox: off', 'retention: { insist: { by: test, reason: tiny volumes } }',
      `volumes: [ ${office.volumes.map(each => `{ id: ${each.id}, path: ${each.path} }`).join(', ')} ]`,
      `cameras: [ ${cameras.map(id => `{ id: ${id}, name: ${id}, streams: { main: { url: "rtsp://192.0.2.1/${id}" } } }`).join(', ')} ]`, '',
    ].join('\n'))
    return office
  }

  /** Storage and time of a recorder, without cameras, until it is disposed of. */
  async recorder(): Promise<{
    readonly storage: Storage, readonly trustedTime: TrustedTime, readonly checkpoints: CheckpointBook
  } & AsyncDisposable> {
    await using parts = new AsyncDisposableStack()
    const catalogue = parts.use(openCatalogue(this.stateDir, systemClock.wallNow()))
    const { db } = catalogue
    const audit = new AuditLog({ db, clock: systemClock })
    const trustedTime = parts.use(await TrustedTime.open({
      db, audit, clock: systemClock, log, newestFootageAt: () => newestFootageIn(db), countsDays: true,
      hostClock: { bootId: 'office', askSync: () => Promise.resolve({ source: 'chrony', isSynchronised: true, referenceOffsetMs: 0 }) },
    }))
    const storage = parts.use(await Storage.open({ catalogue, audit, trustedTime, volumes: this.volumes, floor: { floor: { kind: 'calendar-days', days: 31 }, timezone: 'Asia/Taipei' }, fs: realFileSystem, clock: systemClock, log }))
    const open = parts.move()
    const checkpoints = new CheckpointBook({ db, log: audit, clock: systemClock })
    return { storage, trustedTime, checkpoints, [Symbol.asyncDispose]: () => open.disposeAsync() }
  }

  /** Records so many half seconds of a camera, from `startAt` on, and stops. */
  async record(camera: string, startAt: EpochMs, fragments: number, dataBytes = 100_000): Promise<void> {
    await using recorder = await this.recorder()
    const { storage } = recorder
    const lane = storage.lane(cameraId(camera), streamName('main'))
    const run = await lane.beginRun(init, startAt)
    for (let i = 0; i < fragments; i++) {
      const fragment = builtFragment({ init, name: `${camera}${i}`, dataBytes, isKey: i % 2 === 0, decodeTimeMs: i * 500 })
      await lane.append(timedFragment(init, fragment, { runId: run, startAt: startAt + i * 500 }))
    }
    lane.endRun('recorder-stopped', epochMs(startAt + fragments * 500))
  }

  slotFile(slot: number, volume = 0): string { return path.join(this.volumes[volume]!.path, 'slots', '0000', `${String(slot).padStart(7, '0')}.mp4`) }
}

/** Keeps what a command says. */
export const spoken = () => { const said: string[] = []; return { write: (text: string) => said.push(text), text: () => said.join('') } }
