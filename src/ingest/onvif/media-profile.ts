import type { DeviceText } from './device-text.ts'
import { OnvifError } from './onvif-error.ts'
import { descend, textAt, type XmlElement } from './xml-element.ts'

export type MediaCodec = 'h264' | 'h265' | 'other'

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

/** `main`: the largest picture. `sub`: the smallest of the others of the same lens. */
export type ProfileChoice = 'main' | 'sub'

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
    codec: /^(video\/)?(h\.?264|avc)$/i.test(encoding) ? 'h264' : /^(video\/)?(h\.?265|hevc)$/i.test(encoding) ? 'h265' : 'other',
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

/** Picks among the H.264 and H.265 profiles; equal pictures are told apart by bitrate, then by the device's order. Throws OnvifError `no-usable-profile`. */
export function chooseProfile(profiles: readonly MediaProfile[], choice: ProfileChoice): MediaProfile {
  const usable = profiles.filter(profile => profile.codec !== 'other')
  const [main] = usable.toSorted((a, b) => pixels(b) - pixels(a) || (b.bitrateKbps ?? 0) - (a.bitrateKbps ?? 0))
  if (!main) throw new OnvifError('no-usable-profile', `none of the ${profiles.length} media profiles is H.264 or H.265`)
  if (choice === 'main') return main
  // The smallest picture of another lens would be footage of another place.
  const [sub] = usable.filter(profile => profile !== main && profile.sourceToken === main.sourceToken)
    .toSorted((a, b) => pixels(a) - pixels(b) || (a.bitrateKbps ?? 0) - (b.bitrateKbps ?? 0))
  if (!sub) throw new OnvifError('no-usable-profile', 'the device has no second H.264 or H.265 profile of the same lens')
  return sub
}

const pixels = (profile: MediaProfile): number => (profile.width ?? 0) * (profile.height ?? 0)
