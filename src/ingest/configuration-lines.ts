import type { CameraProbe } from './camera-probe.ts'

/** What the lines say beside what the camera told. */
export interface LineWords {
  /** Host or stream address that was looked at. */
  readonly at: string
  /** Of the ONVIF service. */
  readonly port: number
  /** The lens that was asked for; null: each lens gets a line. */
  readonly source: string | null
  /** Entry of the secrets file; null: none. */
  readonly credential: string | null
}

/**
 * The lines for `cameras:` of the configuration, one for each lens. Whatever a device says, it stands in quotes
 * of JSON, which are YAML's.
 */
export function configurationLines({ at, port, source, credential }: LineWords,
  { device, sample }: Pick<CameraProbe, 'device' | 'sample'>): string[] {
  const account = credential === null ? '' : `, credential: ${credential}`
  const bitrate = sample?.bitrateBps == null ? ''
    : `, bitrate: ${Math.max(1, Math.ceil(sample.bitrateBps / 1e6))}Mbit/s`
  if (device === null) return [
    `- { id: camera-1, name: 鏡頭一${account}, streams: { main: { url: ${JSON.stringify(at)}${bitrate} } } }`]
  const lenses = [...new Set(device.profiles.filter(({ takenAs }) => takenAs !== null).map(
    ({ sourceToken }) => sourceToken))]
  const wanted = source === null ? lenses : [source]
  return wanted.map((lens, i) => {
    const profiles = device.profiles.filter(profile =>
      profile.sourceToken === lens && profile.takenAs !== null)
    const sub = profiles.some(({ takenAs }) => takenAs === 'sub') ? ', sub: { profile: sub }' : ''
    const token = lens === null ? '' : `, source: ${JSON.stringify(lens)}`
    const onvif = `onvif: { host: ${JSON.stringify(at)}, port: ${port}${token} }`
    const streams = `streams: { main: { profile: main${i === 0 ? bitrate : ''} }${sub} }`
    return `- { id: camera-${i + 1}, name: 鏡頭${i + 1}${account}, ${onvif}, ${streams} }`
  })
}
