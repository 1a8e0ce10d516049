import type { RunEndReason } from '../domain/index.ts'
import { isOwnFailure } from '../platform/ffmpeg.ts'
import { SOCKET_TIMEOUT_MS } from './ffmpeg-arguments.ts'

/** ffmpeg 5.1's words for what a camera or the network did, the more telling first. Where none fits, the run simply ended. */
const WORDS: readonly (readonly [RegExp, RunEndReason])[] = [
  [/\b(401 Unauthorized|403 Forbidden|authorization failed)\b/i, 'auth-refused'],
  [/Codec \(\w+\) not on whitelist|Could not find tag for codec|codec not currently supported in container|Unsupported codec/i, 'codec-unsupported'],
  [/\bmethod [A-Z]+ failed: (453|5\d\d)/i, 'closed-by-camera'], // busy or starting up
  [/\bmethod [A-Z]+ failed: 4\d\d|Server returned 40[04]|Stream map .* matches no streams/i, 'no-such-stream'],
  [/Connection refused/i, 'refused'],
  [/Connection timed out|No route to host|Network is unreachable|Host is unreachable|Failed to resolve hostname|Name or service not known|Network is down/i, 'unreachable'],
  [/Cannot allocate memory|Unrecognized option|Option .* not found/i, 'ffmpeg-failed'],
]
/** Said of a camera that describes a stream and then sends nothing that shows its size, and also of one that sends nothing at all. */
const NO_PARAMETERS = /Could not find codec parameters/i

export interface RunFacts {
  readonly hadFrames: boolean
  /** Since the last frame, or since the start. */
  readonly silentMs: number
  /** Of the child; null when a signal ended it. */
  readonly exitCode: number | null
}

/** The shell's words for a program that cannot be run. */
const NOT_RUN = new Set<number | null>([126, 127])

/** Why a child that ended by itself did so, from its last lines. ffmpeg has no word for its own time-out, so silence tells that. */
export function classifyStderr(lines: readonly string[], { hadFrames, silentMs, exitCode }: RunFacts): RunEndReason {
  if (NOT_RUN.has(exitCode) || isOwnFailure(lines.at(-1) ?? '')) return 'ffmpeg-failed'
  const text = lines.join('\n')
  for (const [pattern, reason] of WORDS) {
    if (!pattern.test(text) || (hadFrames && reason === 'no-such-stream')) continue
    return hadFrames && reason === 'unreachable' && silentMs >= SOCKET_TIMEOUT_MS ? 'stalled' : reason // it was reached; the time-out is of its silence
  }
  if (silentMs >= SOCKET_TIMEOUT_MS) return 'stalled'
  return !hadFrames && NO_PARAMETERS.test(text) ? 'no-such-stream' : 'closed-by-camera'
}

/** A fragment this close to the end of the child is what it still held: it says nothing of when the camera spoke last. */
const FLUSHED_MS = 1_000

/** How long the camera had been silent when the child ended: before the last fragment, if that one only came out because the child ended. */
export const silenceAtEnd = ({ sinceLastMs, beforeLastMs }: { readonly sinceLastMs: number, readonly beforeLastMs: number }): number =>
  sinceLastMs < FLUSHED_MS ? Math.max(sinceLastMs, beforeLastMs) : sinceLastMs

/** True when the container refused the sound track as it came: the next run turns it into AAC. */
export const soundNeedsTranscode = (lines: readonly string[]): boolean =>
  lines.some(line => /Could not find tag for codec (pcm_|adpcm_|g72)/i.test(line))
