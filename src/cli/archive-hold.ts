import { atMachine, openAccess } from '../access/index.ts'
import { Archive, archiveCredential, archiveRules, ArchiveRefusedError, isItemNo, lastDayBefore, NO_TIME, type ArchiveItem, type ItemHold, type ItemNo } from '../archive/index.ts'
import { formatProblems, loadConfig } from '../config/index.ts'
import { FatalError } from '../domain/index.ts'
import { systemClock } from '../platform/clock.ts'
import { createLogger } from '../platform/logger.ts'
import { actingPerson } from './acting-person.ts'
import { officeBeside } from './office-beside.ts'

interface Out { write(text: string): unknown }
type Options = Readonly<Record<string, string | true | undefined>>
export type ArchiveHoldAct = 'place' | 'approve' | 'ask-end' | 'end' | 'list' | 'key-backup' | 'key-backups'

/** `custos archive hold place | approve | ask-end | end | list`: keeps an archived copy past its year by a recorded act [G3]. `key-backup` tells of another place that holds the key file. Beside a running recorder or without one; the sidecar follows with the recorder's next sweep. */
export async function archiveHold(act: ArchiveHoldAct, options: Options, out: Out): Promise<number> {
  const result = await loadConfig(textOf(options, 'config'), { secrets: 'skip' })
  if (!result.ok) { out.write(formatProblems(result.problems)); return 2 }
  const { config } = result
  if (config.archive === null) throw new FatalError('CUSTOS_ARCHIVE_REFUSED', '設定檔沒有 archive 一節。/ the configuration has no archive', { remedy: '請加入 archive.dir 與 archive.quota。/ Add archive.dir and archive.quota.' })
  using office = officeBeside(config, act === 'list' || act === 'key-backups' ? 'read' : 'write')
  const { db, audit, time } = office
  const access = openAccess({ db, audit, time, stateDir: config.state.dir, officeName: config.site.name, mayCombine: () => null })
  const store = await Archive.open({
    db, audit, rights: access.sessions, trustedTime: NO_TIME, time, rule: await archiveRules(() => systemClock.wallNow()),
    dir: config.archive.dir, quotaBytes: config.archive.quotaBytes, stateDir: config.state.dir, credential: () => archiveCredential(process.env), log: createLogger({ level: 'warn' }),
  })
  if (act === 'list') {
    for (const item of store.list()) for (const hold of item.holds) out.write(options['json'] === true ? `${JSON.stringify({ itemNo: item.itemNo, ...hold })}\n` : lineOf(item, hold))
    return 0
  }
  if (act === 'key-backups') {
    for (const { place, until, toldBy } of store.keyBackups()) out.write(`${place}  至 until ${lastDayBefore(until).toString()}  ${toldBy}\n`)
    return 0
  }
  const acting = atMachine(actingPerson(textOf(options, 'by'), '--by'))
  switch (act) {
    case 'key-backup': {
      const { place, until } = store.acts.tellKeyBackup(acting, { place: textOf(options, 'where'), lastDay: dayOption(textOf(options, 'until')) })
      out.write(`已登記：${place} 至 ${lastDayBefore(until).toString()} 仍有金鑰檔，其間之銷毀紀錄均會載明。\nnoted; destruction records name it until then\n`)
      return 0
    }
    case 'place': {
      const hold = store.acts.placeHold(acting, itemOption(store, textOf(options, 'item')), { authority: textOf(options, 'authority'), lastDay: dayOption(textOf(options, 'until')) })
      out.write(`存檔已保全至 ${lastDayBefore(hold.until).toString()}，即時生效；請另一人核可：\narchived copy held from now on; another person approves it:\n  custos archive hold approve --id ${hold.holdId} --by NAME\n`)
      return 0
    }
    case 'approve':
      store.acts.approveHold(acting, textOf(options, 'id'))
      out.write('保全已核可。\nhold approved\n')
      return 0
    case 'ask-end':
      store.acts.askEndHold(acting, textOf(options, 'id'), textOf(options, 'reason'))
      out.write('已提出解除；請另一人於五分鐘內：\nend asked for; within five minutes another person:\n  custos archive hold end --id ID --by NAME\n')
      return 0
    case 'end':
      store.acts.endHold(acting, textOf(options, 'id'))
      out.write('保全已解除；期滿者由系統銷毀。\nhold ended; what is over its year goes by itself\n')
      return 0
  }
}

const lineOf = (item: ArchiveItem, hold: ItemHold): string =>
  `${hold.holdId}  ${item.itemNo}  至 until ${lastDayBefore(hold.until).toString()}  ${hold.endedAt !== null ? `已解除 ended (${hold.endReason ?? ''})` : hold.approvedBy === null ? '待核可 not approved yet' : '已核可 approved'}\n    依據 authority: ${hold.authority}；${hold.placedBy}\n`

function itemOption(store: Archive, text: string): ItemNo {
  const found = isItemNo(text) ? store.get(text) : null
  if (found === null) throw new FatalError('CUSTOS_ARCHIVE_ITEM', `沒有這個存檔編號 / no such item number: ${text.slice(0, 40)}`, { remedy: 'custos archive list' })
  return found.itemNo
}

function dayOption(text: string): Temporal.PlainDate {
  try { return Temporal.PlainDate.from(text, { overflow: 'reject' }) } catch {
    throw new ArchiveRefusedError(`--until「${text.slice(0, 40)}」不是日期，請寫如 2027-12-31。`, `--until ${JSON.stringify(text.slice(0, 40))} is no day; write it as 2027-12-31`)
  }
}

function textOf(options: Options, key: string): string {
  const value = options[key]
  if (typeof value !== 'string') throw new ArchiveRefusedError(`缺少 --${key}。`, `--${key} is missing`)
  return value
}
