import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { run } from '../../support/recorder/real-media.ts'

export interface ProbedFrame { readonly ptsMs: number, readonly isKey: boolean, readonly sizeBytes: number }

/** Each packet of the pictures as ffprobe finds it in what left, by media time. `warnings` is all that it had to say. */
export async function framesOf(mp4: Buffer): Promise<{ readonly frames: readonly ProbedFrame[], readonly warnings: string }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'custos-frames-'))
  try {
    const file = path.join(folder, 'left.mp4')
    await writeFile(file, mp4)
    const { output, errors } = await run('ffprobe', ['-v', 'warning', '-select_streams', 'v', '-show_entries', 'packet=pts_time,flags,size', '-of', 'csv=p=0', file])
    const frames = output.toString().split('\n').filter(line => line !== '').map(line => {
      const [pts = '', size = '', flags = ''] = line.split(',')
      return { ptsMs: Number(pts) * 1000, isKey: flags.startsWith('K'), sizeBytes: Number(size) }
    })
    return { frames, warnings: errors }
  } finally { await rm(folder, { recursive: true }) }
}

/** What a decoder has against it; empty when every frame decodes. `decoded`: how many pictures came out. */
export async function decoded(mp4: Buffer): Promise<{ readonly pictures: number, readonly errors: string }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'custos-decoded-'))
  try {
    const file = path.join(folder, 'left.mp4')
    await writeFile(file, mp4)
    const { output, errors } = await run('ffmpeg', ['-nostdin', '-v', 'warning', '-i', file, '-map', '0:v', '-f', 'framemd5', '-'])
    return { pictures: output.toString().split('\n').filter(line => line !== '' && !line.startsWith('#')).length, errors }
  } finally { await rm(folder, { recursive: true }) }
}

/** Media times of the packets of sound. */
export async function soundOf(mp4: Buffer): Promise<readonly number[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'custos-sound-'))
  try {
    const file = path.join(folder, 'left.mp4')
    await writeFile(file, mp4)
    const { output } = await run('ffprobe', ['-v', 'error', '-select_streams', 'a', '-show_entries', 'packet=pts_time', '-of', 'csv=p=0', file])
    return output.toString().split('\n').filter(line => line !== '').map(line => Number(line.replace(',', '')) * 1000)
  } finally { await rm(folder, { recursive: true }) }
}
