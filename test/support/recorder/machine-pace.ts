import { run } from './real-media.ts'

const STARTS = 8
/** What starting as many ffmpeg at once takes on two idle cores: 0.2 s of processor time each (measured). */
const IDLE_MS = 800

/** How many times slower than idle this shared machine starts processes just now; at least 1. Bounds of real time are stretched by it. */
export async function slowdownNow(): Promise<number> {
  const startedAt = performance.now()
  await Promise.all(Array.from({ length: STARTS }, () => run('ffmpeg', ['-v', 'quiet', '-version'])))
  return Math.max(1, (performance.now() - startedAt) / IDLE_MS)
}
