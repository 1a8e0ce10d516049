import { isDeepStrictEqual } from 'node:util'
import { cameraId, streamName, type CameraConfig, type Credential, type OnvifSource, type StreamConfig,
  type StreamSource } from '../domain/index.ts'
import { DEFAULTS } from './defaults.ts'
import { checkedHost } from './endpoints.ts'
import type { ProblemList, Steps } from './problem.ts'
import { parseBitrate } from './quantity.ts'
import type { RawConfig } from './schema.ts'
import type { CredentialBook } from './secrets.ts'
import type { Draft } from './shape.ts'
import { needsAccount, streamUrlFault } from './stream-url.ts'
import { texts } from './texts.ts'

type RawCamera = RawConfig['cameras'][number]
type CameraDraft = NonNullable<Draft<RawCamera>>
type StreamDraft = NonNullable<Draft<NonNullable<RawCamera['streams']>[string]>>
type SourceDraft = Pick<StreamDraft, 'url' | 'profile'>
type Device = Pick<OnvifSource, 'host' | 'port' | 'source'>

const URL_EXAMPLE = '"rtsp://10.0.0.11/stream1"'

/** `null`: left out. `undefined`: given, but wrong. */
function readDevice(camera: CameraDraft, steps: Steps, problems: ProblemList): Device | null | undefined {
  if (camera.onvif === undefined) return null
  const text = camera.onvif?.host
  const host = typeof text === 'string' ? checkedHost(text, [...steps, 'onvif', 'host'], '10.0.0.12', problems) : null
  const port = camera.onvif?.port === undefined ? DEFAULTS.onvifPort : camera.onvif.port
  const source = camera.onvif?.source === undefined ? DEFAULTS.onvifSource : camera.onvif.source
  const isGiven = camera.onvif?.source !== undefined
  return camera.onvif && host !== null && port !== null && (source !== null || !isGiven)
    ? { host, port, source } : undefined
}

function readSource(name: string, stream: SourceDraft, device: Device | null | undefined, steps: Steps, problems: ProblemList): StreamSource | null {
  const { url, profile } = stream
  if (url !== undefined && profile !== undefined) {
    problems.add({ steps, at: 'key', text: texts.sourceBoth, example: `{ url: ${URL_EXAMPLE} }` })
    return null
  }
  if (url !== undefined) {
    const fault = url === null ? null : streamUrlFault(url)
    if (fault) problems.add({ steps: [...steps, 'url'], text: fault, example: URL_EXAMPLE })
    return url === null || fault ? null : { kind: 'url', url }
  }
  if (device === null) {
    problems.add(profile === undefined
      ? { steps, at: 'key', text: texts.sourceNeither, example: `{ url: ${URL_EXAMPLE} }` }
      : { steps, at: 'key', text: texts.profileAlone, example: 'onvif: { host: 10.0.0.12, port: 80 }' })
    return null
  }
  const sameName = name === 'main' || name === 'sub' ? name : undefined
  const chosen = profile ?? (profile === undefined ? sameName : null)
  if (chosen === undefined) problems.add({ steps, at: 'key', text: texts.profileMissing, example: '{ profile: sub }' })
  return chosen && device ? { kind: 'onvif', ...device, profile: chosen } : null
}

/** `null`: none. `undefined`: given, but wrong. A lower source never takes its profile from the stream's name: it must say what it is. */
function readLower(stream: StreamDraft, source: StreamSource | null, device: Device | null | undefined, steps: Steps, problems: ProblemList): StreamSource | null | undefined {
  if (stream.lower === undefined) return null
  const at = [...steps, 'lower']
  const lower = stream.lower === null ? null : readSource('lower', stream.lower, device, at, problems)
  if (lower === null) return undefined
  if (!isDeepStrictEqual(lower, source)) return lower
  problems.add({ steps: at, text: texts.lowerSame, example: lower.kind === 'url' ? '{ url: "rtsp://10.0.0.11/stream2" }' : '{ profile: sub }' })
  return undefined
}

function readStream(name: string, stream: StreamDraft, device: Device | null | undefined, steps: Steps, problems: ProblemList): StreamConfig | null {
  const source = readSource(name, stream, device, steps, problems)
  const lower = readLower(stream, source, device, steps, problems)
  const declaredBps = typeof stream.bitrate === 'string' ? parseBitrate(stream.bitrate) : null
  if (typeof stream.bitrate === 'string' && declaredBps === null) problems.add({ steps: [...steps, 'bitrate'], text: texts.bitrate, example: '4Mbit/s' })
  if (source === null || lower === undefined || (stream.bitrate !== undefined && declaredBps === null)) return null
  return { name: streamName(name), source, declaredBps, lower }
}

function readStreams(camera: CameraDraft, steps: Steps, problems: ProblemList): readonly StreamConfig[] | null {
  const device = readDevice(camera, steps, problems)
  if (camera.streams === null) return null
  if (camera.streams === undefined) {
    if (device) return [{ name: streamName('main'), source: { kind: 'onvif', ...device, profile: DEFAULTS.onvifProfile }, declaredBps: null, lower: null }]
    if (device === null) problems.add({ steps: [...steps, 'streams'], text: texts.sourceNeither, example: `streams: { main: { url: ${URL_EXAMPLE} } }` })
    return null
  }
  const entries = Object.entries(camera.streams)
  const streams = entries.map(([name, stream]) => stream ? readStream(name, stream, device, [...steps, 'streams', name], problems) : null)
  const isPlain = (source: SourceDraft | null | undefined): boolean => source?.url !== undefined && source.profile === undefined
  if (device && entries.length > 0 && entries.every(([, stream]) => isPlain(stream) && (stream?.lower === undefined || isPlain(stream.lower)))) {
    problems.add({ steps: [...steps, 'onvif'], at: 'key', text: texts.onvifUnused, example: 'streams: { main: { profile: main } }' })
  }
  const sound = streams.filter(stream => stream !== null)
  return sound.length === streams.length ? sound : null
}

/** `null`: none. `undefined`: named, but not to be had. */
function readCredential(camera: CameraDraft, steps: Steps, book: CredentialBook, problems: ProblemList): Credential | null | undefined {
  const name = camera.credential
  if (name === undefined || book.kind === 'skipped') return null
  if (name === null || book.kind === 'unreadable') return undefined // told elsewhere
  const at = { steps: [...steps, 'credential'] }
  if (book.kind === 'none') {
    problems.add({ ...at, text: texts.credentialNoFile, example: 'secrets: { file: /etc/custos/secrets.yaml }' })
    return undefined
  }
  const entry = book.entries.get(name)
  if (entry === undefined) {
    problems.add({ ...at, text: texts.credentialUnknown({ name, near: book.nearest(name) }), example: `${name}: { username: "…", password: "…" }` })
  }
  return entry ?? undefined
}

/** An address with places for an account needs one to put there. */
function requireAccount(streams: readonly StreamConfig[], steps: Steps, problems: ProblemList): void {
  for (const { name, source, lower } of streams) {
    if (![source, lower].some(each => each?.kind === 'url' && needsAccount(each.url))) continue
    problems.add({ steps: [...steps, name], text: texts.urlAccount, example: 'credential: lobby' })
  }
}

/** Every camera is read to its end, so that all its problems show at once. */
export function readCameras(drafts: Draft<RawConfig['cameras']> | undefined, book: CredentialBook, problems: ProblemList): readonly CameraConfig[] | null {
  if (!drafts) return null
  if (drafts.length === 0) {
    problems.add({ severity: 'warning', steps: ['cameras'], text: texts.noCameras, example: '[ { id: lobby, name: 大廳, onvif: { host: 10.0.0.12 } } ]' })
  }
  const seenIds = new Set<string>()
  const cameras = drafts.map((camera, index): CameraConfig | null => {
    if (camera === null) return null
    const steps = ['cameras', index] as const
    const { id, name } = camera
    const place = camera.place === undefined ? DEFAULTS.place : camera.place ?? undefined
    if (id && seenIds.has(id)) problems.add({ steps: [...steps, 'id'], text: texts.idTwice, example: `${id.slice(0, 36)}-2` })
    if (id) seenIds.add(id)
    const credential = readCredential(camera, steps, book, problems)
    const streams = readStreams(camera, steps, problems)
    if (camera.credential === undefined) requireAccount(streams ?? [], [...steps, 'streams'], problems)
    const audio = camera.audio === undefined ? DEFAULTS.audio : camera.audio
    const priority = camera.priority === undefined ? DEFAULTS.priority : camera.priority
    if (!id || !name || place === undefined || credential === undefined || !streams || audio === null || priority === null) return null
    return { id: cameraId(id), name, place, credential, audio, priority, streams }
  })
  const sound = cameras.filter(camera => camera !== null)
  return sound.length === cameras.length ? sound : null
}
