import { headMessage, signedHeadOf, type HeadRememberer, type HeadSigner } from '../audit/index.ts'
import { RetryableError, type CameraId, type StreamName } from '../domain/index.ts'
import type { PackageSigner } from '../export/index.ts'
import type { Footage, FragmentWatcher } from '../footage/index.ts'
import { MOST_MANIFEST_BYTES } from '../link/index.ts'
import { bootIdOf } from '../platform/boot-id.ts'
import type { Clock } from '../platform/clock.ts'
import { realFileSystem } from '../platform/file-system.ts'
import type { Logger } from '../platform/logger.ts'
import { PROGRAM_VERSION } from '../platform/program-version.ts'
import { LinkedFootage, LinkedLive, LinkedTime, RecorderConnection } from '../recorder-client/index.ts'
import { holdsPort, type HoldsPort } from '../requests/index.ts'

/** All that the office has of its recorder. */
export interface Recorder {
  readonly connection: RecorderConnection
  readonly time: LinkedTime
  readonly footage: Footage
  readonly live: (camera: CameraId, stream: StreamName) => { watch(watcher: FragmentWatcher): () => void }
  readonly holds: HoldsPort
  readonly heads: HeadSigner & HeadRememberer
  readonly signer: () => Promise<PackageSigner>
}

export interface RecorderOptions {
  readonly stateDir: string
  readonly clock: Clock
  readonly log: Logger
}

/** Returns at once; asks once the recorder is there. Belongs to `parts`. */
export function linkedRecorder({ stateDir, clock, log }: RecorderOptions, parts: AsyncDisposableStack): Recorder {
  const connection = parts.use(RecorderConnection.open({ folder: stateDir, version: PROGRAM_VERSION, clock, log }))
  const time = parts.use(LinkedTime.open({ connection, bootId: bootIdOf(process.env), clock, log }))
  const footage = parts.use(LinkedFootage.open({ connection, time, fs: realFileSystem, clock, log }))
  const live = parts.use(LinkedLive.open({ connection, clock, log }))
  return {
    connection, time, footage,
    live: (camera, stream) => ({ watch: watcher => live.watch(camera, stream, watcher) }),
    holds: holdsPort((name, body) => connection.ask(name, body)),
    heads: {
      tell: async head => { await connection.ask('log.head', headMessage(head)) },
      sign: async head => signedHeadOf(await connection.ask('log.sign', headMessage(head))),
    },
    signer: () => packageSigner(connection),
  }
}

async function packageSigner(connection: RecorderConnection): Promise<PackageSigner> {
  return {
    ...await connection.ask('package.certificate', {}),
    async sign(manifest) {
      if (manifest.length > MOST_MANIFEST_BYTES) throw new ManifestTooLongError(manifest.length)
      const { signature, cms } = await connection.ask('package.sign', { manifest: manifest.toString('base64') })
      return { signature: Buffer.from(signature, 'base64'), cms: Buffer.from(cms, 'base64') }
    },
  }
}

class ManifestTooLongError extends RetryableError {
  constructor(bytes: number) {
    super('CUSTOS_MANIFEST_TOO_LONG', `證據包清單達 ${bytes} 位元組，超過錄影機可簽署的 ${MOST_MANIFEST_BYTES} 位元組。/ the manifest has ${bytes} bytes; the recorder signs at most ${MOST_MANIFEST_BYTES}`, {
      remedy: '請縮短時間範圍或分成數次複製。/ Make several copies of shorter ranges.',
    })
  }
}
