import { randomBytes } from 'node:crypto'
import { CameraServer } from '../test/support/cameras/camera-server.ts'
import { CLIPS } from '../test/support/cameras/make-clips.ts'
import { OnvifSimulator } from '../test/support/onvif/device-simulator.ts'

export interface DemoCamera {
  readonly id: string
  readonly name: string
  readonly picture: string
  /** How the recorder gets at it. */
  readonly reachedBy: string
}

export const FREEZE_MS = 10_000

const CAMERAS = [
  { id: 'lobby', name: '大廳', clip: CLIPS.h264Hd, reachedBy: 'RTSP' },
  { id: 'counter', name: '櫃檯', clip: CLIPS.h265Small, reachedBy: 'RTSP + digest' },
  { id: 'corridor', name: '走廊', clip: CLIPS.h264Small, reachedBy: 'RTSP' },
  { id: 'door', name: '大門', clip: CLIPS.h265Hd, reachedBy: 'ONVIF + digest' },
] as const

/** Four cameras on the loopback: real RTSP over TCP from GStreamer, one found through an ONVIF device. Disposal ends them all. */
export class DemoSite implements AsyncDisposable {
  readonly cameras: readonly DemoCamera[] = CAMERAS.map(({ id, name, clip, reachedBy }) =>
    ({ id, name, picture: `${clip.codec === 'h264' ? 'H.264' : 'H.265'} ${clip.width}x${clip.height}`, reachedBy }))
  readonly #server: CameraServer
  readonly #device: OnvifSimulator
  readonly #password: string
  readonly #frozenUntil = new Map<string, { readonly endsAtMs: number, readonly timer: NodeJS.Timeout }>()

  private constructor(server: CameraServer, device: OnvifSimulator, password: string) {
    this.#server = server
    this.#device = device
    this.#password = password
  }

  /** The first start encodes the clips; they are kept for the next. */
  static async open(): Promise<DemoSite> {
    const account = { username: 'viewer', password: randomBytes(9).toString('base64url') }
    const server = await CameraServer.start({
      mounts: CAMERAS.map(({ id, clip, reachedBy }) => ({ path: `/${id}`, clip, ...(reachedBy.includes('digest') ? account : {}) })),
    })
    try {
      const { width, height, fps, bitrateBps } = CLIPS.h265Hd
      const device = await OnvifSimulator.start({
        credential: account,
        profiles: [{ token: 'main', name: 'Main', codec: 'h265', width, height, fps, bitrateKbps: bitrateBps / 1000, uri: server.url('/door') }],
      })
      return new DemoSite(server, device, account.password)
    } catch (error) {
      await server[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Rejects never; settles when the camera process has ended. */
  get exited(): Promise<void> { return this.#server.exited }

  /** The `cameras:` section of the configuration; holds no password. */
  configLines(): string[] {
    return CAMERAS.map(({ id, name, reachedBy }) => {
      const where = reachedBy.startsWith('ONVIF') ? `onvif: { host: 127.0.0.1, port: ${this.#device.port} }` : `streams: { main: { url: "${this.#server.url(`/${id}`)}" } }`
      return `  - { id: ${id}, name: ${name}, ${reachedBy.includes('digest') ? 'credential: office, ' : ''}${where} }`
    })
  }

  secretsText(): string {
    return `office: { username: viewer, password: "${this.#password}" }\n`
  }

  /** The camera's connection stays, its picture stops, as with a hung encoder. */
  async freeze(id: string): Promise<void> {
    if (this.#frozenUntil.has(id)) return
    const timer = setTimeout(() => {
      this.#frozenUntil.delete(id)
      // A server that ended meanwhile is told of elsewhere.
      this.#server.control({ do: 'resume', mount: `/${id}` }).catch(() => undefined)
    }, FREEZE_MS)
    this.#frozenUntil.set(id, { endsAtMs: performance.now() + FREEZE_MS, timer })
    await this.#server.control({ do: 'stall', mount: `/${id}` })
  }

  /** Milliseconds until it thaws; null when it is not frozen. */
  frozenForMs(id: string): number | null {
    const frozen = this.#frozenUntil.get(id)
    return frozen === undefined ? null : Math.max(0, frozen.endsAtMs - performance.now())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { timer } of this.#frozenUntil.values()) clearTimeout(timer)
    await this.#device[Symbol.asyncDispose]()
    await this.#server[Symbol.asyncDispose]()
  }
}
