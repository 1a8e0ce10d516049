import type { RunEndReason } from '../domain/index.ts'

/** ffmpeg 5.1's words for what a camera or the network did, the more telling first. Where none fits, the run simply ended. */
const WORDS: readonly (readonly [RegExp, RunEndReason])[] = [
  [/\b(401 Unauthorized|403 Forbidden|authorization failed)\b/i, 'auth-refused'],
  [/\b(404 Not Found|454 Session Not Found|method (DESCRIBE|SETUP|PLAY) failed: [45]\d\d)/i, 'no-such-stream'],
  [/Connection refused/i, 'refused'],
  [/Could not find tag for codec|codec not currently supported in container|Unsupported codec|not in whitelist/i, 'codec-unsupported'],
  [/Stream map .* matches no streams|Invalid data found when processing input|Could not find codec parameters/i, 'no-such-stream'],
  [/Connection timed out|No route to host|Network is unreachable|Host is unreachable|Failed to resolve hostname|Name or service not known|Network is down/i, 'unreachable'],
  [/Cannot allocate memory|Unrecognized option|Option .* not found|Cannot find ffmpeg|ENOENT/i, 'ffmpeg-failed'],
]

/** Why a child that ended by itself did so, from its last lines. */
export function classifyStderr(lines: readonly string[], hadFrames: boolean): RunEndReason {
  const text = lines.join('\n')
  for (const [pattern, reason] of WORDS) if (pattern.test(text) && !(hadFrames && reason === 'no-such-stream')) return reason
  return 'closed-by-camera'
}

/** True when the container refused the sound track as it came: the next run turns it into AAC. */
export const soundNeedsTranscode = (lines: readonly string[]): boolean =>
  lines.some(line => /Could not find tag for codec (pcm_|adpcm_|g72)/i.test(line))
