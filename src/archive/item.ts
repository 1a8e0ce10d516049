import type { Branded, CameraId, CameraUuid, EpochMs, TimeStamp } from '../domain/index.ts'

/** 存檔編號, `A115-0001`: year of 民國 and running number; never given twice. Names the folder of the item too. */
export type ItemNo = Branded<string, 'ItemNo'>
const ITEM_NO = /^A([1-9]\d{2})-(\d{4,6})$/
export const isItemNo = (text: string): text is ItemNo => ITEM_NO.test(text)
export function itemNoOf(year: number, serial: number): ItemNo {
  const text = `A${year}-${String(serial).padStart(4, '0')}`
  if (!isItemNo(text)) throw new RangeError(`not an item number: ${text}`)
  return text
}
export function partsOf(itemNo: ItemNo): { readonly year: number, readonly serial: number } {
  const [, year, serial] = ITEM_NO.exec(itemNo) ?? []
  return { year: Number(year), serial: Number(serial) }
}

/** `copy-master`: the sealed one of the two sets of a copy (E17). `preserved`: kept for a party who asked that it be (R33). `decided`: by the office's own decision (R21). */
export type ItemKind = 'copy-master' | 'preserved' | 'decided'
export const ITEM_KINDS: Readonly<Record<ItemKind, { readonly zh: string, readonly en: string }>> = {
  'copy-master': { zh: '複製存檔（母片）', en: 'master of a copy' }, 'preserved': { zh: '准予保存', en: 'preserved on request' }, 'decided': { zh: '複製存檔（本所決定）', en: 'kept by own decision' },
}

/** Half-open. The name is the camera's at that time. */
export interface ArchivedRange { readonly cameraUuid: CameraUuid, readonly cameraId: CameraId, readonly cameraName: string, readonly from: EpochMs, readonly to: EpochMs }

/** What R21 asks to be written down, by who makes the copy. `footageSha256` is what the destruction record will name (R24): 64 hex digits. */
export interface ArchiveFacts {
  readonly application: string
  readonly kind: ItemKind
  readonly reason: string
  readonly requester: string
  readonly approver: string
  readonly ranges: readonly ArchivedRange[]
  readonly footageSha256: string
}

/** Legal hold on an archived item (R23): in force from the moment it is placed to the end of its last day, or until two people end it. */
export interface ItemHold {
  readonly holdId: string
  readonly authority: string
  readonly placedBy: string
  readonly placedAt: EpochMs
  /** First instant at which it no longer holds: 00:00 after its last day. */
  readonly until: EpochMs
  /** Null while no approver has looked at it; it holds all the same. */
  readonly approvedBy: string | null
  readonly approvedAt: EpochMs | null
  readonly endedAt: EpochMs | null
  readonly endedBy: string | null
  readonly endReason: string | null
}

export const ITEM_STATES: Readonly<Record<ArchiveItem['state'], { readonly zh: string, readonly en: string }>> = {
  kept: { zh: '保存中', en: 'kept' }, destroying: { zh: '銷毀中', en: 'being destroyed' }, destroyed: { zh: '已銷毀', en: 'destroyed' },
}

export interface Filed { readonly fileNo: string, readonly by: string, readonly at: EpochMs }

export type CountsFrom = 'copied' | 'recorded'

export interface ArchiveItem extends ArchiveFacts {
  readonly itemNo: ItemNo
  /** Of the folder's bytes as they were put in: container of names, sizes and contents. 64 hex digits. */
  readonly payloadSha256: string
  /** On disk, encrypted. */
  readonly bytes: number
  /** By trusted time; while that was in doubt, the later of the two clocks. */
  readonly madeAt: EpochMs
  readonly countsFrom: CountsFrom
  /** 00:00 after the last day [G3]. */
  readonly expiresAt: EpochMs
  /** How it was computed, in words. */
  readonly expiryText: string
  /** It was put in while the clocks disagreed, and is not dated yet: trusted time of then. */
  readonly stamp: TimeStamp | null
  /** By so much it was made later than `madeAt`, as was known later; it expires later by as much. */
  readonly laterMs: number
  /** Names the key in the key file; not the key. */
  readonly keyId: string
  readonly state: 'kept' | 'destroying' | 'destroyed'
  /** 已歸檔 (R63). */
  readonly filed: Filed | null
  readonly holds: readonly ItemHold[]
  readonly verifiedAt: EpochMs
  /** Its files or its key were found gone or changed. */
  readonly lost: { readonly since: EpochMs, readonly what: string } | null
}

/** 銷毀紀錄 (R24): no picture, and nobody's face. */
export interface DestructionRecord {
  readonly itemNo: ItemNo
  readonly application: string
  readonly kind: ItemKind
  readonly ranges: readonly ArchivedRange[]
  readonly bytes: number
  readonly footageSha256: string
  readonly payloadSha256: string
  readonly copiedAt: EpochMs
  readonly expiresAt: EpochMs
  readonly expiryText: string
  readonly destroyedAt: EpochMs
  readonly method: string
  readonly keyId: string
  readonly executor: string
  /** Outcome of the look whether key and payload are gone. */
  readonly readBack: string
  /** Other places that hold the key, as far as known, with the day they let go of it. */
  readonly otherKeyCopies: string
  /** SHA-256 of the record's canonical text; audit entry `auditSeq` has it too. */
  readonly sha256: string
  readonly auditSeq: number
  readonly signatures: readonly DestructionSignature[]
}
export type DestructionBox = 'custodian' | 'head'
export interface DestructionSignature { readonly box: DestructionBox, readonly account: string, readonly name: string, readonly role: string, readonly at: EpochMs, readonly sha256: string }
