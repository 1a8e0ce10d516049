import type { Credential, OnvifSource } from '../domain/index.ts'
import type { Clock } from '../platform/clock.ts'
import { chooseProfile, findStream, inspectDevice, OnvifError, type DeviceReport,
  type MediaProfile } from './onvif/index.ts'
import { CameraRelay, describeStream, RelayFault, type StreamDescription } from './rtsp/index.ts'
import { sampleStream, type StreamSample } from './stream-sample.ts'

/** What is to be looked at: a device by ONVIF, or a stream by its address. */
export interface ProbeTarget {
  readonly at: Omit<OnvifSource, 'profile'> | { readonly kind: 'url', readonly url: string }
  readonly credential: Credential | null
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly sampleMs: number
}

export interface ProbedProfile extends MediaProfile {
  /** What a camera of that lens would record of it; null: nothing. */
  readonly takenAs: 'main' | 'sub' | null
}

export interface CameraProbe {
  /** Null where no device was asked, or it told nothing: then `deviceFault` says why. */
  readonly device: (Omit<DeviceReport, 'profiles'> & { readonly profiles: readonly ProbedProfile[] }) | null
  readonly deviceFault: OnvifError | null
  /** For people: some devices put a password into it. */
  readonly shownUrl: string | null
  readonly description: StreamDescription | null
  readonly sample: StreamSample | null
  readonly streamFault: RelayFault | null
}

const NOTHING: CameraProbe = { device: null, deviceFault: null, shownUrl: null, description: null,
  sample: null, streamFault: null }

/**
 * Asks a camera everything that is worth knowing before it is configured, and keeps nothing of it. Throws the
 * signal's reason.
 */
export async function probeCamera(asked: ProbeTarget): Promise<CameraProbe> {
  const { at } = asked, target = { ...asked, credential: asSent(asked.credential) }
  if (at.kind === 'url') return { ...NOTHING, ...await probeStream(target, at.url) }
  const { credential, clock, signal } = target
  const device = { host: at.host, port: at.port, credential, clock, signal }
  try {
    const report = await inspectDevice(device)
    const told = { ...report, profiles: withChoices(report.profiles) }
    try {
      const found = await findStream(device, { profile: 'main', source: at.source, mayReplaceSource: false })
      return { ...NOTHING, device: told, shownUrl: found.shownUri, ...await probeStream(target, found.uri) }
    } catch (error) {
      if (!(error instanceof OnvifError)) throw error
      return { ...NOTHING, device: told, deviceFault: error }
    }
  } catch (error) {
    if (!(error instanceof OnvifError)) throw error
    return { ...NOTHING, deviceFault: error }
  }
}

async function probeStream({ credential, clock, signal, sampleMs }: ProbeTarget,
  url: string): Promise<Pick<CameraProbe, 'description' | 'sample' | 'streamFault'>> {
  await using relay = await CameraRelay.open()
  let description: StreamDescription | null = null
  try {
    description = await describeStream(url, credential, relay, signal)
      .catch((error: unknown) => { throw describingFault(error, signal) })
    const sample = await sampleStream({ url, credential, relay, clock, signal, forMs: sampleMs })
    return { description, sample, streamFault: null }
  } catch (error) {
    if (!(error instanceof RelayFault)) throw error
    return { description, sample: null, streamFault: error }
  }
}

/** What of the answer cannot be read is the camera's doing, in whatever way it fails here. */
function describingFault(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted || error instanceof RelayFault) return error
  return new RelayFault('bad-stream', 'the answer of the camera to DESCRIBE cannot be read')
}

/** Half a character cannot be sent; in UTF-8 the sign for one that cannot be shown stands in its place. */
const asSent = (credential: Credential | null): Credential | null => credential === null ? null
  : { username: credential.username.toWellFormed(), password: credential.password.toWellFormed() }

/** Each profile with what it would be recorded as, if its lens were the one. */
function withChoices(profiles: readonly MediaProfile[]): ProbedProfile[] {
  const taken = new Map<MediaProfile, 'main' | 'sub'>()
  for (const source of new Set(profiles.map(({ sourceToken }) => sourceToken))) {
    const ofLens = profiles.filter(({ sourceToken }) => sourceToken === source)
    for (const profile of ['sub', 'main'] as const) {
      try { taken.set(chooseProfile(ofLens, { profile, source, mayReplaceSource: false }),
        profile) } catch (error) {
        if (!(error instanceof OnvifError)) throw error // it has none
      }
    }
  }
  return profiles.map(profile => ({ ...profile, takenAs: taken.get(profile) ?? null }))
}
