import { OnvifError, type OnvifTarget, type ProfileChoice } from '../../../src/ingest/onvif/index.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import type { OnvifSimulator, SimulatedProfile } from './device-simulator.ts'

/** Awkward on purpose: XML, HTTP and URL characters, and letters beyond ASCII. */
export const CREDENTIAL = { username: 'op<&>"erätor', password: 'pä"ss&<w>ö: 密碼\\%/@' }

export const PROFILES: readonly SimulatedProfile[] = [
  { token: 'jpeg', name: 'Snapshots', codec: 'mjpeg', width: 3840, height: 2160, fps: 1, bitrateKbps: 9000, uri: 'rtsp://127.0.0.1:554/jpeg' },
  { token: 'low', name: 'Low', codec: 'h264', width: 640, height: 360, fps: 10, bitrateKbps: 512, uri: 'rtsp://127.0.0.1:554/low?a=1&b=2' },
  { token: 'a&b <1.0>', name: 'Haupt & Co', codec: 'h265', width: 2560, height: 1440, fps: 20, bitrateKbps: 4096, govLength: 40, uri: 'rtsp://127.0.0.1:8554/main' },
  { token: 'mid', name: 'Mid', codec: 'h264', width: 1280, height: 720, fps: 15, bitrateKbps: 2048, uri: 'rtsp://127.0.0.1:554/mid' },
]

export const MAIN: ProfileChoice = { profile: 'main', source: null, mayReplaceSource: true }
export const SUB: ProfileChoice = { ...MAIN, profile: 'sub' }

export const targetOf = (simulator: OnvifSimulator, more: Partial<OnvifTarget> = {}): OnvifTarget => ({
  host: '127.0.0.1', port: simulator.port, credential: CREDENTIAL, clock: systemClock, signal: new AbortController().signal, ...more,
})

/** The OnvifError that `asked` ends with; throws when it ends otherwise. */
export async function failureOf(asked: Promise<unknown>): Promise<OnvifError> {
  const end: unknown = await asked.catch((error: unknown) => error)
  if (end instanceof OnvifError) return end
  throw new Error('did not end with an OnvifError', { cause: end })
}
