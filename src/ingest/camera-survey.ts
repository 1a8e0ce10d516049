import { FatalError, RetryableError, type Credential } from '../domain/index.ts'
import type { Clock } from '../platform/clock.ts'
import { probeCamera, type CameraProbe, type ProbeTarget } from './camera-probe.ts'
import { discoverDevices, type Discovery } from './onvif/index.ts'

/** How long devices are listened to. */
const LISTEN_MS = 4_000
/** How much of a stream is looked at: two key frames of most cameras. */
const SAMPLE_MS = 12_000
/** A device that answers each question late is given up. */
const PROBE_WITHIN_MS = 90_000

/** Another one looks at cameras already; what two at once would cost is kept from recording. */
export class SurveyBusyError extends RetryableError {
  constructor() {
    super('CUSTOS_SURVEY_BUSY', '已有人正在搜尋或查看攝影機，請稍候。/ somebody looks for cameras or at one already', {
      remedy: '一分鐘後再試。/ Try again in a minute.' })
  }
}

/** Looks for cameras and at them for people who have no terminal, one at a time. Keeps nothing. */
export class CameraSurvey {
  readonly #clock: Clock
  readonly #sampleMs: number
  #isBusy = false
  constructor(clock: Clock, sampleMs = SAMPLE_MS) {
    this.#clock = clock
    this.#sampleMs = sampleMs
  }

  /** `onBegin`: called before anything is asked. Throws SurveyBusyError; a FatalError when no network can be asked. */
  discover(onBegin = (): void => undefined): Promise<Discovery> {
    return this.#alone(onBegin, () => discoverDevices(
      { clock: this.#clock, signal: new AbortController().signal, forMs: LISTEN_MS })
      .catch((error: unknown) => {
        throw new FatalError('CUSTOS_DISCOVERY_FAILED',
          '無法在網路上詢問攝影機。/ The networks cannot be asked for cameras', {
            remedy: '檢查主機的網路介面與防火牆（UDP 3702）。/ '
              + 'Check the network interfaces of this machine and its firewall (UDP 3702).',
            cause: error instanceof Error ? error : undefined,
          })
      }))
  }

  /** Throws SurveyBusyError; a RetryableError when the device took too long. */
  probe(at: ProbeTarget['at'], credential: Credential | null, onBegin = (): void => undefined): Promise<CameraProbe> {
    const signal = AbortSignal.timeout(PROBE_WITHIN_MS)
    return this.#alone(onBegin, () => probeCamera({ at, credential, clock: this.#clock, signal,
      sampleMs: this.#sampleMs })
      .catch((error: unknown) => {
        if (!signal.aborted) throw error
        throw new RetryableError('CUSTOS_PROBE_TIMED_OUT',
          '攝影機未在時限內答完。/ the camera did not answer everything in time',
          { remedy: '檢查網路與攝影機負載後再試。/ Check the network and the load of the camera, then try again.' })
      }))
  }

  async #alone<T>(onBegin: () => void, act: () => Promise<T>): Promise<T> {
    if (this.#isBusy) throw new SurveyBusyError()
    onBegin()
    this.#isBusy = true
    try { return await act() } finally { this.#isBusy = false }
  }
}
