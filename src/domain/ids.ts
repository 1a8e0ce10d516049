import type { Branded } from './brand.ts'

/** The name an office gives a camera in its configuration: 1-40 of a-z, 0-9, '-', '_'. May be used again for another device. */
export type CameraId = Branded<string, 'CameraId'>
/** Minted the first time a camera is recorded and never used for another: 32 hex digits. */
export type CameraUuid = Branded<string, 'CameraUuid'>
/** Which of a camera's streams: `main`, `sub`, or another name of the configuration. Same alphabet as a camera id. */
export type StreamName = Branded<string, 'StreamName'>
/** The name of a volume in the configuration and in its identity file. Same alphabet as a camera id. */
export type VolumeId = Branded<string, 'VolumeId'>
/** Minted by `volume init`: 32 hex digits. */
export type VolumeUuid = Branded<string, 'VolumeUuid'>
/** Rises by one for each run of the whole recorder; never used again on one volume set. */
export type RunId = Branded<number, 'RunId'>
/** Position of a slot file in its volume, from 0. */
export type SlotNumber = Branded<number, 'SlotNumber'>
/** Which use of a slot, from 1; 0 is a slot that was never used. */
export type Generation = Branded<number, 'Generation'>

export const NAME_PATTERN = /^[a-z0-9][a-z0-9_-]{0,39}$/
const UUID_PATTERN = /^[0-9a-f]{32}$/

function parsed<Name extends string>(pattern: RegExp, kind: string) {
  return (text: string): Branded<string, Name> => {
    if (!pattern.test(text)) throw new RangeError(`not a ${kind}: ${JSON.stringify(text.slice(0, 60))}`)
    return text as Branded<string, Name>
  }
}

export const cameraId = parsed<'CameraId'>(NAME_PATTERN, 'camera id')
export const streamName = parsed<'StreamName'>(NAME_PATTERN, 'stream name')
export const volumeId = parsed<'VolumeId'>(NAME_PATTERN, 'volume id')
export const cameraUuid = parsed<'CameraUuid'>(UUID_PATTERN, 'camera uuid')
export const volumeUuid = parsed<'VolumeUuid'>(UUID_PATTERN, 'volume uuid')

function counted<Name extends string>(kind: string) {
  return (value: number): Branded<number, Name> => {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a ${kind}: ${value}`)
    return value as Branded<number, Name>
  }
}

export const runId = counted<'RunId'>('run id')
export const slotNumber = counted<'SlotNumber'>('slot number')
export const generation = counted<'Generation'>('generation')
