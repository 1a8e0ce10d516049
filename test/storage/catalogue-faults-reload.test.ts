import path from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { cameraId } from '../../src/domain/index.ts'
import { applyCameras } from '../../src/daemon/apply-cameras.ts'
import { RecorderRig } from '../support/recorder-rig.ts'
import { pass } from '../support/rig-time.ts'
import { learn, Recording, testPhase, turnedRing, type Phase } from './support/sick-catalogue.ts'

const base = await turnedRing(t)
const LEAVES = cameraId('leaves'), COMES = cameraId('comes')

/** A configuration is taken over while the catalogue is sick: one camera stays, one leaves, one is new. */
const RELOAD: Phase = {
  name: 'a reload',
  occurrences: 1,
  async prepare(owner) {
    const rig = await RecorderRig.fork(owner, base)
    rig.storage.lane(LEAVES, rig.stream).noteNoFootage('starting')
    const recording = new Recording(rig)
    await recording.record(1)
    return recording
  },
  async act(recording, arm) {
    const { rig } = recording
    arm()
    const isDone = await isApplied(rig)
    await recording.record(2)
    rig.catalogueFaults.heal()
    await pass(rig, 2_000)
    if (!isDone && !await isApplied(rig)) recording.wrong.push('the configuration cannot be applied any more')
    const inUse = camerasInUse(rig)
    if (inUse.length !== 2 || !inUse.includes(COMES) || !inUse.includes(rig.camera)) {
      recording.wrong.push(`the cameras in use are ${inUse.join(', ')}`)
    }
  },
  next: rig => rig.restart(),
  mayRefuse: true,
}

/** By a connection of its own: what the matrix breaks are the recorder's statements. */
function camerasInUse(rig: RecorderRig): string[] {
  const db = new Database(path.join(rig.stateDir, 'catalogue.db'), { readonly: true })
  try {
    return db.prepare<[], string>('SELECT id FROM camera WHERE retired_at IS NULL').pluck().all()
  } finally { db.close() }
}

/** As the daemon does it; what fails is tried again later. */
async function isApplied({ storage, camera, stream }: RecorderRig): Promise<boolean> {
  const cameras = [camera, COMES].map(id => ({
    id, name: id, place: null, credential: null, audio: false, priority: 1,
    streams: [{ name: stream, source: { kind: 'url', url: 'rtsp://camera/main' } as const, declaredBps: 4e6, lower: null }],
  }))
  const ingest = { configure: () => {
    storage.lane(COMES, stream).noteNoFootage('starting')
    return Promise.resolve()
  } }
  const sacrifice = { configure: () => undefined }
  try { await applyCameras(cameras, { storage, ingest, sacrifice }); return true } catch { return false }
}

testPhase(t, RELOAD, await learn(t, RELOAD))
