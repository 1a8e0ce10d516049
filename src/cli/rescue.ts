import path from 'node:path'
import { userInfo } from 'node:os'
import { cameraId, epochMs, FatalError, isoOf, NAME_PATTERN, slotNumber, streamName, type EpochMs, type TimeRange } from '../domain/index.ts'
import { planClip, writeClipFile, type FootageSource } from '../export/index.ts'
import { SegmentReader, slotPath } from '../footage/index.ts'
import { realFileSystem, StorageError } from '../platform/file-system.ts'
import { IDENTITY_FILE, parseIdentity, RESCUE_LOG, type Volume } from '../storage/index.ts'
import { readSlot, type SlotFootage } from '../slots/index.ts'

interface Streams { readonly out: { write(text: string): unknown }, readonly err: { write(text: string): unknown } }
interface Found { readonly volume: Volume, readonly footage: SlotFootage }
type Options = Readonly<Record<string, string | true | undefined>>

const usage = (message: string, remedy: string): never => { throw new FatalError('CUSTOS_RESCUE_USAGE', message, { remedy }) }

/** `custos rescue`: lists or cuts what the volumes themselves say. Needs neither recorder nor catalogue nor configuration, and changes nothing but the rescue log. */
export async function rescue(folders: readonly string[], options: Options, streams: Streams): Promise<number> {
  if (options['list'] === undefined && options['out'] === undefined) usage('neither --list nor --out was given', 'Add --list, or --camera ID --from T --to T --out FILE.mp4.')
  const cut = options['out'] === undefined ? null : cutOptions(options)
  const volumes = await Promise.all(folders.map(openVolume))
  const found: Found[] = []
  for (const volume of volumes) found.push(...await scan(volume, streams))
  found.sort((a, b) => a.footage.header.startAt - b.footage.header.startAt)
  if (options['list'] !== undefined) list(found, options['json'] === true, streams)
  return cut === null ? 0 : await cutClip(found, volumes, cut, streams)
}

async function openVolume(folder: string): Promise<Volume> {
  const file = path.join(path.resolve(folder), IDENTITY_FILE)
  const identity = await realFileSystem.readText(file, 4096, 'rescue identity').then(parseIdentity).catch((error: unknown) => {
    if (error instanceof StorageError) return usage(`${folder} is not a readable volume: ${error.fault}`, `Give the folder that holds ${IDENTITY_FILE}; is the disk mounted?`)
    throw error
  })
  return identity === null ? usage(`${file} is damaged`, 'Copy it from another slot header by hand, or ask for help; nothing was changed.') : { path: path.resolve(folder), identity }
}

/** Every slot that holds footage. A slot that cannot be read is told and passed over: the others matter. */
async function scan(volume: Volume, { err }: Streams): Promise<Found[]> {
  const found: Found[] = []
  for (let slot = 0; slot < volume.identity.slotCount; slot++) {
    try {
      const file = await realFileSystem.open(slotPath(volume, slotNumber(slot)), 'read', 'rescue open')
      try {
        const content = await readSlot(file, volume.identity.slotSizeBytes)
        if (content.kind === 'damaged') err.write(`slot ${slot} of ${volume.identity.id}: ${content.why}\n`)
        if (content.kind === 'footage' && content.entries.length > 0) found.push({ volume, footage: content })
      } finally { await file.close() }
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      err.write(`slot ${slot} of ${volume.identity.id}: ${error.message}\n`)
    }
  }
  return found
}

function list(found: readonly Found[], asJson: boolean, { out }: Streams): void {
  for (const { volume, footage } of found) {
    const { header, entries, sealed, endByte } = footage
    const row = {
      camera: header.cameraId, cameraUuid: header.cameraUuid, stream: header.stream, from: isoOf(header.startAt), to: isoOf(endOf(footage)), bytes: endByte,
      slot: header.slot, generation: header.generation, sealed: sealed !== null, volume: volume.identity.id, records: entries.length,
    }
    out.write(asJson ? `${JSON.stringify(row)}\n`
      : `${row.camera}/${row.stream}  ${row.from}  ${row.to}  ${String(row.bytes).padStart(10)} bytes  ${row.volume} slot ${row.slot}/${row.generation}${row.sealed ? '' : '  open'}\n`)
  }
  if (!asJson && found.length === 0) out.write('沒有影像\nno footage\n')
}

const endOf = ({ entries, header }: SlotFootage): EpochMs => epochMs(entries.reduce<number>((end, entry) => Math.max(end, entry.startAt + entry.durationMs), header.startAt))

interface Cut { readonly camera: string, readonly stream: string, readonly range: TimeRange, readonly file: string, readonly reason: string }

function cutOptions(options: Options): Cut {
  const text = (name: string, example: string): string => {
    const value = options[name]
    return typeof value === 'string' ? value : usage(`--${name} is missing`, `Add --${name} ${example}.`)
  }
  const instant = (name: string): EpochMs => {
    const value = text(name, '2026-11-22T10:00:00+08:00')
    try { return epochMs(Temporal.Instant.from(value).epochMilliseconds) }
    catch { return usage(`--${name} ${JSON.stringify(value)} is no time with an offset`, `Write it like --${name} 2026-11-22T10:00:00+08:00.`) }
  }
  const camera = text('camera', 'lobby')
  const range = { startAt: instant('from'), endAt: instant('to') }
  if (range.endAt <= range.startAt) usage('--to is not after --from', 'Exchange them.')
  const stream = text('stream', 'main')
  if (!NAME_PATTERN.test(camera) || !NAME_PATTERN.test(stream)) usage('--camera or --stream is no such name', 'Use a name that --list shows.')
  const reason = options['reason']
  return { camera, stream, range, file: path.resolve(text('out', 'clip.mp4')), reason: typeof reason === 'string' ? reason.slice(0, 500) : '' }
}

async function cutClip(found: readonly Found[], volumes: readonly Volume[], cut: Cut, { out, err }: Streams): Promise<number> {
  const matching = found.filter(({ footage: { header } }) => header.cameraId === cut.camera && header.stream === cut.stream)
    .filter(({ footage }) => footage.header.startAt < cut.range.endAt && endOf(footage) > cut.range.startAt - PRE_ROLL_MS)
  const uuids = new Set(matching.map(({ footage }) => footage.header.cameraUuid))
  if (uuids.size > 1) err.write(`${uuids.size} different cameras had the name ${cut.camera} in that time; each gets its own files\n`)
  await logRescue(volumes, cut, err) // before the first picture leaves: a trace that comes afterwards may never come
  let parts = 0
  for (const uuid of uuids) {
    await using readers = new AsyncDisposableStack()
    const sources: FootageSource[] = []
    for (const { volume, footage: { header } } of matching.filter(each => each.footage.header.cameraUuid === uuid)) {
      const reader = readers.use(await SegmentReader.open(realFileSystem, volume, { volumeUuid: header.volumeUuid, slot: header.slot, generation: header.generation }, null))
      sources.push(reader)
    }
    const plan = planClip(sources, cut.range)
    for (const { startAt, endAt } of plan.leftOut) {
      err.write(`${isoOf(startAt)} - ${isoOf(endAt)} 缺少關鍵影格，未取出\nleft out, its key frame is gone\n`)
    }
    for (const part of plan.parts) {
      parts++
      const file = parts === 1 ? cut.file : cut.file.replace(/(\.[^./]*)?$/, `.part${parts}$1`)
      const subject = {
        cameraId: cameraId(cut.camera), cameraUuid: uuid, stream: streamName(cut.stream), asked: cut.range,
        leftOut: plan.leftOut,
      }
      for (const name of await writeClipFile(file, part, subject).catch(refuseExisting)) out.write(`${name}\n`)
    }
  }
  if (parts > 0) return 0
  err.write(`這段時間沒有 ${cut.camera} 的影像\nthere is no footage of ${cut.camera} in that time; --list shows what there is\n`)
  return 1
}

/** A key frame may lie this long before the first frame asked for. */
const PRE_ROLL_MS = 60_000

function refuseExisting(error: unknown): never {
  if ((error as { code?: unknown }).code === 'EEXIST') return usage('a file of that name is there already', 'Give another --out; nothing is overwritten.')
  throw error
}

/** A disk that went read-only must give its footage all the same: who reads it there leaves a trace on the others, or is told that there is none. */
async function logRescue(volumes: readonly Volume[], { camera, stream, range, reason, file }: Cut, err: Streams['err']): Promise<void> {
  const entry = { at: new Date().toISOString(), user: process.env['SUDO_USER'] ?? userInfo().username, camera, stream, from: isoOf(range.startAt), to: isoOf(range.endAt), reason, out: path.basename(file) }
  for (const volume of volumes) {
    await realFileSystem.appendTextDurably(path.join(volume.path, RESCUE_LOG), `${JSON.stringify(entry)}\n`, 'rescue log').catch((error: unknown) => {
      if (!(error instanceof StorageError) || error.fault !== 'read-only') throw error
      err.write(`${volume.path} 是唯讀，無法記下此次取出；請自行登記\n${volume.path} is read-only and takes no trace of this rescue; write it into the log book yourself\n`)
    })
  }
}
