import { globSync, writeFileSync } from 'node:fs'
import { chmod, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Test } from 'tap'
import { runId, type EpochMs, type GapCause, type RunEndReason } from '../../src/domain/index.ts'
import type { CameraRelay } from '../../src/ingest/index.ts'
import type { Fragment } from '../../src/media/index.ts'
import type { CameraTraits, StreamLane } from '../../src/storage/index.ts'
import { builtFragment, builtInit, realFootage } from '../support/fragments.ts'

export interface Camera {
  /** How often it was started. */
  starts(): number
  /** The one that waits goes on with the rest of its footage, and all that follow do so at once. */
  goOn(): void
}

/** In ffmpeg's place: writes the first part of its footage, waits for `goOn` where there is a second, writes that, and ends. */
export async function cannedCamera(t: Test, parts?: readonly [Buffer, Buffer]): Promise<Camera> {
  const [first, rest] = parts ?? [await realClip(), null]
  const folder = t.testdir({ first, ...(rest === null ? {} : { rest }) })
  const file = path.join(folder, 'ffmpeg')
  await writeFile(file, `#!/bin/sh
    for output; do :; done
    cd ${folder}
    touch start-$$
    exec 3> "$output"
    cat first >&3
    if [ -e rest ]; then
      while [ ! -e on ]; do sleep 0.02; done
      cat rest >&3
    fi`)
  await chmod(file, 0o755)
  process.env['CUSTOS_FFMPEG'] = file
  t.teardown(() => { delete process.env['CUSTOS_FFMPEG'] })
  return {
    starts: () => globSync('start-*', { cwd: folder }).length,
    goOn: () => { writeFileSync(path.join(folder, 'on'), '') },
  }
}

/** Two seconds in four fragments. */
async function realClip(): Promise<Buffer> {
  const { init, fragment } = await realFootage({ codec: 'h264', width: 64, height: 48, seconds: 2 })
  return Buffer.concat([init.ftyp, init.moov, ...[0, 1, 2, 3].map(i => bytesOf(fragment(i)))])
}

/** More than a run keeps waiting for storage: one fragment, and ten of more than 2 MiB, of which four fill its queue. */
export function longClip(): [Buffer, Buffer] {
  const init = builtInit()
  const fragmentOf = (position: number, dataBytes: number) => bytesOf(builtFragment({ init, name: 'x', dataBytes, decodeTimeMs: position * 500 }))
  return [Buffer.concat([init.ftyp, init.moov, fragmentOf(0, 1000)]), Buffer.concat(Array.from({ length: 10 }, (_, i) => fragmentOf(i + 1, 2 << 20)))]
}

const bytesOf = ({ buffer, moofAt, endAt }: Fragment): Buffer => buffer.subarray(moofAt, endAt)

/** A lane that notes what is asked of it. Asserts that no two calls are in it at once. */
export class NotedLane {
  readonly told: string[] = []
  appended = 0
  #inside = 0
  /** Each may throw, or take its time. */
  onBegin: () => void | Promise<void> = () => undefined
  onAppend: () => void | Promise<void> = () => undefined
  onEnd: () => void = () => undefined

  async #alone<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#inside > 0) throw new RangeError('two runs write to one lane')
    this.#inside++
    try { return await work() } finally { this.#inside-- }
  }

  get lane(): StreamLane {
    const own: Pick<StreamLane, 'recover' | 'beginRun' | 'append' | 'showLive' | 'endRun' | 'noteStarting' | 'noteNoFootage' | 'noteHole'> = {
      recover: async () => undefined,
      beginRun: () => this.#alone(async () => { this.told.push('begin'); await this.onBegin(); return runId(1) }),
      append: () => this.#alone(async () => { await this.onAppend(); this.appended++ }),
      showLive: () => true,
      endRun: (reason: RunEndReason, _endAt: EpochMs) => { this.told.push(`end ${reason}`); this.onEnd() },
      noteStarting: () => { this.told.push('none starting') },
      noteNoFootage: (cause: GapCause) => { this.told.push(`none ${cause}`) },
      noteHole: () => undefined,
    }
    return own as unknown as StreamLane
  }
}

/** No relay: whoever plays ffmpeg opens nothing. */
export const straightWay: Pick<CameraRelay, 'ticket'> = {
  ticket: url => ({ url, fault: () => null, takeLossesAgoMs: () => [], [Symbol.dispose]: () => undefined }),
}

export const noTraits: Pick<CameraTraits, 'of' | 'shown'> = { of: () => null, shown: () => undefined }
