import { Writable } from 'node:stream'
import { concatScript, INPUT_OPTIONS, outputOptions, type AudioTreatment } from '../../../src/ingest/ffmpeg-arguments.ts'
import { runFfmpeg, type FfmpegExit } from '../../../src/platform/ffmpeg.ts'

export interface OneRun extends FfmpegExit { readonly media: Buffer, readonly tookMs: number }

/** One ffmpeg child exactly as the recorder starts it, ended after `enoughBytes` of MP4 or after a bound. */
export async function oneRun(secretUrl: string, { audio = 'off', enoughBytes = 100_000, boundMs = 12_000 }: { audio?: AudioTreatment, enoughBytes?: number, boundMs?: number } = {}): Promise<OneRun> {
  const chunks: Buffer[] = []
  const enough = new AbortController()
  let bytes = 0
  const startedAt = performance.now()
  const exit = await runFfmpeg({
    inputFormat: 'concat', inputOptions: INPUT_OPTIONS, inputText: concatScript(secretUrl, audio), outputFormat: 'mp4', outputOptions: outputOptions(audio),
    output: new Writable({ write(chunk: Buffer, _encoding, done) { chunks.push(chunk); bytes += chunk.length; if (bytes > enoughBytes) enough.abort(); done() } }),
  }, { stop: new AbortController().signal, kill: AbortSignal.any([enough.signal, AbortSignal.timeout(boundMs)]) })
  return { ...exit, media: Buffer.concat(chunks), tookMs: performance.now() - startedAt }
}
