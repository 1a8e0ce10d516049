import { isDeepStrictEqual } from 'node:util'
import type { CameraConfig, CameraId } from '../domain/index.ts'
import type { Config } from './config.ts'
import { sameCredential } from './credential.ts'

export interface CameraChange {
  readonly before: CameraConfig
  readonly after: CameraConfig
  /** False when only the name differs: the recording may go on untouched. */
  readonly reconnect: boolean
}

export type ConfigSection = Exclude<keyof Config, 'file' | 'cameras'>

export interface ConfigChange {
  readonly added: readonly CameraConfig[]
  readonly removed: readonly CameraId[]
  readonly changed: readonly CameraChange[]
  /** Sections that a running daemon cannot take over. */
  readonly needsRestart: readonly ConfigSection[]
}

const SECTIONS: readonly ConfigSection[] = ['site', 'state', 'listen', 'console', 'volumes', 'archive', 'retention', 'inbox', 'secrets']

function changeOf(before: CameraConfig, after: CameraConfig): CameraChange | null {
  const reconnect = before.audio !== after.audio || !sameCredential(before.credential, after.credential) || !isDeepStrictEqual(before.streams, after.streams)
  return reconnect || before.name !== after.name ? { before, after, reconnect } : null
}

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
    needsRestart: SECTIONS.filter(section => !isDeepStrictEqual(before[section], after[section])),
  }
}
