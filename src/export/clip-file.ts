import { constants } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { syncFolder } from '../platform/publish-file.ts'
import { isoOf, type CameraId, type CameraUuid, type StreamName, type TimeRange } from '../domain/index.ts'
import { writeClip, type ClipPart, type ClipResult, type LeftOut } from './clip.ts'

export interface ClipSubject {
  readonly cameraId: CameraId
  readonly cameraUuid: CameraUuid
  readonly stream: StreamName
  readonly asked: TimeRange
  readonly leftOut: readonly LeftOut[]
}

/**
 * The clip and, beside it, `NAME.manifest.json`, whole and on the medium. Both names are claimed first, by empty files, so that nothing is ever overwritten;
 * after a failure neither is left. Returns the names.
 */
export async function writeClipFile(file: string, part: ClipPart, subject: ClipSubject): Promise<string[]> {
  const manifest = `${file}.manifest.json`
  const claimed: string[] = []
  try {
    for (const name of [file, manifest]) {
      await (await open(name, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600)).close() // takes the name, or fails with EEXIST
      claimed.push(name)
    }
    let result: ClipResult | null = null
    await publish(file, async write => { result = await writeClip(part, write) })
    await publish(manifest, async write => { await write(Buffer.from(`${JSON.stringify(manifestOf(file, part, subject, result!), null, 2)}\n`)) })
    return [file, manifest]
  } catch (error) {
    for (const name of claimed) for (const left of [name, `${name}.part`]) await rm(left, { force: true })
    throw error
  }
}

async function publish(file: string, fill: (write: (bytes: Buffer) => Promise<void>) => Promise<void>): Promise<void> {
  const part = `${file}.part`
  const handle = await open(part, 'w', 0o600)
  try {
    await fill(async bytes => { await handle.writeFile(bytes) })
    await handle.sync()
  } finally { await handle.close() }
  await rename(part, file)
  await syncFolder(path.dirname(file))
}

/**
 * JSON with every record's origin and hash, the spans without footage inside the range that was asked for,
 * and the footage there that is in no part.
 */
function manifestOf(file: string, part: ClipPart, subject: ClipSubject, result: ClipResult): unknown {
  return {
    schema: 1, file: path.basename(file), bytes: result.bytes, sha256: result.sha256,
    camera: subject.cameraId, cameraUuid: subject.cameraUuid, stream: subject.stream,
    asked: { from: isoOf(subject.asked.startAt), to: isoOf(subject.asked.endAt) }, from: isoOf(part.startAt), to: isoOf(part.endAt),
    codec: part.init.video.codec, widthPx: part.init.video.widthPx, heightPx: part.init.video.heightPx,
    gaps: gapsOf(result), records: result.records,
    leftOut: subject.leftOut.map(({ why, ...span }) => ({ from: isoOf(span.startAt), to: isoOf(span.endAt), why })),
  }
}

const GAP_MS = 200

function gapsOf({ records }: ClipResult): { from: string, to: string }[] {
  const gaps = []
  for (const [i, record] of records.entries()) {
    const before = records[i - 1]
    if (before === undefined) continue
    const endAt = Date.parse(before.at) + before.durationMs
    if (Date.parse(record.at) - endAt > GAP_MS) gaps.push({ from: new Date(endAt).toISOString(), to: record.at })
  }
  return gaps
}
