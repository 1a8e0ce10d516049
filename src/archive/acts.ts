import { randomBytes } from 'node:crypto'
import { actorOf, isApprover, personKey, type Acting } from '../access/index.ts'
import { isoOf, type EpochMs } from '../domain/index.ts'
import { startOfOfficeDay } from '../rules/index.ts'
import { note, perform, plain, required, toldNow, type ArchiveCore } from './core.ts'
import { ArchiveItemError, ArchiveRefusedError } from './errors.ts'
import type { DestructionBox, DestructionRecord, ItemHold, ItemNo } from './item.ts'
import { lastDayBefore } from './pin.ts'
import { itemNo as itemNoOf, type StoredItem } from './tables/items.ts'
import type { KeyBackup } from './tables/key-backups.ts'
import type { StoredHold } from './tables/holds.ts'

/** P4: two people end a hold within this much of each other, by steady time. */
export const PAIR_WITHIN_MS = 5 * 60_000
const HOLD_MOST_YEARS = 10
const PLACE = { zh: '備份處所', en: 'the place' }, AUTHORITY = { zh: '保全依據', en: 'the authority' }, REASON = { zh: '原因', en: 'the reason' }, FILE_NO = { zh: '歸檔文號', en: 'the number of the filed document' }

/** Acts of people on what is archived. None of them removes anything: each only keeps longer, or lets the guard decide again. */
export class ItemActs {
  readonly #core: ArchiveCore
  constructor(core: ArchiveCore) { this.#core = core }

  /** In force on return, before anybody approved it: protection does not wait. Throws ArchiveRefusedError, RightMissingError. */
  placeHold(acting: Acting, itemNo: ItemNo, ask: { readonly authority: string, readonly lastDay: Temporal.PlainDate }): ItemHold {
    const item = required(this.#core, itemNo)
    return perform(this.#core, acting, 'place-hold', { action: 'archive.hold-placed', object: itemNo, application: item.application }, write => {
      this.#requireKept(itemNo)
      const now = toldNow(this.#core), authority = plain(ask.authority, AUTHORITY), until = startOfOfficeDay(ask.lastDay.add({ days: 1 }))
      if (until <= now) throw new ArchiveRefusedError('保全迄日已過。', 'the last day of the hold is past')
      if (Temporal.PlainDate.compare(ask.lastDay, lastDayBefore(now).add({ years: HOLD_MOST_YEARS })) > 0) throw new ArchiveRefusedError(`保全迄日不得逾 ${HOLD_MOST_YEARS} 年，期滿前得再保全。`, `a hold ends within ${HOLD_MOST_YEARS} years; place another before it does`)
      const hold: ItemHold = { holdId: randomBytes(16).toString('hex'), authority, placedBy: actorOf(acting).name, placedAt: now, until, approvedBy: null, approvedAt: null, endedAt: null, endedBy: null, endReason: null }
      this.#core.items.holds.add(itemNo, hold, personKey(acting))
      this.#core.items.touch(itemNo)
      write({ hold: hold.holdId, authority, until: isoOf(until) })
      return hold
    })
  }

  /** Another place that still holds the key file, e.g. a backup of the machine, until it is overwritten: the destruction records until then name it (R24). */
  tellKeyBackup(acting: Acting, ask: { readonly place: string, readonly lastDay: Temporal.PlainDate }): KeyBackup {
    return perform(this.#core, acting, 'maintain', { action: 'archive.key-backup-told', object: null, application: null }, write => {
      const backup = { place: plain(ask.place, PLACE), until: startOfOfficeDay(ask.lastDay.add({ days: 1 })), toldBy: actorOf(acting).name, toldAt: toldNow(this.#core) }
      if (backup.until <= backup.toldAt) throw new ArchiveRefusedError('備份迄日已過。', 'the last day of the backup is past')
      this.#core.keyBackups.add(backup, write({ place: backup.place, until: isoOf(backup.until) }))
      return backup
    })
  }

  /** The approver that R23 asks for, another person than who placed it. */
  approveHold(acting: Acting, holdId: string): void {
    const hold = this.#hold(holdId)
    perform(this.#core, acting, 'end-hold', { action: 'archive.hold-approved', object: hold.itemNo, application: this.#applicationOf(hold) }, write => {
      if (this.#hold(holdId).placedKey === personKey(acting)) throw new ArchiveRefusedError('保全須由另一人核可。', 'another person than who placed a hold approves it')
      if (!this.#core.items.holds.approve(holdId, actorOf(acting).name, toldNow(this.#core))) throw new ArchiveRefusedError('這筆保全已核可或已結束。', 'the hold was approved before, or has ended')
      this.#core.items.touch(itemNoOf(hold.itemNo))
      write({ hold: holdId })
    })
  }

  /** The first of the two who end a hold before its day. */
  askEndHold(acting: Acting, holdId: string, reason: string): void {
    const hold = this.#hold(holdId)
    perform(this.#core, acting, 'place-hold', { action: 'archive.hold-end-asked', object: hold.itemNo, application: this.#applicationOf(hold) }, write => {
      const why = plain(reason, REASON)
      if (!this.#core.items.holds.ask(holdId, personKey(acting), actorOf(acting).name, this.#core.options.time.steadyNow(), why)) throw new ArchiveRefusedError('這筆保全已結束。', 'the hold has ended')
      write({ hold: holdId, reason: why })
    })
  }

  /** The second: an approver, another person, within five minutes. From then on the guard decides as if it had never been. */
  endHold(acting: Acting, holdId: string): void {
    const hold = this.#hold(holdId)
    perform(this.#core, acting, 'end-hold', { action: 'archive.hold-ended', object: hold.itemNo, application: this.#applicationOf(hold) }, write => {
      const { ask, endedAt } = this.#hold(holdId)
      if (endedAt !== null) throw new ArchiveRefusedError('這筆保全已結束。', 'the hold has ended')
      const sinceMs = this.#core.options.time.steadyNow() - (ask?.steadyMs ?? -Infinity)
      if (ask === null || sinceMs < 0 || sinceMs >= PAIR_WITHIN_MS) throw new ArchiveRefusedError('提前結束保全須由另一人先提出，並於五分鐘內核可。', 'another person has to ask for the end first, within the last five minutes')
      if (ask.key === personKey(acting)) throw new ArchiveRefusedError('提出與核可須為不同二人。', 'who asked may not be who ends it')
      this.#core.items.holds.end(holdId, toldNow(this.#core), `${ask.by}、${actorOf(acting).name}`, ask.reason)
      this.#core.items.touch(itemNoOf(hold.itemNo))
      write({ hold: holdId, askedBy: ask.by, reason: ask.reason })
    })
  }

  /** Ends what ran out, as an act on record. `now`: both clocks agree. */
  lapseHolds(item: StoredItem, now: EpochMs): void {
    for (const hold of item.holds.filter(each => each.endedAt === null && now >= each.until)) this.#core.options.audit.transaction(() => {
      if (!this.#core.items.holds.end(hold.holdId, now, 'custos', '保全期滿 (its last day is over)')) return
      this.#core.items.touch(item.itemNo)
      note(this.#core, { action: 'archive.hold-lapsed', object: item.itemNo, application: item.application }, { hold: hold.holdId, until: isoOf(hold.until) })
    })
  }

  /** 已歸檔 (R63): it stays until it is unmarked. */
  markFiled(acting: Acting, itemNo: ItemNo, fileNo: string): void {
    const item = required(this.#core, itemNo)
    perform(this.#core, acting, 'mark-filed', { action: 'archive.filed', object: itemNo, application: item.application }, write => {
      this.#requireKept(itemNo)
      const no = plain(fileNo, FILE_NO)
      if (required(this.#core, itemNo).filed !== null) throw new ArchiveRefusedError('這筆存檔已標示歸檔。', 'the item is marked as filed already')
      this.#core.items.setFiled(itemNo, { fileNo: no, by: actorOf(acting).name, at: toldNow(this.#core) })
      write({ fileNo: no })
    })
  }

  unmarkFiled(acting: Acting, itemNo: ItemNo, reason: string): void {
    const item = required(this.#core, itemNo)
    perform(this.#core, acting, 'mark-filed', { action: 'archive.unfiled', object: itemNo, application: item.application }, write => {
      const { filed } = required(this.#core, itemNo), why = plain(reason, REASON)
      if (filed === null) throw new ArchiveRefusedError('這筆存檔未標示歸檔。', 'the item is not marked as filed')
      this.#core.items.setFiled(itemNo, null)
      write({ fileNo: filed.fileNo, reason: why })
    })
  }

  /** 銷毀紀錄簽章 (R23): 管理人員 first, then another person as 主管, each for the record as it stands. */
  sign(acting: Acting, itemNo: ItemNo): DestructionRecord {
    return perform(this.#core, acting, 'sign-destruction', { action: 'archive.destruction-signed', object: itemNo, application: this.#core.items.get(itemNo)?.application ?? null }, write => {
      const record = this.#core.destructions.get(itemNo)
      if (record === null) throw new ArchiveItemError(itemNo, { zh: '沒有銷毀紀錄', en: 'has no destruction record' })
      if (acting.kind !== 'account') throw new ArchiveRefusedError('簽章須以本人帳號辦理。', 'signing needs an account of one\'s own')
      const box: DestructionBox = isApprover(acting.role) ? 'head' : 'custodian'
      const first = record.signatures.find(each => each.box === 'custodian')
      if (record.signatures.some(each => each.box === box)) throw new ArchiveRefusedError('這一欄已簽章。', 'that box is signed already')
      if (box === 'head' && first === undefined) throw new ArchiveRefusedError('請管理人員先簽章。', 'the custodian signs first')
      if (box === 'head' && first?.account === acting.accountId) throw new ArchiveRefusedError('兩欄須由不同二人簽章。', 'the two boxes are signed by two persons')
      const seq = write({ box, sha256: record.sha256 })
      this.#core.destructions.sign(itemNo, { box, account: acting.accountId, name: acting.displayName, role: acting.role, at: toldNow(this.#core), sha256: record.sha256 }, seq)
      return this.#core.destructions.get(itemNo) ?? record
    })
  }

  #hold(holdId: string): StoredHold {
    const hold = this.#core.items.holds.get(holdId)
    if (hold === null) throw new ArchiveRefusedError('沒有這筆保全。', 'there is no such hold')
    return hold
  }
  #applicationOf(hold: StoredHold): string | null { return this.#core.items.get(itemNoOf(hold.itemNo))?.application ?? null }
  #requireKept(itemNo: ItemNo): void {
    if (required(this.#core, itemNo).state !== 'kept') throw new ArchiveRefusedError('這筆存檔已期滿銷毀或銷毀中。', 'the item is over its time and destroyed, or about to be')
  }
}
