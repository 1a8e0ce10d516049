import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { CameraServer } from '../test/support/cameras/camera-server.ts'
import { CLIPS } from '../test/support/cameras/make-clips.ts'
import { RecorderProcess } from './recorder-process.ts'
import type { Site } from './site.ts'

/** Many times what an office's camera sends, but half a second of it fits into a slot of 1 MiB twice. */
const FAST = { ...CLIPS.h264FullHd, gopFrames: 15, bitrateBps: 6_000_000, frames: 30 }
const MAX_CAMERAS = 16
/** A ring that turns over within a few of its floors would have the order of sacrifice step in. */
const MIB_A_CAMERA = 8
const START_BOUND_MS = 60_000, LEAST_BYTES_A_SECOND = 2e6
const LOOK_EVERY_MS = 500

/**
 * Other cameras record to the site's ring until all its slots were used and the oldest are used again. How
 * long that took; the recorder has ended in good order.
 */
export async function wearRing(site: Site, sizeMiB: number): Promise<number> {
  const since = performance.now()
  const boundMs = START_BOUND_MS + sizeMiB * 2 ** 20 / LEAST_BYTES_A_SECOND * 1000
  const length = Math.min(MAX_CAMERAS, Math.ceil(sizeMiB / MIB_A_CAMERA))
  const mounts = Array.from({ length }, (_, i) => ({ path: `/worn${i}`, clip: FAST }))
  await using server = await CameraServer.start({ mounts })
  const config = JSON.parse(readFileSync(site.config, 'utf8')) as { listen: { port: number } }
  const file = path.join(site.folder, 'worn.yaml')
  const cameras = mounts.map(({ path: mount }) => {
    const id = mount.slice(1)
    return { id, name: id, streams: { main: { url: server.url(mount) } } }
  })
  writeFileSync(file, JSON.stringify({ ...config, cameras }))
  const logFile = path.join(site.folder, 'worn.log')
  await using recorder = new RecorderProcess({ config: file, port: config.listen.port, logFile })
  await recorder.start()
  while (!isWorn(site)) {
    const isLate = performance.now() - since > boundMs
    if (isLate || !recorder.isRunning) throw new Error('the ring could not be filled; see worn.log')
    await sleep(LOOK_EVERY_MS)
  }
  await recorder.end('SIGTERM')
  return performance.now() - since
}

function isWorn(site: Site): boolean {
  const db = new Database(site.catalogueFile, { readonly: true })
  try {
    const { unused, again } = db.prepare<[], { unused: number, again: number }>(
      'SELECT sum(generation = 0) AS unused, sum(generation > 1) AS again FROM slot').get()!
    return unused === 0 && again > 0
  } finally { db.close() }
}
