import type { SnapshotMessage } from './schema.ts'
import { tableLines } from './text-table.ts'

type StreamRow = SnapshotMessage['streams'][number]
type VolumeRow = SnapshotMessage['volumes'][number]

const LEVEL_TEXT = { healthy: '正常 healthy', degraded: '降級 degraded', critical: '嚴重 CRITICAL' } as const
const URGENCY_TEXT = { tonight: '今晚處理 tonight', week: '本週處理 this week', note: '供參考 note' } as const
const STREAM_STATE = { connecting: '連線中 connecting', recording: '錄影中 recording', waiting: '等待重連 waiting', stopped: '已停止 stopped' } as const
const VOLUME_STATE = {
  ok: '正常 ok', missing: '不存在 missing', foreign: '不屬本機 foreign', 'read-only': '唯讀 read-only', unsupported: '不支援 unsupported',
  'not-mounted': '未掛載 not mounted', damaged: '損壞 damaged', failed: '故障 failed',
} as const

/** Whoever answers on the port could send escape sequences to a terminal. */
const plain = (text: string): string => text.replace(/\p{Cc}/gu, '?')

const DAY_MS = 86_400_000
function lengthText(ms: number): string {
  if (ms < 120_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`
  if (ms < 2 * 3_600_000) return `${Math.floor(ms / 60_000)} min`
  return ms < 2 * DAY_MS ? `${Math.floor(ms / 3_600_000)} h` : `${Math.floor(ms / DAY_MS)} d`
}

function instants(timeZone: string) {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' }) // 2026-11-22 16:07:00
  return (iso: string | null): string => iso === null ? '-' : format.format(new Date(iso))
}

const floorText = (required: SnapshotMessage['floor']['required']): string =>
  required.kind === 'calendar-days' ? `${required.days} 天 days` : lengthText(required.durationMs)

function streamLines(streams: readonly StreamRow[], shown: (iso: string | null) => string): string[] {
  return tableLines([
    { head: '攝影機 camera', align: 'left' }, { head: '狀態 state', align: 'left' }, { head: '最新影像 last', align: 'right' },
    { head: 'Mbit/s', align: 'right' }, { head: 'fps', align: 'right' }, { head: '中斷 restarts', align: 'right' }, { head: '最舊影像 oldest', align: 'left' },
  ], streams.map(row => [
    `${row.camera}/${row.stream}`, STREAM_STATE[row.state], row.lastFrameAgeMs === null ? '-' : lengthText(row.lastFrameAgeMs),
    (row.bitrateBps / 1e6).toFixed(2), row.fps.toFixed(1), String(row.restarts), shown(row.oldestFrameAt),
  ]))
}

function volumeLines(volumes: readonly VolumeRow[], shown: (iso: string | null) => string): string[] {
  const right = (head: string) => ({ head, align: 'right' } as const)
  return tableLines([
    { head: '磁碟區 volume', align: 'left' }, { head: '狀態 state', align: 'left' }, right('總數 slots'), right('可用 free'), right('使用中 open'),
    right('已封存 sealed'), right('保全 held'), right('隔離 bad'), right('同步 sync'), { head: '最舊影像 oldest', align: 'left' },
  ], volumes.map(row => [
    row.id, VOLUME_STATE[row.state], ...[row.slots.total, row.slots.free, row.slots.open, row.slots.sealed, row.slots.held, row.slots.quarantined].map(String),
    `${row.syncMs.worst.toFixed(0)} ms`, shown(row.oldestFrameAt),
  ]))
}

/** A snapshot for a person at a terminal, Chinese and English. Pure; ends with a newline. */
export function statusText(snapshot: SnapshotMessage, timeZone: string): string {
  const shown = instants(timeZone)
  const { floor } = snapshot
  const lines = [`錄影系統 Custos: ${LEVEL_TEXT[snapshot.level]}  (${shown(snapshot.at)} ${timeZone})`, '']
  for (const reason of snapshot.reasons) {
    lines.push(`[${URGENCY_TEXT[reason.urgency]}] ${plain(reason.text)}`, `    ${plain(reason.en)}`,
      `    自 since ${shown(reason.since)}  (${plain(reason.code)})`,
      `    → ${plain(reason.nextStep.zh)}`, `    → ${plain(reason.nextStep.en)}`)
  }
  if (snapshot.reasons.length > 0) lines.push('')
  lines.push(...streamLines(snapshot.streams, shown), '', ...volumeLines(snapshot.volumes, shown), '')
  const forecast = floor.forecastDays === null ? '尚未可知 not known yet' : floor.forecastDays < 2 ? lengthText(floor.forecastDays * DAY_MS) : `${floor.forecastDays.toFixed(1)} 天 days`
  lines.push(`保存期限 floor: ${floorText(floor.required)}   預估可保存 forecast: ${forecast}   開始覆寫 ring wraps: ${shown(floor.wrapsAt)}`)
  lines.push(`執行時間 uptime: ${lengthText(snapshot.process.uptimeMs)}   記憶體 memory: ${Math.round(snapshot.process.rssBytes / 2 ** 20)} MiB`)
  return `${lines.join('\n')}\n`
}
