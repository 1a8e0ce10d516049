import { Archive, archiveCredential, archiveRules, expiryOf, initArchive, isItemNo, ITEM_KINDS, ITEM_STATES, lastDayBefore, NO_TIME, realArchiveDisk, type ArchiveItem } from '../archive/index.ts'
import { partLog } from '../audit/index.ts'
import { type Config, formatProblems, loadConfig } from '../config/index.ts'
import { FatalError, isoOf } from '../domain/index.ts'
import { systemClock } from '../platform/clock.ts'
import { createLogger } from '../platform/logger.ts'
import { openOfficeDatabase } from '../platform/office-database.ts'
import { logBeside } from './log-beside.ts'
import { officeBeside, type OfficeBeside } from './office-beside.ts'

interface Out { write(text: string): unknown }
export type ArchiveAct = 'init' | 'list' | 'verify' | 'rebuild'

/** While no office runs; made when it is lost. Then there is only the wall clock. */
async function ownOffice({ state }: Config): Promise<OfficeBeside> {
  const office = await openOfficeDatabase(state.dir, { nowMs: systemClock.wallNow(), partLog }), { db } = office
  return {
    db, audit: logBeside(db),
    time: { wallNow: () => systemClock.wallNow(), steadyNow: () => systemClock.wallNow() },
    [Symbol.dispose]: () => { office[Symbol.dispose]() },
  }
}

/** `custos archive init | list | verify | rebuild`. All but `rebuild` works beside a running recorder. Exit 1 when an item is not as it was put in. */
export async function archive(act: ArchiveAct, options: { readonly config: string, readonly id?: string | undefined, readonly json: boolean }, out: Out): Promise<number> {
  const result = await loadConfig(options.config, { secrets: 'skip' })
  if (!result.ok) { out.write(formatProblems(result.problems)); return 2 }
  const { config } = result
  if (config.archive === null) throw new FatalError('CUSTOS_ARCHIVE_REFUSED', '設定檔沒有 archive 一節。/ the configuration has no archive', { remedy: '請加入 archive.dir 與 archive.quota。/ Add archive.dir and archive.quota.' })
  if (act === 'init') {
    out.write(`存檔區已建立 / archive made: ${await initArchive(realArchiveDisk, config.archive.dir, isoOf(systemClock.wallNow()))}\n`)
    return 0
  }
  using office = act === 'rebuild' ? await ownOffice(config) : officeBeside(config, act === 'list' ? 'read' : 'write')
  const { db, audit, time } = office
  const store = await Archive.open({
    db, audit, rights: { requireRight: () => { throw new TypeError('this command does no act of a person') } }, trustedTime: NO_TIME,
    time, rule: await archiveRules(() => systemClock.wallNow()),
    dir: config.archive.dir, quotaBytes: config.archive.quotaBytes, stateDir: config.state.dir, credential: () => archiveCredential(process.env), log: createLogger({ level: 'warn' }),
  })
  if (act === 'list') {
    for (const item of store.list()) out.write(options.json ? `${JSON.stringify(item)}\n` : lineOf(item))
    return 0
  }
  if (act === 'rebuild') {
    const { adopted, unsound, strays } = await store.rebuild()
    out.write(`重建 ${adopted.length} 筆，異常 ${unsound.length} 筆，無法辨認 ${strays.length} 個\nrebuilt: ${adopted.length}, unsound: ${unsound.length}, strays: ${strays.length}\n`)
    return unsound.length + strays.length === 0 ? 0 : 1
  }
  let bad = 0
  const { id } = options
  if (id !== undefined && (!isItemNo(id) || store.get(id) === null)) throw new FatalError('CUSTOS_ARCHIVE_ITEM', `沒有這個存檔編號 / no such item number: ${id.slice(0, 40)}`, { remedy: 'custos archive list' })
  for (const item of id === undefined ? store.list().filter(each => each.state === 'kept') : store.list().filter(each => each.itemNo === id)) {
    const fault = await store.verify(item.itemNo)
    if (fault !== null) bad++
    out.write(`${item.itemNo} ${fault ?? '完整 whole'}\n`)
  }
  return bad === 0 ? 0 : 1
}

/** One line an item; what must be seen to stands at its end. */
const lineOf = (item: ArchiveItem): string =>
  `${item.itemNo}  ${item.application}  ${ITEM_KINDS[item.kind].zh} ${ITEM_KINDS[item.kind].en}  ${ITEM_STATES[item.state].zh} ${ITEM_STATES[item.state].en}  至 until ${lastDayBefore(expiryOf(item)).toString()}  ${(item.bytes / 1e6).toFixed(1)} MB${item.filed === null ? '' : '  已歸檔 filed'}${item.holds.some(hold => hold.endedAt === null) ? '  保全中 held' : ''}${item.lost === null ? '' : `  遺失或被更動 LOST OR CHANGED: ${item.lost.what}`}\n`
