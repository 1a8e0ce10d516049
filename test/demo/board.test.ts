import { stripVTControlCharacters } from 'node:util'
import t from 'tap'
import { boardLines, boardText, type BoardFacts } from '../../demo/board.ts'
import { ansiOf, clipped, columnsOf, padded, plainOf, wrapped } from '../../demo/text-line.ts'

const stream = (camera: string, more: object = {}) => ({
  camera, stream: 'main', state: 'recording' as const, stateSince: '2026-11-22T08:00:00.000Z', lastFrameAt: '2026-11-22T08:10:00.000Z', lastFrameAgeMs: 400, bitrateBps: 1_500_000, fps: 15,
  oldestFrameAt: '2026-11-22T08:00:00.000Z', restarts: 0, lastEndReason: null, openGapSince: null,
  openGapCause: null, forecastDays: null, cameraClockOffsetMs: null, channel: null, stampRate: 1, isSoundMissing: false, pictureWaitMs: 0, ...more,
})
const reason = (code: string, subject: string | null) => ({
  code, subject, text: '攝影機無法連線，影像正在遺失', en: 'The camera cannot be reached and footage is being lost', since: '2026-11-22T08:00:00.000Z', urgency: 'tonight' as const, level: 'critical' as const,
  nextStep: { zh: '檢查網路線、電源供應器（PoE）與位址', en: 'Check the cable, the power supply (PoE) and the address' },
})
const FACTS: BoardFacts = {
  now: new Date('2026-11-22T08:10:00Z'), language: 'zh', frozenForMs: () => null, recorder: { kind: 'running', pid: 1 }, healthConnected: true, healthSilentForMs: 100, logFile: '.demo/custos.log',
  cameras: [{ id: 'lobby', name: '大廳', picture: 'H.264 1280x720', reachedBy: 'RTSP' }, { id: 'door', name: '大門', picture: 'H.265 1280x720', reachedBy: 'ONVIF + digest' }],
  health: {
    schema: 1, at: '2026-11-22T08:10:00.000Z', level: 'critical', reasons: [reason('stream-unreachable', 'door/main'), reason('floor-below-month', null)],
    streams: [stream('lobby'), stream('door', { state: 'waiting', fps: 0, bitrateBps: 0, restarts: 3, lastFrameAgeMs: 61_000 })],
    volumes: [{ id: 'disk1', state: 'ok', slots: { total: 32, free: 20, open: 2, sealed: 10, held: 0, quarantined: 0 }, oldestFrameAt: '2026-11-22T08:00:00.000Z', syncMs: { last: 2, worst: 5 }, errors: 0, reusedSlots: 0, forecastDays: null }],
    floor: { required: { kind: 'plain', durationMs: 90_000 }, forecastDays: null, wrapsAt: null, ageAtWrapDays: null, fits: null, lackingBytes: null, insisted: false, stopsAt: null, ringStoppedByFloor: false },
    sacrifice: { steps: [], headroomMs: null },
    audit: { state: 'ok', entries: 7, reserve: 'kept', key: 'ok', isWhole: true }, witness: { configured: true, lastAt: null, lastSize: null, overdueSince: null },
    catalogue: { state: 'ok' }, scrub: { lastPassAt: null, progress: 0, rotten: 0 }, clock: { state: 'agreed', offsetMs: 0, synchronised: true, source: 'chrony', referenceOffsetMs: null, trustedAt: null, waitingMs: 0, waitingFor: null }, process: { rssBytes: 120_000_000, eventLoopDelayMs: 1, uptimeMs: 60_000 }, configReload: null,
  },
  log: Array.from({ length: 60 }, (_, index) => ({ level: 'info', at: new Date('2026-11-22T08:09:00Z'), text: `錄影 line ${index} \x1b[2J` })),
}
const drawn = (facts: BoardFacts, columns: number, rows: number): string[] => boardLines(facts, { columns, rows }).map(line => stripVTControlCharacters(ansiOf(line, columns)))

t.test('fills the terminal exactly, whatever its size and language', async t => {
  for (const [columns, rows] of [[80, 24], [120, 40], [200, 60], [40, 12], [20, 5]] as const) {
    for (const language of ['zh', 'en'] as const) {
      const lines = drawn({ ...FACTS, language }, columns, rows)
      t.equal(lines.length, rows, `${columns}x${rows} ${language}`)
      t.same(lines.filter(line => columnsOf(line) > columns), [])
    }
  }
})

t.test('columns line up below Chinese headings', async t => {
  const [head, ...rows] = drawn(FACTS, 80, 24).slice(2, 5)
  const endOf = (line: string, text: string) => columnsOf(line.slice(0, line.indexOf(text) + text.length))
  t.equal(endOf(head ?? '', 'Mbit/s'), endOf(rows[0] ?? '', '1.50'))
  t.equal(endOf(head ?? '', 'Mbit/s'), endOf(rows[1] ?? '', '0.00'))
})

t.test('says what is wrong and what to do next', async t => {
  const text = drawn(FACTS, 80, 24).join('\n')
  t.match(text, /嚴重 CRITICAL/)
  t.match(text, /\[今晚\] door\/main: 攝影機無法連線/)
  t.match(text, /-> 檢查網路線/)
  t.match(text, /\[#{5,}\+\+\.{10,}\]/)
  t.match(drawn({ ...FACTS, language: 'en' }, 80, 24).join('\n'), /\[tonight\] door\/main: The camera cannot be reached/)
})

t.test('shows a dead recorder with the last lines of its log, and nothing that is no longer true', async t => {
  const dead: BoardFacts = { ...FACTS, recorder: { kind: 'ended', how: 'SIGKILL', asked: false, restarts: false }, healthConnected: false }
  const text = drawn(dead, 80, 24).join('\n')
  t.match(text, /無回應 no answer/)
  t.match(text, /錄影程式已自行結束（SIGKILL）/)
  t.match(text, /line 59/)
  t.match(text, / r {2}重新啟動錄影/)
  t.notMatch(text, /錄影 recording/)
  t.match(boardText(dead), /recorder ended \(SIGKILL\)/)
})

t.test('control characters of a log do not reach the terminal', async t => {
  t.notMatch(boardLines(FACTS, { columns: 80, rows: 24 }).map(line => ansiOf(line, 80)).join(''), '\x1b[2J')
})

t.test('text is cut, padded and wrapped by columns', async t => {
  t.equal(clipped('信義區戶政', 10), '信義區戶政')
  t.equal(clipped('信義區戶政', 8), '信義區~')
  t.equal(padded('大門', 6, 'right'), '  大門')
  for (const line of wrapped('請將 floor 設為 31d 以上，再正式使用', 10)) t.ok(columnsOf(line) <= 10, line)
  t.equal(plainOf([{ text: 'a', style: 'bad' }, { text: 'b', style: 'plain' }]), 'ab')
})

t.test('shows the oldest frame against the floor, what was overwritten, and the forecast', async t => {
  const health = FACTS.health!
  const at = (volume: object, floor: object): BoardFacts => ({ ...FACTS, health: { ...health, volumes: [{ ...health.volumes[0]!, ...volume }], floor: { ...health.floor, ...floor } } })
  const seconds = (count: number) => ({ oldestFrameAt: new Date(FACTS.now.getTime() - count * 1000).toISOString() })
  const barOf = (facts: BoardFacts): string => /\[([#.]*\|[#.]*)\]/.exec(drawn(facts, 80, 24).join('\n'))?.[1] ?? ''
  t.match(barOf(at(seconds(0), {})), /^\.+\|\.+$/, 'nothing recorded yet')
  t.match(barOf(at(seconds(45), {})), /^(#+)\.+\|\.+$/, 'inside the floor')
  const wrapping = at({ ...seconds(140), slots: { ...health.volumes[0]!.slots, free: 0 }, reusedSlots: 17 }, { forecastDays: 145 / 86_400, wrapsAt: '2026-11-22T08:09:58.000Z', fits: true })
  t.match(barOf(wrapping), /^#+\|#+\.+$/, 'older than the floor')
  const text = drawn(wrapping, 80, 24).join('\n')
  t.match(text, /推估可保存 forecast 145 s {2}開始覆寫 wraps 循環中 now {2}已覆寫 reused 17/)
  t.match(text, /保存期限 floor 90 s/)
  t.match(drawn(at(seconds(10), { forecastDays: 145 / 86_400, wrapsAt: '2026-11-22T08:12:00.000Z' }), 80, 24).join('\n'), /wraps 16:12:00 {2}已覆寫 reused 0/)
  t.match(drawn(at(seconds(10), { stopsAt: '2026-11-22T08:11:00.000Z' }), 80, 24).join('\n'), /停止 stops 16:11:00/)
  t.match(boardText(wrapping), /reused=17 {2}oldest=140 s floor=90 s forecast=145 s/)
})

t.test('one line tells the same', async t => {
  t.match(boardText(FACTS), /critical {2}1\/2 recording {2}lobby=recording 15\.0fps 1\.50Mbit\/s {2}door=waiting.*stream-unreachable\(door\/main\),floor-below-month$/)
})
