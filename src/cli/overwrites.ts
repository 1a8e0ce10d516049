import { AuditLog } from '../audit/index.ts'
import { formatProblems, loadConfig } from '../config/index.ts'
import { isoOf } from '../domain/index.ts'
import { openCatalogueBeside } from '../platform/catalogue.ts'
import { systemClock } from '../platform/clock.ts'
import { OverwriteBook, type ErasedSegment, type OverwriteRecord } from '../storage/index.ts'
import { localDay, localText } from './local-time.ts'

export interface OverwritesOptions { readonly configFile: string, readonly day: string, readonly json: boolean, readonly out: { write(text: string): unknown } }

/** `custos overwrites`: the overwrite record of a day, and of each slot why it was free to go. Exit 1 when a slot was not. */
export async function overwrites({ configFile, day, json, out }: OverwritesOptions): Promise<number> {
  const result = await loadConfig(configFile, { secrets: 'skip' })
  if (!result.ok) { out.write(formatProblems(result.problems)); return 2 }
  const { timezone } = result.config.site
  localDay(day, timezone)
  using catalogue = openCatalogueBeside(result.config.state.dir, 'read')
  const book = new OverwriteBook({ catalogue, audit: new AuditLog({ db: catalogue.db, clock: systemClock }), clock: systemClock, timezone })
  const erased = book.erasedOn(day)
  const records = book.recordsOf(day)
  if (json) for (const line of [...records.map(recordJson), ...erased.map(erasedJson)]) out.write(`${JSON.stringify(line)}\n`)
  else out.write(textOf(day, records, erased, timezone))
  return erased.every(isFree) ? 0 : 1
}

const isFree = (segment: ErasedSegment): boolean => segment.freedAt >= segment.keptUntil

const recordJson = ({ day, cameraId: camera, cameraUuid, segments, fromAt, toAt, bytes, merkleRoot, oldestLeftAt, auditSeq }: OverwriteRecord) => ({
  kind: 'record', day, camera, cameraUuid, segments, from: isoOf(fromAt), to: isoOf(toAt), bytes, merkleRoot, oldestLeft: oldestLeftAt === null ? null : isoOf(oldestLeftAt), auditSeq,
})
const erasedJson = (segment: ErasedSegment) => ({
  kind: 'slot', volume: segment.volume, slot: segment.slot, generation: segment.generation, camera: segment.cameraId, cameraUuid: segment.cameraUuid, stream: segment.stream,
  from: isoOf(segment.startAt), to: isoOf(segment.endAt), newest: isoOf(segment.newestAt), floorThen: segment.floorThen, floorNow: segment.floorNow, keptUntil: isoOf(segment.keptUntil),
  overwritten: isoOf(segment.freedAt), wasFree: isFree(segment), bytes: segment.usedBytes, merkleRoot: segment.merkleRoot, auditSeq: segment.auditSeq,
})

function textOf(day: string, records: readonly OverwriteRecord[], erased: readonly ErasedSegment[], timezone: string): string {
  const local = (at: Parameters<typeof localText>[0]) => localText(at, timezone)
  if (erased.length === 0) return `${day} 沒有任何影像被覆寫。\nNothing was overwritten on ${day}.\n`
  const lines = [`循環覆蓋紀錄 ${day}（${timezone}） / Overwrite record`]
  if (records.length === 0) lines.push('（當日紀錄於次日作成；以下為目前資料） / (the record of a day is written the day after; this is what is known now)')
  for (const record of records) {
    lines.push(`鏡頭 camera ${record.cameraId}：${local(record.fromAt)} – ${local(record.toAt)}，${record.segments} 段 segments，${record.bytes} bytes`,
      `  Merkle root ${record.merkleRoot}`,
      `  最舊留存 oldest left ${record.oldestLeftAt === null ? '–' : local(record.oldestLeftAt)}；稽核紀錄 audit #${record.auditSeq}`)
  }
  lines.push('', '每一槽為何可覆寫 / Why each slot was free to go:')
  for (const each of erased) {
    lines.push(`${isFree(each) ? 'ok' : '違反 VIOLATION'}  ${each.volume}/${each.slot}/${each.generation}  ${each.cameraId}/${each.stream}  ${local(each.startAt)} – ${local(each.endAt)}`,
      `    最新影像 newest ${local(each.newestAt)} + ${each.floorThen}${each.floorNow === each.floorThen ? '' : ` / ${each.floorNow}`} → 保存至 kept until ${local(each.keptUntil)}；覆寫於 overwritten ${local(each.freedAt)}；稽核 audit #${each.auditSeq ?? '–'}`,
      `    SHA-256 Merkle root ${each.merkleRoot}`)
  }
  return `${lines.join('\n')}\n`
}
