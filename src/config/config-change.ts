import { isDeepStrictEqual } from 'node:util'
import type { CameraConfig, CameraId } from '../domain/index.ts'
import type { Config } from './config.ts'
import { sameCredential } from './credential.ts'

export interface CameraChange {
  readonly before: CameraConfig
  readonly after: CameraConfig
  /** False when only what people read or plan by differs (name, place, priority, declared bitrate): the recording may go on untouched. */
  readonly reconnect: boolean
}

export type ConfigSection = Exclude<keyof Config, 'file' | 'cameras'>

export interface ConfigChange {
  readonly added: readonly CameraConfig[]
  readonly removed: readonly CameraId[]
  readonly changed: readonly CameraChange[]
  /** Sections that a running daemon cannot take over. */
  readonly needsRestart: readonly ConfigSection[]
  /** Sections other than cameras that take effect at once, for they are read at each use. */
  readonly takenOver: readonly ConfigSection[]
}

const SECTIONS: readonly ConfigSection[] = ['site', 'state', 'listen', 'console', 'volumes', 'archive', 'retention', 'inbox', 'office', 'witness', 'secrets']
const LIVE_SECTIONS: readonly ConfigSection[] = ['package']

function changeOf(before: CameraConfig, after: CameraConfig): CameraChange | null {
  const sources = ({ streams }: CameraConfig) => streams.map(({ name, source, lower }) => ({ name, source, lower }))
  const told = ({ name, place, priority, streams }: CameraConfig) => [name, place, priority, ...streams.map(stream => stream.declaredBps)]
  const reconnect = before.audio !== after.audio || !sameCredential(before.credential, after.credential) || !isDeepStrictEqual(sources(before), sources(after))
  return reconnect || !isDeepStrictEqual(told(before), told(after)) ? { before, after, reconnect } : null
}

/** Insisting is an act of its own, taken over at once. */
const restartPart = (config: Config, section: ConfigSection): unknown => section === 'retention' ? config.retention.floor : config[section]

/** What a reload has to do. Cameras are matched by id; their order means nothing. Pure. */
export function diffCameras(before: Config, after: Config): ConfigChange {
  const old = new Map(before.cameras.map(camera => [camera.id, camera]))
  const kept = new Set(after.cameras.map(camera => camera.id))
  return {
    added: after.cameras.filter(camera => !old.has(camera.id)),
    removed: before.cameras.flatMap(camera => kept.has(camera.id) ? [] : [camera.id]),
    changed: after.cameras.flatMap(camera => {
      const earlier = old.get(camera.id)
      return (earlier && changeOf(earlier, camera)) ?? []
    }),
    needsRestart: SECTIONS.filter(section => !isDeepStrictEqual(restartPart(before, section), restartPart(after, section))),
    takenOver: LIVE_SECTIONS.filter(section => !isDeepStrictEqual(before[section], after[section])),
  }
}
