import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { cameraId, cameraUuid, epochMs, generation, slotNumber, streamName, volumeUuid, volumeId } from '../src/domain/index.ts'
import { openCatalogue } from '../src/platform/catalogue.ts'
import { chooseSlot, parseFloorRule, type ReuseCandidate } from '../src/retention/index.ts'
import { segmentTable } from '../src/storage/tables/segments.ts'
import { slotTable } from '../src/storage/tables/slots.ts'

/**
 * How long it takes to decide which slot is used again, in a catalogue of 1.3 million slots (64 streams for 32 days): the queries and the guard as the ring uses them,
 * then the rows that end the old segment and begin the new one, in one transaction with a synced commit. Two floor rules stand beside each other, as after a change.
 */
const { values } = parseArgs({ options: { slots: { type: 'string', default: '1300000' }, rounds: { type: 'string', default: '2000' }, folder: { type: 'string', default: tmpdir() }, held: { type: 'string', default: '0.02' } } })
const [slotCount, rounds, heldShare] = [Number(values.slots), Number(values.rounds), Number(values.held)]
const folder = mkdtempSync(path.join(values.folder, 'custos-reuse-'))
const NOW = Date.parse('2026-11-22T08:00:00Z')
const STREAMS = 64
const quantile = (numbers: readonly number[], share: number) => [...numbers].sort((a, b) => a - b)[Math.min(numbers.length - 1, Math.floor(numbers.length * share))]!.toFixed(3)

try {
  using catalogue = openCatalogue(folder, NOW)
  const { db } = catalogue
  const volume = volumeUuid('a'.repeat(32))
  const slots = slotTable(db), segments = segmentTable(db)
  slots.registerVolume({ uuid: volume, id: volumeId('disk1'), slotSizeBytes: 64 << 20, slotCount, now: NOW })
  db.transaction(() => {
    const camera = db.prepare('INSERT INTO camera (uuid, id, first_recorded_at) VALUES (?, ?, 0)')
    for (let i = 0; i < STREAMS; i++) camera.run(i.toString(16).padStart(32, '0'), `c${i}`)
    db.prepare("UPDATE slot SET state = 'sealed', generation = 1").run()
    const insert = db.prepare(`INSERT INTO segment (volume_uuid, slot, generation, camera_uuid, stream, start_at, floor_rule, end_at, newest_at, keep_until, records, used_bytes, merkle_root, sealed_at, hold_count)
      VALUES (?, ?, 1, ?, 'main', ?, ?, ?, ?, ?, 260, 66000000, ?, ?, ?)`)
    const spanMs = 40 * 86_400_000
    for (let slot = 0; slot < slotCount; slot++) {
      const endAt = Math.round(NOW - spanMs + spanMs * slot / slotCount)
      const rule = slot < slotCount / 2 ? '32d Asia/Taipei' : '31d Asia/Taipei'
      insert.run(volume, slot, (slot % STREAMS).toString(16).padStart(32, '0'), endAt - 134_000, rule, endAt, endAt, endAt + 32 * 86_400_000, 'f'.repeat(64), endAt, (slot * 7919) % 1000 < heldShare * 1000 ? 1 : 0)
    }
  })()
  const floor = parseFloorRule('31d Asia/Taipei')!
  const owner = { cameraId: cameraId('c0'), cameraUuid: cameraUuid('0'.repeat(32)), stream: streamName('main') }
  const decide: number[] = [], whole: number[] = []
  for (let round = 0; round < rounds; round++) {
    const from = performance.now()
    db.transaction(() => {
      const candidates: (ReuseCandidate & { segment: ReturnType<typeof segments.unsealed>[number] })[] = []
      const hasFree = slots.firstFree(volume) !== null
      for (const oldestFirst of segments.reusable(volume)) {
        for (const segment of oldestFirst) { candidates.push({ segment, newestFrameAt: segment.newestAt, keepUntil: segment.keepUntil, held: false, leased: false }); break }
      }
      const choice = chooseSlot([{ id: volumeId('disk1'), freeSlots: hasFree ? 1 : 0, totalSlots: slotCount, candidates }], floor, epochMs(NOW))
      decide.push(performance.now() - from)
      if (choice.kind !== 'reuse') throw new Error(`nothing was free after ${round} rounds`)
      const { segment } = choice.candidate
      segments.free(segment, { at: epochMs(NOW), trustedAt: epochMs(NOW), keptUntil: segment.keepUntil!, floorRule: '31d Asia/Taipei', auditSeq: round })
      const row = slots.move({ ...segment, state: 'sealed' }, { generation: generation(segment.generation + 1), state: 'preparing' })
      segments.insert({ volumeUuid: volume, slot: slotNumber(row.slot), generation: row.generation, cameraUuid: owner.cameraUuid, stream: owner.stream, startAt: epochMs(NOW), floorRule: '31d Asia/Taipei' })
    }).immediate()
    whole.push(performance.now() - from)
  }
  console.log(`${slotCount} slots, ${rounds} reuses: decided in ${quantile(decide, 0.5)} ms (median), ${quantile(decide, 0.99)} ms (p99), ${quantile(decide, 1)} ms at most; with rows and synced commit ${quantile(whole, 0.5)} ms (median), ${quantile(whole, 0.99)} ms (p99)`)
} finally { rmSync(folder, { recursive: true, force: true }) }
