import type { SnapshotMessage } from '../src/health/index.ts'
import type { DemoCamera } from './demo-site.ts'
import type { LogLine } from './log-tail.ts'
import type { RecorderState } from './recorder.ts'
import { columnsOf, padded, span, wrapped, type Line, type Span, type Style } from './text-line.ts'

/** All that the board shows, gathered at one moment. */
export interface BoardFacts {
  readonly now: Date
  readonly language: 'zh' | 'en'
  readonly cameras: readonly DemoCamera[]
  readonly frozenForMs: (cameraId: string) => number | null
  readonly recorder: RecorderState
  readonly health: Omit<SnapshotMessage, 'kind' | 'seq'> | null
  readonly healthConnected: boolean
  readonly healthSilentForMs: number
  readonly log: readonly LogLine[]
  readonly logFile: string
}
export interface BoardSize { readonly columns: number, readonly rows: number }

type Stream = SnapshotMessage['streams'][number]
type Volume = SnapshotMessage['volumes'][number]

/** Without a word for longer than this, what is on the board is history. */
export const HEALTH_SILENT_MS = 3_000
const WIDE_COLUMNS = 110
const TIME_ZONE = 'Asia/Taipei'
const DAY_MS = 86_400_000

const STATE: Record<Stream['state'], { text: string, style: Style }> = {
  recording: { text: '錄影 recording', style: 'good' }, connecting: { text: '連線 connecting', style: 'warn' },
  waiting: { text: '等待 waiting', style: 'bad' }, stopped: { text: '停止 stopped', style: 'bad' },
}
const LEVEL: Record<SnapshotMessage['level'], { text: string, style: Style }> = {
  healthy: { text: ' 正常 healthy ', style: 'badge-good' }, degraded: { text: ' 降級 degraded ', style: 'badge-warn' }, critical: { text: ' 嚴重 CRITICAL ', style: 'badge-bad' },
}
const URGENCY: Record<'tonight' | 'week' | 'note', { zh: string, en: string, style: Style }> = {
  tonight: { zh: '今晚', en: 'tonight', style: 'bad' }, week: { zh: '本週', en: 'this week', style: 'warn' }, note: { zh: '供參考', en: 'note', style: 'dim' },
}
const LOG_STYLE: Record<string, Style> = { warn: 'warn', error: 'bad', fatal: 'bad', text: 'bad' }

const clock = new Intl.DateTimeFormat('sv-SE', { timeZone: TIME_ZONE, timeStyle: 'medium' })
const day = new Intl.DateTimeFormat('sv-SE', { timeZone: TIME_ZONE, dateStyle: 'short' })
const timeOf = (iso: string | null): string => iso === null ? '-' : clock.format(new Date(iso))

function lengthText(ms: number): string {
  if (ms < 10_000) return `${(Math.max(0, ms) / 1_000).toFixed(1)} s`
  if (ms < 600_000) return `${Math.round(ms / 1_000)} s`
  return ms < 7_200_000 ? `${Math.floor(ms / 60_000)} min` : `${Math.floor(ms / 3_600_000)} h`
}

/** Whether what health said last is about now. */
const isLive = ({ recorder, healthConnected, healthSilentForMs }: BoardFacts): boolean =>
  recorder.kind === 'running' && healthConnected && healthSilentForMs <= HEALTH_SILENT_MS

/** The whole board, at most `rows` lines: what matters most is cut last. */
export function boardLines(facts: BoardFacts, size: BoardSize): Line[] {
  const head = [...headLines(facts, size), [], ...cameraLines(facts, size), [], ...ringLines(facts, size), []]
  const keys = keyLine(facts)
  const wanted = [...recorderLines(facts, size), ...reasonLines(facts, size)]
  const forRest = Math.max(0, size.rows - head.length - 1)
  const minimumLog = Math.min(forRest, facts.recorder.kind === 'ended' && !facts.recorder.asked ? 10 : 5)
  const reasons = wanted.slice(0, Math.max(0, forRest - minimumLog))
  const log = logLines(facts, size, forRest - reasons.length)
  const blanks = Array.from({ length: Math.max(0, forRest - reasons.length - log.length) }, (): Line => [])
  return [...head, ...reasons, ...log, ...blanks].slice(0, size.rows - 1).concat([keys])
}

function headLines(facts: BoardFacts, { columns }: BoardSize): Line[] {
  const { now, health } = facts
  const level = health === null || !isLive(facts) ? { text: ' 無回應 no answer ', style: 'badge-bad' as const } : LEVEL[health.level]
  const name = columns >= WIDE_COLUMNS ? 'Custos 示範 demo  四支模擬攝影機 four simulated cameras' : 'Custos 示範 demo'
  const time = `${day.format(now)} ${clock.format(now)} ${columns >= WIDE_COLUMNS ? TIME_ZONE : ''}`.trimEnd()
  const blanks = Math.max(2, columns - columnsOf(name) - columnsOf(level.text) - columnsOf(time) - 2)
  return [[span(name, 'title'), span(' '.repeat(blanks)), span(level.text, level.style), span('  '), span(time, 'bold')]]
}

interface Column { readonly head: string, readonly columns: number, readonly align: 'left' | 'right' }

function cameraLines(facts: BoardFacts, { columns }: BoardSize): Line[] {
  const wide = columns >= WIDE_COLUMNS
  const table: Column[] = [
    { head: '攝影機 camera', columns: 14, align: 'left' }, { head: '狀態 state', columns: 17, align: 'left' }, { head: 'fps', columns: 5, align: 'right' },
    { head: 'Mbit/s', columns: 6, align: 'right' }, { head: '末幀 age', columns: 8, align: 'right' }, { head: '最舊 from', columns: 9, align: 'right' },
    { head: wide ? '中斷 restarts' : '中斷 cuts', columns: wide ? 13 : 9, align: 'right' },
    ...(wide ? [{ head: '畫面 picture', columns: 15, align: 'left' }, { head: '取得 by', columns: 14, align: 'left' }] as const : []),
  ]
  const row = (cells: readonly (readonly [string, Style])[]): Line =>
    table.flatMap((column, index): Span[] => {
      const [text, style] = cells[index] ?? ['', 'plain']
      return [...(index === 0 ? [] : [span('  ')]), span(padded(text, column.columns, column.align), style)]
    })
  return [
    row(table.map(({ head }) => [head, 'dim'] as const)),
    ...facts.cameras.map(camera => row(cameraCells(facts, camera))),
  ]
}

function cameraCells(facts: BoardFacts, camera: DemoCamera): (readonly [string, Style])[] {
  const name = [`${camera.name} ${camera.id}`, 'bold'] as const
  const more = [[camera.picture, 'dim'], [camera.reachedBy, 'dim']] as const
  const frozenMs = facts.frozenForMs(camera.id)
  const stream = isLive(facts) ? facts.health?.streams.find(row => row.camera === camera.id) : undefined
  if (stream === undefined) return [name, ['-', 'dim'], ['-', 'dim'], ['-', 'dim'], ['-', 'dim'], ['-', 'dim'], ['-', 'dim'], ...more]
  const ageMs = stream.lastFrameAgeMs === null ? null : stream.lastFrameAgeMs + facts.healthSilentForMs
  const state = frozenMs === null ? STATE[stream.state] : { text: `凍結 frozen ${Math.ceil(frozenMs / 1000)}`, style: 'warn' as const }
  return [
    name, [state.text, state.style], [stream.fps.toFixed(1), 'plain'], [(stream.bitrateBps / 1e6).toFixed(2), 'plain'],
    [ageMs === null ? '-' : lengthText(ageMs), ageMs !== null && ageMs > HEALTH_SILENT_MS ? 'bad' : 'plain'],
    [timeOf(stream.oldestFrameAt), 'plain'], [String(stream.restarts), stream.restarts > 0 ? 'warn' : 'plain'], ...more,
  ]
}

function ringLines(facts: BoardFacts, size: BoardSize): Line[] {
  const { health } = facts
  if (health === null) return [[span('儲存區 volume  -', 'dim')], [], [], []]
  const rate = health.streams.reduce((sum, stream) => sum + stream.bitrateBps, 0) / 1e6
  const { forecastDays, wrapsAt, stopsAt, fits } = health.floor
  const forecast = forecastDays === null ? '-' : lengthText(forecastDays * DAY_MS)
  const reused = health.volumes.reduce((sum, volume) => sum + volume.reusedSlots, 0)
  const wraps: Span = stopsAt !== null ? span(`停止 stops ${timeOf(stopsAt)}`, 'bad') : health.volumes.some(({ slots }) => slots.free > 0) ? span(timeOf(wrapsAt), 'bold') : span('循環中 now', 'good')
  return [
    ...health.volumes.map(volume => volumeLine(volume, size)),
    floorLine(facts, size),
    [
      span('推估可保存 forecast ', 'dim'), span(forecast, fits === false ? 'bad' : 'bold'), span('  開始覆寫 wraps ', 'dim'), wraps,
      span('  已覆寫 reused ', 'dim'), span(String(reused), reused > 0 ? 'good' : 'bold'),
    ],
    [
      span('寫入 rate ', 'dim'), span(`${rate.toFixed(2)} Mbit/s`, 'bold'), span('  同步 sync ', 'dim'), span(`${(health.volumes[0]?.syncMs.worst ?? 0).toFixed(0)} ms`, 'bold'),
      ...(size.columns >= WIDE_COLUMNS ? [span('  記憶體 memory ', 'dim'), span(`${Math.round(health.process.rssBytes / 2 ** 20)} MiB`, 'bold')] : []),
    ],
  ]
}

const oldestAgeMs = ({ health, now }: BoardFacts): number | null => {
  const oldest = health?.volumes.flatMap(({ oldestFrameAt }) => oldestFrameAt ?? []).sort()[0]
  return oldest === undefined ? null : Math.max(0, now.getTime() - Date.parse(oldest))
}
const floorMs = ({ required }: SnapshotMessage['floor']): number => required.kind === 'plain' ? required.durationMs : (required.days + 1) * DAY_MS

/** The oldest frame against the floor, whose end is `|`: left of it nothing may go, right of it stands what is kept beyond. */
function floorLine(facts: BoardFacts, { columns }: BoardSize): Line {
  const { floor } = facts.health!
  const ageMs = oldestAgeMs(facts), floorText = floor.required.kind === 'plain' ? lengthText(floor.required.durationMs) : `${floor.required.days} 天 days`
  const label = '最舊 oldest ', age = padded(ageMs === null ? '-' : lengthText(ageMs), 7), tail = `  保存期限 floor ${floorText}`
  const cells = Math.max(8, columns - columnsOf(label) - columnsOf(age) - columnsOf(tail) - 5)
  const scaleMs = Math.max(floorMs(floor), (floor.forecastDays ?? 0) * DAY_MS, ageMs ?? 0) * 1.05
  const mark = Math.min(cells, Math.round(cells * floorMs(floor) / scaleMs)), filled = Math.min(cells, Math.round(cells * (ageMs ?? 0) / scaleMs))
  const inside = Math.min(filled, mark), beyond = Math.max(0, filled - mark)
  return [
    span(label, 'dim'), span(age, 'bold'), span(' ['), span('#'.repeat(inside), 'cell-warn'), span('.'.repeat(mark - inside), 'dim'), span('|', 'bold'),
    span('#'.repeat(beyond), 'cell-good'), span('.'.repeat(cells - mark - beyond), 'dim'), span(']'), span(tail, 'plain'),
  ]
}

/** One cell a slot where they fit, else in proportion. */
function volumeLine({ id, state, slots }: Volume, { columns }: BoardSize): Line {
  const label = `環 ring ${id} `
  const counts = `  可用 ${slots.free}  開啟 ${slots.open}  封存 ${slots.sealed}  共 ${slots.total}`
  const english = `  free ${slots.free}  open ${slots.open}  sealed ${slots.sealed}  of ${slots.total}`
  const text = columns >= WIDE_COLUMNS ? english : counts
  const cells = Math.max(8, Math.min(slots.total, columns - columnsOf(label) - columnsOf(text) - 2))
  const scale = slots.total === 0 ? 0 : cells / slots.total
  const sealed = Math.round(slots.sealed * scale)
  const open = Math.min(cells - sealed, slots.open === 0 ? 0 : Math.max(1, Math.round(slots.open * scale)))
  return [
    span(label, 'dim'), span('['), span('#'.repeat(sealed), 'cell-good'), span('+'.repeat(open), 'cell-warn'), span('.'.repeat(Math.max(0, cells - sealed - open)), 'dim'), span(']'),
    span(text, state === 'ok' ? 'plain' : 'bad'), ...(state === 'ok' ? [] : [span(`  ${state}`, 'bad')]),
  ]
}

function recorderLines({ recorder, language }: BoardFacts, { columns }: BoardSize): Line[] {
  if (recorder.kind === 'running') return []
  const text = recorder.restarts
    ? { zh: `錄影程式已被強制終止（${recorder.how}），即將重新啟動並復原`, en: `the recorder was killed (${recorder.how}); it starts again in a moment and recovers` }
    : { zh: `錄影程式已自行結束（${recorder.how}）；原因見下方紀錄，按 r 重新啟動`, en: `the recorder ended by itself (${recorder.how}); the log below says why, r starts it again` }
  return [...wrapped(text[language], columns - 4).map((line, index): Line => [span(index === 0 ? '!! ' : '   ', 'bad'), span(line, 'bad')]), []]
}

function reasonLines(facts: BoardFacts, { columns }: BoardSize): Line[] {
  const { health, language, recorder, healthSilentForMs } = facts
  if (recorder.kind !== 'running') return []
  if (health === null || !isLive(facts)) {
    return [[span(language === 'zh' ? `等待錄影程式的健康狀態，已 ${lengthText(healthSilentForMs)}` : `waiting for the recorder's health for ${lengthText(healthSilentForMs)}`, 'warn')]]
  }
  return health.reasons.flatMap((reason): Line[] => {
    const urgency = URGENCY[reason.urgency]
    const label = `[${urgency[language]}] `
    const indent = ' '.repeat(columnsOf(label))
    const room = columns - columnsOf(label) - 1
    const subject = reason.subject === null ? '' : `${reason.subject}: `
    const named = language === 'zh' ? reason.text : reason.en
    return [
      ...wrapped(named.includes(reason.subject ?? named) ? named : subject + named, room).map((line, index): Line => [span(index === 0 ? label : indent, urgency.style), span(line)]),
      ...wrapped(`-> ${reason.nextStep[language]}`, room).map((line): Line => [span(indent + line, 'dim')]),
    ]
  })
}

function logLines({ log, logFile }: BoardFacts, { columns }: BoardSize, rows: number): Line[] {
  if (rows < 2) return []
  const title = ` 紀錄 log: ${logFile} `
  const lines = log.slice(-(rows - 1)).map((line): Line =>
    [span(`${line.at === null ? ' '.repeat(8) : clock.format(line.at)} `, 'dim'), span(padded(line.level, 5), LOG_STYLE[line.level] ?? 'dim'), span(` ${line.text}`)])
  return [[span(`--${title}${'-'.repeat(Math.max(0, columns - columnsOf(title) - 2))}`, 'dim')], ...lines]
}

function keyLine({ language, recorder }: BoardFacts): Line {
  const keys = [
    ['q', '結束', 'quit'],
    recorder.kind === 'ended' && !recorder.restarts ? ['r', '重新啟動錄影', 'start the recorder'] : ['k', '強制終止錄影 kill -9', 'kill -9 the recorder'],
    ['c', '凍結一支 10 秒', 'freeze a camera 10 s'], ['l', 'English', '中文'],
  ]
  return keys.flatMap(([key = '', zh = '', en = '']): Span[] => [span(` ${key} `, 'badge-good'), span(` ${language === 'zh' ? zh : en}  `)])
}

/** The board as one line, for a log or a pipe. */
export function boardText(facts: BoardFacts): string {
  const { now, cameras, recorder, health } = facts
  if (recorder.kind === 'ended') return `${clock.format(now)}  recorder ended (${recorder.how})`
  if (health === null || !isLive(facts)) return `${clock.format(now)}  no answer from health yet`
  const recording = health.streams.filter(stream => stream.state === 'recording').length
  const streams = health.streams.map(stream => `${stream.camera}=${stream.state} ${stream.fps.toFixed(1)}fps ${(stream.bitrateBps / 1e6).toFixed(2)}Mbit/s`)
  const slots = health.volumes.map(volume => `${volume.id} free=${volume.slots.free} open=${volume.slots.open} sealed=${volume.slots.sealed} reused=${volume.reusedSlots}`)
  const { forecastDays } = health.floor, ageMs = oldestAgeMs(facts)
  const kept = `oldest=${ageMs === null ? '-' : lengthText(ageMs)} floor=${lengthText(floorMs(health.floor))} forecast=${forecastDays === null ? '-' : lengthText(forecastDays * DAY_MS)}`
  const reasons = health.reasons.filter(reason => reason.level !== 'healthy').map(reason => reason.subject === null ? reason.code : `${reason.code}(${reason.subject})`)
  return [clock.format(now), health.level, `${recording}/${cameras.length} recording`, ...streams, ...slots, kept, reasons.join(',')].join('  ').trimEnd()
}
