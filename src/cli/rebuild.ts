import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import { AuditLog } from '../audit/index.ts'
import { formatProblems, loadConfig, type Config } from '../config/index.ts'
import { CustosError, epochMs, FatalError, type AuditActor, type EpochMs, type VolumeId } from '../domain/index.ts'
import { openCatalogue, type Catalogue } from '../platform/catalogue.ts'
import { systemClock } from '../platform/clock.ts'
import { realFileSystem } from '../platform/file-system.ts'
import { rebuildCatalogue, type RebuildReport } from '../storage/index.ts'
import { openHostClock } from '../trusted-time/index.ts'
import { loginName } from './acting-person.ts'
import { localText } from './local-time.ts'

interface Out { write(text: string): unknown }
export interface RebuildCommandOptions { readonly configFile: string, readonly json: boolean, readonly out: Out, readonly err: Out }

const EXIT_BAD_CONFIG = 2
const PROGRESS_STEP = 0.05
const KIND_TEXTS: Readonly<Record<string, string>> = {
  'newer-than-volume': '目錄比儲存區新（還原過儲存區映像？）；該槽停用 / the catalogue is newer than the slot (was an image of the volume restored?); the slot is out of use',
  'gone-from-slot': '目錄有紀錄，槽內已無影像 / in the catalogue, but the slot is blank',
  'still-on-disk': '目錄記為已覆寫，槽內仍在；已恢復 / ended in the catalogue, still in the slot; taken back',
  'other-header': '槽標頭與目錄不同；以槽為準 / the slot\'s header differs; the slot is right',
  'other-root': '槽索引的雜湊根與目錄不同；以槽為準，請查明原因 / the slot\'s index has another root; the slot is taken, find out why',
  'index-lost': '槽索引已損壞；沿用目錄所載 / the slot\'s index is gone; the catalogue\'s facts stay',
  'unsealed-in-slot': '槽為封存前的狀態（還原過儲存區映像？）；以槽內影像為準，該槽停用 / the slot is as it was before it was sealed (was an image of the volume restored?); what it holds is taken, and it is out of use',
  'run-number-twice': '連線編號重複；影像不受影響 / a run number stands for two runs; no footage is affected',
}
/** What no volume knows. */
const LOST = ['申請、核准與登記簿', '稽核紀錄', '錄影中斷的原因', '歷次覆寫紀錄', 'requests, approvals and the log book', 'the audit log', 'why recording was interrupted', 'records of what was overwritten'] as const

/** `custos rebuild`: the catalogue from the volumes. Exit code 0 when all volumes were read and nothing was damaged, 1 when something is missing (the rest is done), 2 for a bad configuration. */
export async function rebuild({ configFile, json, out, err }: RebuildCommandOptions): Promise<number> {
  const result = await loadConfig(configFile, { secrets: 'skip' })
  if (!result.ok) { err.write(formatProblems(result.problems)); return EXIT_BAD_CONFIG }
  const { config } = result
  requireOwner(config.state.dir)
  const { catalogue, setAside } = openOrSetAside(config.state.dir, systemClock.wallNow())
  using opened = catalogue
  const isFromNothing = setAside !== null || opened.db.prepare<[], { n: number }>('SELECT count(*) AS n FROM volume').get()!.n === 0
  const by: AuditActor = { kind: 'machine-user', name: loginName(), role: null, source: 'custos rebuild' }
  const report = await rebuildCatalogue({
    catalogue: opened, audit: new AuditLog({ db: opened.db, clock: systemClock }), volumes: config.volumes, cameras: config.cameras.map(camera => camera.id),
    fs: realFileSystem, clock: systemClock, bootId: openHostClock().bootId, by,
    ...(json ? {} : { onProgress: progressTo(err) }),
  })
  out.write(json ? `${JSON.stringify({ schema: 1, setAside, isFromNothing, ...report, lost: isFromNothing ? ['requests', 'book', 'audit', 'causes', 'overwrites'] : [] })}\n` : textOf(report, config, setAside, isFromNothing))
  const isWhole = report.volumes.every(volume => volume.isRead && volume.damaged.count === 0) && report.holdFaults.length === 0 && report.unmarked.length === 0
  return isWhole ? 0 : 1
}

/** Files made by another user could not be opened by the recorder afterwards. */
function requireOwner(stateDir: string): void {
  if (!existsSync(stateDir)) return
  const { uid } = statSync(stateDir)
  if (process.getuid?.() === uid) return
  throw new FatalError('CUSTOS_WRONG_USER', `${stateDir} belongs to user ${uid}, and this is user ${process.getuid?.()}; the recorder could not open what this command writes`, {
    remedy: `Run it as the recorder's user: sudo -u '#${uid}' custos rebuild ...`,
  })
}

/** A catalogue that SQLite calls damaged is moved aside, never deleted: what it knew beyond the volumes may be got out of it. Throws what openCatalogue throws. */
function openOrSetAside(stateDir: string, now: EpochMs): { catalogue: Catalogue, setAside: string | null } {
  const open = (): Catalogue | null => {
    let catalogue: Catalogue
    try { catalogue = openCatalogue(stateDir, now) } catch (error) {
      if (isDamage(error)) return null
      throw error
    }
    try {
      if (catalogue.db.pragma('quick_check(1)', { simple: true }) === 'ok') return catalogue
    } catch (error) { if (!isDamage(error)) { catalogue[Symbol.dispose](); throw error } }
    catalogue[Symbol.dispose]()
    return null
  }
  const sound = open()
  if (sound !== null) return { catalogue: sound, setAside: null }
  const suffix = `damaged-${new Date(now).toISOString().replaceAll(':', '')}`
  for (const name of readdirSync(stateDir)) {
    if (!/^catalogue\.db(-wal|-shm)?$/.test(name)) continue
    const file = path.join(stateDir, name)
    if (statSync(file).size === 0) rmSync(file) // a log that stands there for the next start
    else renameSync(file, path.join(stateDir, name.replace('catalogue.db', `catalogue.db.${suffix}`)))
  }
  return { catalogue: openCatalogue(stateDir, now), setAside: `catalogue.db.${suffix}` }
}

function isDamage(error: unknown): boolean {
  const cause = error instanceof CustosError ? error.cause : error
  const code = String((cause as { code?: unknown } | null)?.code ?? '')
  return code === 'SQLITE_NOTADB' || code.startsWith('SQLITE_CORRUPT')
}

function progressTo(err: Out): (volume: VolumeId, done: number, of: number) => void {
  const told = new Map<VolumeId, number>()
  return (volume, done, of) => {
    const share = done / of
    if (share < 1 && share - (told.get(volume) ?? 0) < PROGRESS_STEP) return
    told.set(volume, share)
    err.write(`${volume}: ${done}/${of}\n`)
  }
}

function textOf(report: RebuildReport, { site }: Config, setAside: string | null, isFromNothing: boolean): string {
  const { stock, counts } = report
  const lines: string[] = []
  if (setAside !== null) lines.push(`原目錄已損壞，移存為 ${setAside} / the old catalogue was damaged and is kept as ${setAside}`)
  for (const volume of report.volumes) {
    lines.push(volume.isRead ? `${volume.id}: 已讀 ${volume.slots} 槽 / ${volume.slots} slots read` : `${volume.id}: 未讀取，其影像不在目錄中；接上後請再執行一次 / NOT READ (${volume.detail}); its footage is not in the catalogue, run this again when it is there`)
    for (const [named, zh, en] of [[volume.damaged, '槽無法辨識，已停用', 'slots cannot be told and are out of use'], [volume.doubts, '槽內容前後不符', 'slots contradict themselves']] as const) {
      if (named.count > 0) lines.push(`  ${named.count} 個${zh} / ${named.count} ${en}`, ...named.examples.map(example => `    ${example}`))
    }
  }
  const at = (ms: number | null): string => ms === null ? '-' : localText(epochMs(ms), site.timezone)
  const hours = (stock.footageMs / 3_600_000).toFixed(1)
  lines.push(
    `恢復：${stock.cameras} 部鏡頭、${stock.streams} 個串流、${stock.segments} 段影像共 ${hours} 小時（${at(stock.oldestAt)} 至 ${at(stock.newestAt)}）、${stock.holds} 件保全、${counts.runs} 次連線`,
    `came back: ${stock.cameras} cameras, ${stock.streams} streams, ${stock.segments} segments of ${hours} hours (${at(stock.oldestAt)} to ${at(stock.newestAt)}), ${stock.holds} holds (${report.holdsImported} of them from the volumes), ${counts.runs} runs`,
    `可用空槽 ${stock.freeSlots}，停用 ${stock.quarantinedSlots} / free slots ${stock.freeSlots}, out of use ${stock.quarantinedSlots}`,
    `新增 ${counts.added}、更正 ${counts.corrected}、結束 ${counts.ended}、恢復 ${counts.revived} 段；${counts.gaps} 段中斷原因不明`,
    `segments added ${counts.added}, corrected ${counts.corrected}, ended ${counts.ended}, taken back ${counts.revived}; ${counts.gaps} gaps of unknown cause`,
  )
  for (const { kind, count, examples } of report.contradictions) lines.push(`不符 ${count} 件 / ${count} contradictions: ${KIND_TEXTS[kind] ?? kind}`, `    ${examples.join(' ')}`)
  for (const fault of report.holdFaults) lines.push(`保全檔無法讀寫，請立即處理 / a file of holds cannot be read or written, see to it now: ${fault}`)
  for (const id of report.unmarked) lines.push(`${id}: 標記未寫入 / the mark could not be written`)
  lines.push(isFromNothing ? `儲存區無法提供、只能由備份取得：${LOST.slice(0, 4).join('、')}` : '備份目錄中的申請、登記簿、稽核紀錄與中斷原因均保留；備份之後的無法恢復',
    isFromNothing ? `not on the volumes, from a backup only: ${LOST.slice(4).join('; ')}` : 'requests, book, audit log and causes of the catalogue that was there are kept; what came after its backup is not on the volumes')
  return `${lines.join('\n')}\n`
}
