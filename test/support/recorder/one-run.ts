import { epochMs } from '../../../src/domain/index.ts'
import {
  concatScript, inputOptions, pictureOptions, type PictureTreatment
} from '../../../src/ingest/ffmpeg-arguments.ts'
import { startFfmpeg, type FfmpegExit } from '../../../src/platform/ffmpeg.ts'

export interface OneRun extends FfmpegExit { readonly media: Buffer, readonly tookMs: number }

/** One ffmpeg child exactly as the recorder starts it, ended after `enoughBytes` of MP4 or after a bound. */
export async function oneRun(
  secretUrl: string,
  { pictures = 'all', enoughBytes = 50_000, boundMs = 45_000 }: {
    pictures?: PictureTreatment, enoughBytes?: number, boundMs?: number,
  } = {}
): Promise<OneRun> {
  const chunks: Buffer[] = []
  const enough = new AbortController()
  let bytes = 0
  const startedAt = epochMs(Date.now())
  const child = await startFfmpeg({
    inputFormat: 'concat', inputOptions: inputOptions('video'), inputText: concatScript(secretUrl, 'video'), outputFormat: 'mp4', outputOptions: pictureOptions(pictures, startedAt),
    onBytes: chunk => {
      chunks.push(Buffer.from(chunk))
      bytes += chunk.length
      if (bytes > enoughBytes) enough.abort()
      return 'whole'
    },
  }, { stop: new AbortController().signal, kill: AbortSignal.any([enough.signal, AbortSignal.timeout(boundMs)]) })
  const exit = await child.exit
  return { ...exit, media: Buffer.concat(chunks), tookMs: Date.now() - startedAt }
}
