import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { cameraId, cameraUuid, epochMs, generation, slotNumber, streamName, volumeId } from '../src/domain/index.ts'
import { takeVideos, type FootageShelf } from '../src/export/index.ts'
import { SegmentReader, type SegmentRow, slotPath } from '../src/footage/index.ts'
import { realFileSystem } from '../src/platform/file-system.ts'
import { initVolume, type Volume } from '../src/storage/index.ts'
import { encodeSlotStart, freeHeader } from '../src/slots/slot-format.ts'
import { SlotWriter } from '../src/storage/slot-writer.ts'
import { builtFragment, builtInit, timedFragment } from '../test/support/fragments.ts'

/** Footage of one camera taken into evidence videos, against `sha256sum` over the files that came out; pairs interleaved. */
const { values } = parseArgs({ options: { minutes: { type: 'string', default: '60' }, mbps: { type: 'string', default: '4' }, pairs: { type: 'string', default: '5' }, dir: { type: 'string', default: tmpdir() } } })
const [minutes, mbps, pairs] = [Number(values.minutes), Number(values.mbps), Number(values.pairs)]
const SLOT_BYTES = 64 << 20, FRAGMENT_MS = 500, START_MS = Date.parse('2026-11-20T01:00:00Z')
const folder = mkdtempSync(path.join(values.dir, 'custos-package-'))
const median = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1]!

/** Slots filled as the recorder fills them. */
async function filled(volume: Volume): Promise<SegmentRow[]> {
  const init = builtInit(), rows: SegmentRow[] = [], dataBytes = Math.round(mbps * 1e6 / 8 * FRAGMENT_MS / 1000)
  const count = minutes * 60_000 / FRAGMENT_MS, perSlot = Math.floor((SLOT_BYTES - (1 << 20)) / (dataBytes + 2000))
  for (let i = 0; i < count; i += perSlot) {
    const slot = slotNumber(rows.length), startAt = epochMs(START_MS + i * FRAGMENT_MS)
    const header = { volumeUuid: volume.identity.uuid, slot, generation: generation(1), cameraId: cameraId('lobby'), cameraUuid: cameraUuid('a'.repeat(32)), stream: streamName('main'), startAt, floorRule: '31d Asia/Taipei', slotSizeBytes: SLOT_BYTES }
    const file = await realFileSystem.open(slotPath(volume, slot), 'read-write', 'read open'), start = encodeSlotStart(header, init.ftyp, init.moov)
    await file.write(Buffer.concat([start, freeHeader(SLOT_BYTES - start.length)]), 0, 'append record')
    const writer = new SlotWriter({ file, slot, generation: header.generation, startAt, init, slotSizeBytes: SLOT_BYTES, endByte: start.length })
    for (let j = i; j < Math.min(count, i + perSlot); j++) {
      await writer.append(timedFragment(init, builtFragment({ init, name: `f${j}`, dataBytes, frames: 12, isKey: j % 2 === 0, decodeTimeMs: j * FRAGMENT_MS }), { runId: 1, startAt: START_MS + j * FRAGMENT_MS }))
    }
    await writer.seal(endAt => endAt)
    await file.close()
    rows.push({ ...header, endAt: epochMs(START_MS + Math.min(count, i + perSlot) * FRAGMENT_MS), keepUntil: null, newestAt: null, records: null, usedBytes: null, merkleRoot: null } as SegmentRow)
  }
  return rows
}

try {
  const slots = Math.ceil(minutes * 60 * mbps * 1e6 / 8 / (SLOT_BYTES * 0.95)) + 2
  const volume = await initVolume(realFileSystem, { folder: path.join(folder, 'volume'), id: volumeId('bench'), sizeBytes: slots * SLOT_BYTES, slotSizeBytes: SLOT_BYTES, now: new Date() })
  const rows = await filled(volume)
  const shelf: FootageShelf = { device: async () => null, segments: async () => rows, open: segment => SegmentReader.open(realFileSystem, volume, segment, null) }
  const range = { startAt: epochMs(START_MS), endAt: epochMs(START_MS + minutes * 60_000) }
  const ratios: number[] = []
  for (let pair = 0; pair < pairs; pair++) {
    const out = path.join(folder, `out-${pair}`)
    mkdirSync(out)
    let from = performance.now()
    const { videos } = await takeVideos({
      folder: out, shelf, camera: cameraUuid('a'.repeat(32)), stream: streamName('main'), range, preRollMs: 0, leave: () => ({ ok: true, isPreRoll: false }), pace: () => Promise.resolve(), signal: new AbortController().signal, onBytes: () => undefined,
      subject: { cameraId: 'lobby', cameraUuid: 'a'.repeat(32), cameraName: '大廳', location: null, stream: 'main', unitName: 'bench', operator: 'bench', exportedAt: epochMs(START_MS) },
    })
    const oursMs = performance.now() - from
    from = performance.now()
    const sums = execFileSync('sha256sum', videos.map(video => path.join(out, video.path))).toString()
    const theirsMs = performance.now() - from
    if (!videos.every(video => sums.includes(video.sha256))) throw new Error('another hash')
    const bytes = videos.reduce((sum, video) => sum + video.bytes, 0)
    ratios.push(theirsMs / oursMs)
    console.log(`pair ${pair + 1}: ${(bytes / 1e6).toFixed(0)} MB, taken in ${(oursMs / 1000).toFixed(2)} s, sha256sum ${(theirsMs / 1000).toFixed(2)} s, speed ${ratios.at(-1)!.toFixed(2)} of sha256sum's`)
    rmSync(out, { recursive: true })
  }
  console.log(`median ${median(ratios).toFixed(2)} (at least 0.7 is wanted)`)
} finally { rmSync(folder, { recursive: true, force: true }) }
