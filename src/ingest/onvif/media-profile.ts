import type { DeviceText } from './device-text.ts'
import { OnvifError } from './onvif-error.ts'
import { descend, textAt, type XmlElement } from './xml-element.ts'

/** `unknown`: the device does not say, as Media1 cannot of H.265; the stream itself tells. */
export type MediaCodec = 'h264' | 'h265' | 'other' | 'unknown'

/** One of the device's stream setups as it is set now; null where the device does not say. */
export interface MediaProfile {
  /** Opaque key on that device. */
  readonly token: string
  readonly name: string
  /** Which lens of a device with several. */
  readonly sourceToken: string | null
  readonly codec: MediaCodec
  readonly width: number | null
  readonly height: number | null
  readonly fps: number | null
  readonly bitrateKbps: number | null
  /** Frames from key frame to key frame. */
  readonly govLength: number | null
}

/** Which stream of a device. */
export interface ProfileChoice {
  /** `main`: the largest picture of the lens. `sub`: the smallest of the others of the same lens. */
  readonly profile: 'main' | 'sub'
  /** Token of the video source, the lens; null: the first of the device. */
  readonly source: string | null
  /** Another lens may take its place where it is the only one: a camera that was replaced. */
  readonly mayReplaceSource: boolean
}

const MAX_PROFILES = 512 // a 128-channel recorder with four each
const TOKEN = /^[^\p{C}]{1,256}$/u // ONVIF allows 64

/** Reads the GetProfiles answer of either media service; profiles without a usable token are left out. */
export function readProfiles(response: XmlElement, service: 'media' | 'media2', deviceText: DeviceText): MediaProfile[] {
  return response.children.filter(child => child.name === 'Profiles').slice(0, MAX_PROFILES)
    .map(profile => service === 'media2'
      ? profileOf(profile, descend(profile, 'Configurations', 'VideoEncoder'), descend(profile, 'Configurations', 'VideoSource'), deviceText)
      : profileOf(profile, descend(profile, 'VideoEncoderConfiguration'), descend(profile, 'VideoSourceConfiguration'), deviceText))
    .filter(profile => TOKEN.test(profile.token))
}

function profileOf(profile: XmlElement, encoder: XmlElement | undefined, source: XmlElement | undefined, deviceText: DeviceText): MediaProfile {
  const encoding = textAt(encoder, 'Encoding') ?? ''
  const interval = measure(textAt(encoder, 'RateControl', 'EncodingInterval'), 1000) ?? 1 // n: every nth frame is sent
  const sourceToken = textAt(source, 'SourceToken') ?? ''
  const limit = measure(textAt(encoder, 'RateControl', 'FrameRateLimit'), 1000)
  return {
    token: profile.attributes.get('token') ?? '',
    name: deviceText.forFact(textAt(profile, 'Name') ?? ''),
    sourceToken: TOKEN.test(sourceToken) ? sourceToken : null,
    codec: codecOf(encoding),
    width: measure(textAt(encoder, 'Resolution', 'Width'), 65_535),
    height: measure(textAt(encoder, 'Resolution', 'Height'), 65_535),
    fps: limit === null ? null : limit / Math.max(interval, 1),
    bitrateKbps: measure(textAt(encoder, 'RateControl', 'BitrateLimit'), 10_000_000),
    govLength: measure(encoder?.attributes.get('GovLength') ?? textAt(encoder, 'H264', 'GovLength'), 100_000),
  }
}

/** A positive number up to `most`; null for anything else. */
function measure(text: string | undefined, most: number): number | null {
  if (text === undefined || !/^\d{1,9}(\.\d{1,9})?$/.test(text)) return null
  const value = Number(text)
  return value > 0 && value <= most ? value : null
}

function codecOf(encoding: string): MediaCodec {
  if (encoding === '') return 'unknown'
  if (/^(video\/)?(h\.?264|avc)$/i.test(encoding)) return 'h264'
  return /^(video\/)?(h\.?265|hevc)$/i.test(encoding) ? 'h265' : 'other'
}

/** What can be recorded: H.264 and H.265, or, where the device names neither, what it does not name. */
export function usableProfiles(profiles: readonly MediaProfile[]): readonly MediaProfile[] {
  const known = profiles.filter(({ codec }) => codec === 'h264' || codec === 'h265')
  return known.length > 0 ? known : profiles.filter(({ codec }) => codec === 'unknown')
}

/**
 * Picks among the usable profiles of one lens; equal pictures are told apart by bitrate, then by the device's
 * order. Throws
 * OnvifError `no-usable-profile`, or `channel-gone` where the lens is not there.
 */
export function chooseProfile(profiles: readonly MediaProfile[], choice: ProfileChoice): MediaProfile {
  const usable = usableProfiles(profiles)
  if (usable.length === 0) throw new OnvifError('no-usable-profile',
    `none of the ${profiles.length} media profiles is H.264 or H.265`)
  const source = sourceOf(usable, choice)
  const ofLens = usable.filter(profile => profile.sourceToken === source)
  const [main] = ofLens.toSorted((a, b) => pixels(b) - pixels(a)
    || (b.bitrateKbps ?? 0) - (a.bitrateKbps ?? 0))
  if (choice.profile === 'main' && main) return main
  // The smallest picture of another lens would be footage of another place.
  const [sub] = ofLens.filter(profile => profile !== main)
    .toSorted((a, b) => pixels(a) - pixels(b) || (a.bitrateKbps ?? 0) - (b.bitrateKbps ?? 0))
  if (!sub) throw new OnvifError('no-usable-profile', 'the device has no second H.264 or H.265 profile of the same lens')
  return sub
}

function sourceOf(usable: readonly MediaProfile[],
  { source, mayReplaceSource }: ProfileChoice): string | null {
  const sources = new Set(usable.map(({ sourceToken }) => sourceToken))
  if (source !== null && sources.has(source)) return source
  if (source === null || (mayReplaceSource && sources.size === 1)) return usable[0]!.sourceToken
  throw new OnvifError('channel-gone',
    `the device has ${sources.size} video sources, and none is the one that was recorded`)
}

const pixels = (profile: MediaProfile): number => (profile.width ?? 0) * (profile.height ?? 0)
