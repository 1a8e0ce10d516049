import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, fdatasyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import path from 'node:path'
import { epochMs } from '../src/domain/index.ts'
import { concatScript, inputOptions, pictureOptions } from '../src/ingest/ffmpeg-arguments.ts'

/** The parts that no recorder which hashes, syncs and writes can do without, each by a program that does nothing else. Percent of one core. */
const FRAGMENT_MS = 500, SYNC_MS = 800, FRAGMENT = Buffer.alloc(4e6 / 8 * FRAGMENT_MS / 1000, 0x5a)
const CHILD = path.join(import.meta.dirname, '../libexec/ffmpeg-child')
/** Looks into all pipes each 100 ms, as the recorder does, and throws away what it finds. */
const DRAIN = 'use Fcntl; my @p = map { sysopen(my $f, $_, O_RDWR | O_NONBLOCK) or die; $f } @ARGV; $| = 1; print "open\\n"; my $b; while (1) { select(undef, undef, undef, 0.1); for (@p) { while (sysread($_, $b, 524288)) {} } }'

export const hasShaInstructions = (): boolean => /\bsha_ni\b|\bsha2\b/.test(readFileSync('/proc/cpuinfo', 'utf8'))

/** The recorder's own ffmpeg children, one a camera, and one reader that empties their pipes. Owned by the caller. */
export async function fragmentChildren(urls: readonly string[], folder: string): Promise<ChildProcess[]> {
  const pipes = urls.map((_, i) => path.join(folder, `pipe-${i}`))
  execFileSync('mkfifo', pipes)
  const drain = spawn('perl', ['-e', DRAIN, ...pipes], { stdio: ['ignore', 'pipe', 'ignore'] })
  await new Promise<void>((resolve, reject) => { drain.stdout.once('data', () => { resolve() }); drain.once('exit', () => { reject(new Error('the reader ended')) }) })
  return [drain, ...urls.map((url, i) => {
    const child = spawn(
      CHILD,
      [
        ...inputOptions('video').flat(), '-f', 'concat', '-i', 'pipe:0',
        ...pictureOptions('all', epochMs(Date.now())).flat(), '-f', 'mp4', '-y', pipes[i]!,
      ],
      { stdio: ['pipe', 'ignore', 'ignore'] }
    )
    child.stdin.end(concatScript(url, 'video'))
    return child
  })]
}

/** Processor time of this process in `act`, as percent of a core over `seconds`. */
function percent(seconds: number, act: () => void): number {
  const before = process.cpuUsage()
  act()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e4 / seconds
}

/** SHA-256 over what `streams` cameras of 4 Mbit/s send in `seconds`, a fragment at a time and without a pause: caches are warmer than in any recorder. */
export const hashPercent = (streams: number, seconds: number): number => percent(seconds, () => {
  for (let i = 0; i < streams * seconds * 1000 / FRAGMENT_MS; i++) createHash('sha256').update(FRAGMENT).digest()
})

/** The same bytes written over allocated files, with as many `fdatasync` as the recorder makes. */
export function writePercent(streams: number, seconds: number, folder: string): number {
  const files = Array.from({ length: streams }, (_, i) => path.join(folder, `floor-${i}`))
  const count = Math.round(seconds * 1000 / FRAGMENT_MS)
  for (const file of files) execFileSync('fallocate', ['--length', String(count * FRAGMENT.length), file])
  const open = files.map(file => openSync(file, 'r+'))
  try {
    return percent(seconds, () => {
      let syncedMs = 0
      for (let i = 0; i < count; i++) {
        for (const fd of open) writeSync(fd, FRAGMENT, 0, FRAGMENT.length, i * FRAGMENT.length)
        if ((i + 1) * FRAGMENT_MS - syncedMs < SYNC_MS) continue
        for (const fd of open) fdatasyncSync(fd)
        syncedMs += SYNC_MS
      }
    })
  } finally { open.forEach(closeSync); files.forEach(file => { rmSync(file) }) }
}
