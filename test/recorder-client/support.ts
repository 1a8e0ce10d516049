import { requestsFor } from '../../src/daemon/link-requests.ts'
import { OfficeTold } from '../../src/daemon/office-told.ts'
import { LinkServer, type Handlers, type HandlersFor } from '../../src/link/index.ts'
import { systemClock, type Clock } from '../../src/platform/clock.ts'
import type { VolumeFileSystem } from '../../src/platform/file-system.ts'
import { LinkedFootage, LinkedLive, LinkedTime, RecorderConnection } from '../../src/recorder-client/index.ts'
import { log } from '../link/support.ts'
import type { RecorderRig } from '../support/recorder-rig.ts'
import { until } from '../support/until.ts'

const IGNORED = { tell: () => undefined, clear: () => undefined }

export function serveOffice(folder: string, handlers: Handlers | HandlersFor, clock: Clock = systemClock): LinkServer {
  return LinkServer.open({ folder, version: '9.9.9', handlers, takesRoles: ['command', 'office'], clock, log })
}

/** The recorder's end of the link over a rig's storage, as the daemon puts it together. */
export function serveRig(folder: string, rig: RecorderRig): LinkServer {
  const { time: trustedTime, bootId, clock } = rig
  const unasked = null as never // of logs, packages and health
  return serveOffice(folder, requestsFor({
    storage: rig.storage, trustedTime, bootId, clock, audit: unasked, certificate: unasked,
    auditKeeper: { checkpoints: unasked, otherLogs: unasked }, told: new OfficeTold(clock, IGNORED),
  }))
}

export interface OfficeOptions {
  readonly fs?: VolumeFileSystem
  readonly bootId?: string
  /** Of all but the connection. */
  readonly clock?: Clock
  readonly connectionClock?: Clock
}

/** The office's side of the link, all of it. */
export class Office implements AsyncDisposable {
  readonly connection: RecorderConnection
  readonly time: LinkedTime
  readonly footage: LinkedFootage
  readonly live: LinkedLive

  constructor(folder: string, options: OfficeOptions = {}) {
    const { fs = {} as VolumeFileSystem, bootId = 'boot', clock = systemClock, connectionClock = systemClock } = options
    const connection = this.connection =
      RecorderConnection.open({ folder, version: '9.9.9', clock: connectionClock, log })
    const time = this.time = LinkedTime.open({ connection, bootId, clock, log })
    this.footage = LinkedFootage.open({ connection, time, fs, clock, log })
    this.live = LinkedLive.open({ connection, clock, log })
  }

  async connected(): Promise<this> {
    await until('connected', () => this.connection.away === null)
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.live[Symbol.asyncDispose]()
    await this.footage[Symbol.asyncDispose]()
    await this.time[Symbol.asyncDispose]()
    await this.connection[Symbol.asyncDispose]()
  }
}
