import { formatProblems, loadConfig, type Config } from '../config/index.ts'
import { openCatalogueBeside, type Db } from '../platform/catalogue.ts'
import { systemClock, type Clock } from '../platform/clock.ts'
import {
  openHostClock, PAIR_WITHIN_MS, stateOf, submitConfirmation, timeTables, trustedAt, waitingOf, type ConfirmationOutcome,
  type HostClock, type Told,
} from '../trusted-time/index.ts'
import { loginName } from './acting-person.ts'
import { plainText } from './plain-text.ts'
import { RecorderLink } from './recorder-link.ts'

export interface TimeCommandOptions {
  readonly configFile: string
  readonly out: { write(text: string): unknown }
  readonly clock?: Clock
  readonly hostClock?: HostClock
}

const EXIT_BAD_CONFIG = 2
/** A recorder that runs writes trusted time down each minute. */
const RUNS_WITHIN_MS = 70_000
const MAX_NAME_CHARS = 80
const MAX_REASON_CHARS = 500

const STATE_WORDS: Record<Told, { readonly zh: string, readonly en: string }> = {
  agreed: { zh: '一致', en: 'wall clock and trusted time agree' },
  disagrees: { zh: '不一致：保存期限依實際運轉時間計算', en: 'they disagree; footage ages by running time' },
  waiting: { zh: '停機時間尚未計入', en: 'time off is not counted yet' },
  unknown: { zh: '未知：影像暫不覆寫', en: 'unknown; nothing is overwritten' },
}

interface Look { readonly state: Told, readonly offsetMs: number, readonly trustedMs: number, readonly isKnown: boolean, readonly waiting: { readonly ms: number, readonly needs: 'sync' | 'people' } | null, readonly runs: boolean }

/** Where trusted time stands, from what the recorder wrote down last; null before its first start. Another boot shows what the next start would begin from. */
function look(db: Db, { wallMs, monoMs, bootId }: { wallMs: number, monoMs: number, bootId: string }): Look | null {
  const saved = timeTables(db).load()
  if (saved === null) return null
  const isThisBoot = saved.bootId === bootId
  const trustedMs = isThisBoot ? trustedAt({ ...saved, slewMs: 0 }, monoMs) : saved.trustedMs
  const state = { ...saved, slewMs: 0, trustedMs, claimMs: isThisBoot ? saved.claimMs : Math.max(0, wallMs - trustedMs) }
  const offsetMs = wallMs - trustedMs
  return { state: stateOf(state, offsetMs), offsetMs, trustedMs, isKnown: saved.isKnown, waiting: waitingOf(state, wallMs), runs: isThisBoot && monoMs - saved.monoMs < RUNS_WITHIN_MS }
}

async function withConfig(options: TimeCommandOptions, act: (config: Config, host: { clock: Clock, hostClock: HostClock }) => Promise<number>): Promise<number> {
  const result = await loadConfig(options.configFile, { secrets: 'skip' })
  if (!result.ok) {
    options.out.write(formatProblems(result.problems))
    return EXIT_BAD_CONFIG
  }
  return await act(result.config, { clock: options.clock ?? systemClock, hostClock: options.hostClock ?? openHostClock() })
}

const localTime = (timeZone: string) => {
  const format = new Intl.DateTimeFormat('zh-TW-u-ca-roc', { dateStyle: 'long', timeStyle: 'medium', hourCycle: 'h23', timeZone })
  return (ms: number): string => format.format(new Date(ms))
}

/** `180 s`, `2.5 h`, `31.0 d`: what a person can judge. */
function spanText(ms: number): string {
  const size = Math.abs(ms)
  if (size < 600_000) return `${(ms / 1000).toFixed(1)} s`
  return size < 48 * 3_600_000 ? `${(ms / 3_600_000).toFixed(1)} h` : `${(ms / 86_400_000).toFixed(1)} d`
}

/** `custos time status`: both clocks and what waits. Reads only. Exit 0 when they agree, else 1. */
export async function timeStatus(options: TimeCommandOptions): Promise<number> {
  return await withConfig(options, async ({ state: { dir }, site }, { clock, hostClock }) => {
    using catalogue = openCatalogueBeside(dir, 'read')
    const sync = await hostClock.askSync()
    const wallMs = clock.wallNow()
    const found = look(catalogue.db, { wallMs, monoMs: clock.monoNow(), bootId: hostClock.bootId })
    const local = localTime(site.timezone)
    const lines = [`系統時間 wall clock     ${local(wallMs)}`]
    const syncText = sync.isSynchronised === null ? '無法得知 nobody can tell' : sync.isSynchronised ? '已同步 synchronised' : '未同步 not synchronised'
    if (found === null) lines.push('可信時間 trusted time   尚無：錄影機未曾啟動 none yet: the recorder has never been started')
    else {
      lines.push(`可信時間 trusted time   ${found.isKnown ? local(found.trustedMs) : '未知 unknown'}`,
        `差距     offset         ${spanText(found.offsetMs)}`, `狀態     state          ${STATE_WORDS[found.state].zh} / ${STATE_WORDS[found.state].en}`)
      if (found.waiting !== null) {
        lines.push(`待計入   waiting        ${spanText(found.waiting.ms)}，${found.waiting.needs === 'sync' ? '校時服務同步後自動計入 / counts by itself once the clock is synchronised' : '需兩人確認 / takes two people: custos time confirm'}`)
      }
      if (!found.runs) lines.push('錄影機目前未執行，以上為其最後記錄 / the recorder is not running; this is what it wrote down last')
    }
    lines.push(`校時服務 time service   ${sync.source}，${syncText}${sync.referenceOffsetMs === null ? '' : `，${sync.referenceOffsetMs.toFixed(1)} ms`}`)
    options.out.write(`${lines.join('\n')}\n`)
    return found?.state === 'agreed' ? 0 : 1
  })
}

/**
 * `custos time confirm`: one person's confirmation that the wall clock is right (P4: a second one within
 * five minutes makes it an act). Waits some seconds for the recorder. Exit 0 when it counted or waits for the second
 * person, 1 when it was refused. Throws FatalError for a name or reason that cannot be recorded.
 */
export async function timeConfirm(options: TimeCommandOptions & { readonly as: string, readonly reason: string }): Promise<number> {
  const name = plainText('--as', options.as, { maxChars: MAX_NAME_CHARS, example: '王小明' })
  const reason = plainText('--reason', options.reason, { maxChars: MAX_REASON_CHARS, example: '主機停機一個月後重新啟用' })
  return await withConfig(options, async ({ state: { dir }, site }, { clock, hostClock }) => {
    await using parts = new AsyncDisposableStack()
    const wallMs = clock.wallNow()
    let runs = true
    const recorder = parts.use(new RecorderLink<'time.confirm'>({ stateDir: dir, alone: async () => {
      const catalogue = parts.use(openCatalogueBeside(dir, 'write')), tables = timeTables(catalogue.db)
      const found = look(catalogue.db, { wallMs, monoMs: clock.monoNow(), bootId: hostClock.bootId })
      runs = found?.runs === true
      return { 'time.confirm': async sent => ({
        ...await submitConfirmation({ tables, clock, hostClock }, sent), offsetMs: found?.offsetMs ?? null,
      }) }
    } }))
    const told = await recorder.ask('time.confirm', { name, reason, login: loginName() }), { offsetMs } = told
    const local = localTime(site.timezone)(wallMs)
    options.out.write(`${name} 確認系統時間為 ${local}\n${name} confirms that it is ${local}${offsetMs === null ? '' : ` (trusted time is off by ${spanText(offsetMs)})`}\n`)
    options.out.write(outcomeText(told, runs))
    return told.outcome === 'refused' ? 1 : 0
  })
}

function outcomeText({ outcome, why }: ConfirmationOutcome, runs: boolean): string {
  const minutes = PAIR_WITHIN_MS / 60_000, wentText = spanText(Number.parseInt(why, 10) || 0), isBehind = why === '0 ms'
  switch (outcome) {
    case 'refused': return `不予計入：${why}\nrefused: ${why}\n`
    case 'counted': return `兩人確認完成，已載入稽核紀錄；可信時間調整 ${wentText}${isBehind ? '（系統時間落後，可信時間維持不變）' : ''}\n`
      + `both words count and are on record; trusted time went by ${wentText}${isBehind ? ' (the wall clock is behind: trusted time stays)' : ''}\n`
    default: return runs
      ? `已記錄。另一人須於 ${minutes} 分鐘內執行同一指令。\nrecorded; another person must run the same command within ${minutes} minutes\n`
      : '已記錄，但錄影機未執行；兩人都確認後，於下次啟動時計入（主機不可重新開機）。\nrecorded, but the recorder is not running: once two people confirmed it counts at the next start, unless the machine is restarted\n'
  }
}
