import { DEFAULTS, formatProblems, isHost, namedCredential, streamUrlFault } from '../config/index.ts'
import { FatalError, type Credential } from '../domain/index.ts'
import { configurationLines, probeCamera, type CameraProbe, type LineWords,
  type ProbedProfile } from '../ingest/index.ts'
import { systemClock } from '../platform/clock.ts'
import type { Output } from './audit-access.ts'

export interface CamerasProbeOptions {
  readonly config?: string
  readonly credential?: string
  readonly source?: string
  readonly port?: string
  readonly seconds?: string
  readonly json?: true
}

const DEFAULT_SECONDS = 12
/** Two key frames of a smart codec. */
const MOST_SECONDS = 120

/**
 * `custos cameras probe HOST|URL`: what a camera says of itself and sends, and what to write into the
 * configuration. Keeps nothing, records nothing.
 */
export async function camerasProbe(at: string, options: CamerasProbeOptions, out: Output): Promise<number> {
  const target = targetOf(at, options)
  const credential = await credentialOf(options, out)
  if (credential === undefined) return 2
  const stop = new AbortController()
  const stopNow = (): void => { stop.abort(new Error('interrupted')) }
  process.once('SIGINT', stopNow)
  try {
    const sampleMs = 1000 * wholeNumber(options.seconds,
      { least: 1, most: MOST_SECONDS, fallback: DEFAULT_SECONDS, name: '--seconds' })
    const probe = await probeCamera({ at: target, credential, clock: systemClock, signal: stop.signal,
      sampleMs })
    out.write(options.json === true ? `${JSON.stringify(jsonOf(probe), null, 2)}\n`
      : `${linesOf(at, options, probe).join('\n')}\n`)
    return probe.sample === null ? 1 : 0
  } finally { process.off('SIGINT', stopNow) }
}

function targetOf(at: string,
  { source, port }: CamerasProbeOptions): Parameters<typeof probeCamera>[0]['at'] {
  if (/^rtsps?:\/\//i.test(at)) {
    const fault = streamUrlFault(at)
    if (fault === null) return { kind: 'url', url: at }
    throw new FatalError('CUSTOS_PROBE_TARGET', `${fault.zh}/ ${fault.en}`,
      { remedy: '例如 rtsp://10.0.0.11/stream1。/ Such as rtsp://10.0.0.11/stream1.' })
  }
  if (!isHost(at)) {
    throw new FatalError('CUSTOS_PROBE_TARGET',
      '這裡須為主機名稱、IP 位址或 rtsp:// 網址。/ This must be a host, an IP address or an rtsp:// URL', {
      remedy: '連接埠以 --port 指定。/ Give the port with --port.' })
  }
  return { kind: 'onvif', host: at, port: wholeNumber(port,
    { least: 1, most: 65_535, fallback: DEFAULTS.onvifPort, name: '--port' }), source: source ?? null }
}

function wholeNumber(text: string | undefined,
  { least, most, fallback, name }: { least: number, most: number, fallback: number, name: string }): number {
  if (text === undefined) return fallback
  const value = Number(text)
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw new FatalError('CUSTOS_PROBE_TARGET',
    `${name} 須為 ${least} 至 ${most} 的整數。/ ${name} is a whole number from ${least} to ${most}`,
    { remedy: `省略時為 ${fallback}。/ Without it ${fallback} is taken.` })
}

/** Undefined: named, and not to be had. */
async function credentialOf({ config, credential: name }: CamerasProbeOptions,
  out: Output): Promise<Credential | null | undefined> {
  if (name === undefined) return null
  if (config === undefined) {
    out.write('--credential 需要 --config。/ --credential needs --config.\n'); return undefined }
  const { credential, problems } = await namedCredential(config, name)
  if (credential !== null) return credential
  out.write(problems.length > 0 ? formatProblems(problems)
    : `密碼檔中沒有「${name}」。/ The secrets file has no entry "${name}".\n`)
  return undefined
}

const figure = (value: number | null, digits: number): string => value === null ? '–' : value.toFixed(digits)

function linesOf(at: string, options: CamerasProbeOptions, probe: CameraProbe): string[] {
  const { device, deviceFault, shownUrl, description, sample, streamFault } = probe
  const lines: string[] = []
  if (device !== null) {
    const { manufacturer, model, firmwareVersion, serialNumber } = device.information
    const offset = device.clockOffset === null ? '–' : `${(device.clockOffset.offsetMs / 1000).toFixed(1)} s`
    const name = [manufacturer, model, firmwareVersion, serialNumber].filter(text => text !== '').join(' / ')
    lines.push(`裝置 device        ${name}`,
      `時鐘差 clock       ${offset}`, '鏡頭與串流 lenses and profiles', ...device.profiles.map(profileLine))
  }
  if (deviceFault !== null) lines.push(`ONVIF 失敗 failed  ${deviceFault.message}`, `  ${deviceFault.remedy}`)
  if (shownUrl !== null) lines.push(`串流 stream        ${shownUrl}`)
  if (streamFault !== null) lines.push(`連線失敗 failed    ${streamFault.reason}: ${streamFault.message}`)
  if (description !== null) lines.push(`影像 video         ${description.video ?? '–'}`,
    `聲音 sound         ${description.sound ?? '無 none'}`)
  if (sample !== null) {
    const { codec, widthPx, heightPx, fps, bitrateBps } = sample
    const mbps = figure(bitrateBps === null ? null : bitrateBps / 1e6, 2)
    lines.push(
      `畫面 picture       ${codec} ${widthPx}x${heightPx}, ${figure(fps, 1)} fps, ${mbps} Mbit/s`,
      `關鍵畫格 key frame ${figure(sample.keyFrameSeconds, 1)} s`,
      `亮度 brightness    ${sample.brightness === null ? '–' : `${sample.brightness} / 255`}`,
      '設定檔 configuration', ...configurationLines(wordsOf(at, options), probe).map(line => `  ${line}`))
  }
  return lines
}

const wordsOf = (at: string, { port, source, credential }: CamerasProbeOptions): LineWords => ({ at,
  port: port === undefined ? DEFAULTS.onvifPort : Number(port), source: source ?? null,
  credential: credential ?? null })

function profileLine({ token, sourceToken, codec, width, height, fps, bitrateKbps, govLength,
  takenAs }: ProbedProfile): string {
  const why = takenAs ?? (codec === 'other' ? '不用：非 H.264／H.265 not taken: neither H.264 nor H.265'
    : '不用：同鏡頭已有較合適者 not taken: others of its lens fit better')
  const picture = `${codec} ${width ?? '–'}x${height ?? '–'} ${figure(fps, 1)} fps`
  return `  ${sourceToken ?? '–'}  ${token}  ${picture} ${bitrateKbps ?? '–'} kbit/s GOV ${govLength ?? '–'}  ${why}`
}

const jsonOf = ({ deviceFault, streamFault, ...probe }: CameraProbe): object => ({
  ...probe, deviceFault: deviceFault && { code: deviceFault.code, message: deviceFault.message },
  streamFault: streamFault && { reason: streamFault.reason, message: streamFault.message },
})
