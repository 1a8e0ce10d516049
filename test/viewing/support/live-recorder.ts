import path from 'node:path'
import pino from 'pino'
import { AuditLog } from '../../../src/audit/index.ts'
import { cameraId, epochMs, streamName, volumeId, type CameraConfig } from '../../../src/domain/index.ts'
import { CameraRelay, Ingest } from '../../../src/ingest/index.ts'
import { openCatalogue } from '../../../src/platform/catalogue.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { realFileSystem } from '../../../src/platform/file-system.ts'
import { CameraTraits, initVolume, Storage } from '../../../src/storage/index.ts'
import { RECORD_HEAD_BYTES } from '../../../src/slots/index.ts'
import { newestFootageIn, TrustedTime } from '../../../src/trusted-time/index.ts'

export const MAIN = streamName('main')
const log = pino({ level: 'silent' })

/** The recording parts of the recorder as it puts them together, on a real volume, recording these streams. */
export async function liveRecorder(folder: string, cameras: readonly { readonly id: string, readonly url: string }[]) {
  const parts = new AsyncDisposableStack()
  const disk = path.join(folder, 'disk1')
  await initVolume(realFileSystem, { folder: disk, id: volumeId('disk1'), sizeBytes: 96 << 20, slotSizeBytes: 4 << 20, now: new Date() })
  const catalogue = parts.use(openCatalogue(path.join(folder, 'state'), systemClock.wallNow()))
  const audit = new AuditLog({ db: catalogue.db, clock: systemClock })
  const trustedTime = await TrustedTime.open({
    db: catalogue.db, audit, clock: systemClock, log, newestFootageAt: () => newestFootageIn(catalogue.db), countsDays: false,
    hostClock: { bootId: 'test', askSync: () => Promise.resolve({ source: 'chrony', isSynchronised: true, referenceOffsetMs: 0 }) },
  })
  trustedTime.tick()
  const storage = parts.use(await Storage.open({ catalogue, audit, trustedTime, volumes: [{ id: volumeId('disk1'), path: disk }], floor: { floor: { kind: 'calendar-days', days: 31 }, timezone: 'Asia/Taipei' }, fs: realFileSystem, clock: systemClock, log }))
  const relay = parts.use(await CameraRelay.open())
  const ingest = parts.use(new Ingest({ relay,
    traits: new CameraTraits({ catalogue, audit, clock: systemClock, log }),
    lane: (camera, stream) => storage.lane(camera, stream), onDevice: () => undefined, clock: systemClock,
    random: Math.random, log }))
  await ingest.configure(cameras.map(({ id, url }): CameraConfig => ({
    id: cameraId(id), name: id, place: null, credential: null, audio: false, priority: 1, streams: [{ name: MAIN, source: { kind: 'url', url }, declaredBps: null, lower: null }],
  })))
  return {
    storage, ingest, [Symbol.asyncDispose]: () => parts.disposeAsync(),
    uuidOf: (id: string) => storage.segmentsIn(cameraId(id), MAIN, { startAt: epochMs(0), endAt: epochMs(4e12) })[0]?.cameraUuid,
    /** The counters of all frames that stand in slots, in order. */
    async recorded(id: string): Promise<number[]> {
      const counters: number[] = []
      for (const segment of storage.segmentsIn(cameraId(id), MAIN, { startAt: epochMs(0), endAt: epochMs(4e12) })) {
        await using reader = await storage.openReader(segment)
        for (const position of reader.footage.entries.keys()) counters.push(...stampsIn((await reader.read(position)).subarray(RECORD_HEAD_BYTES)).map(({ counter }) => counter))
      }
      return counters
    },
  }
}

const STAMP = Buffer.from('c4570500f7a34e6db1d2ca3e7a9e5ed1', 'hex')

/** The clock in the picture: the camera puts its frame counter and the instant of capture into each frame. */
export function stampsIn(media: Buffer): { readonly counter: number, readonly wallMs: number }[] {
  const stamps = []
  for (let at = media.indexOf(STAMP); at !== -1; at = media.indexOf(STAMP, at + STAMP.length)) {
    const plain: number[] = []
    let zeros = 0
    for (const byte of media.subarray(at + STAMP.length, at + STAMP.length + 30)) {
      if (zeros >= 2 && byte === 3) { zeros = 0; continue } // an emulation prevention byte
      plain.push(byte)
      zeros = byte === 0 ? zeros + 1 : 0
    }
    const bytes = Buffer.from(plain)
    stamps.push({ counter: Number(bytes.readBigUInt64BE(0)), wallMs: Number(bytes.readBigUInt64BE(8)) })
  }
  return stamps
}
