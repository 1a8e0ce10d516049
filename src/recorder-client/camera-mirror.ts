import { cameraId, cameraUuid, epochMs, type CameraUuid } from '../domain/index.ts'
import type { RecordedCamera, SeenDevice } from '../footage/index.ts'
import type { DeviceMessage } from '../link/index.ts'
import type { Clock } from '../platform/clock.ts'
import { FailureLog } from '../platform/failure-log.ts'
import type { Logger } from '../platform/logger.ts'
import { ConnectedLoop } from './connected-loop.ts'
import { everyPage } from './every-page.ts'
import type { RecorderConnection } from './recorder-connection.ts'

const READ_EVERY_MS = 10_000

export interface CameraMirrorOptions {
  readonly connection: Pick<RecorderConnection, 'ask' | 'onConnected'>
  readonly clock: Clock
  readonly log: Logger
}

/** The cameras that the recorder knows, read at each connection and each ten seconds: asking never waits. */
export class CameraMirror implements AsyncDisposable {
  readonly #options: CameraMirrorOptions
  readonly #failures: FailureLog
  readonly #reading: ConnectedLoop
  #cameras: readonly RecordedCamera[] = []
  #devices: ReadonlyMap<CameraUuid, SeenDevice> = new Map()

  constructor(options: CameraMirrorOptions) {
    this.#options = options
    const { connection, clock, log } = options
    this.#failures = new FailureLog({
      clock, log,
      failed: 'the recorder does not tell its cameras', recovered: 'the recorder tells its cameras',
    })
    this.#reading = new ConnectedLoop(connection, signal => this.#run(signal))
  }

  /** None until a recorder has told them. */
  all(): readonly RecordedCamera[] { return this.#cameras }
  lastDevice(camera: CameraUuid): SeenDevice | null { return this.#devices.get(camera) ?? null }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#read()
        this.#failures.success()
      } catch (error) { if (!signal.aborted) this.#failures.failure({ err: error }) }
      await this.#options.clock.wait(READ_EVERY_MS, signal)
    }
  }

  async #read(): Promise<void> {
    const { connection } = this.#options, cameras = new Map<CameraUuid, RecordedCamera>()
    const devices = new Map<CameraUuid, SeenDevice>()
    const pages = everyPage(async (after: string | null) => {
      const { cameras: rows, next } = await connection.ask('footage.cameras', { after })
      return { rows, next }
    })
    for await (const rows of pages) {
      for (const { uuid: text, id, isRetired, lastDevice } of rows) {
        const uuid = cameraUuid(text)
        cameras.set(uuid, { uuid, id: cameraId(id), isRetired })
        if (lastDevice !== null) devices.set(uuid, deviceOf(lastDevice))
      }
    }
    this.#cameras = [...cameras.values()]
    this.#devices = devices
  }

  async [Symbol.asyncDispose](): Promise<void> { await this.#reading[Symbol.asyncDispose]() }
}

export const deviceOf = ({ firstSeenAt, lastSeenAt, ...facts }: DeviceMessage): SeenDevice =>
  ({ ...facts, firstSeenAt: epochMs(firstSeenAt), lastSeenAt: epochMs(lastSeenAt) })
