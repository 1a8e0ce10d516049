import type { EpochMs } from '../../domain/index.ts'
import type { GrantEnd } from '../../requests/index.ts'

export const COPY_STATES = ['queued', 'reading', 'packing', 'ready', 'releasing', 'released', 'kept', 'failed', 'cancelled'] as const
export type CopyState = (typeof COPY_STATES)[number]
export const STATE_NAMES: Readonly<Record<CopyState, { readonly zh: string, readonly en: string }>> = {
  queued: { zh: '等候中', en: 'waiting' }, reading: { zh: '讀取影像', en: 'reading footage' }, packing: { zh: '讀回驗證', en: 'reading back' }, ready: { zh: '待見證交付', en: 'ready for its witness' },
  releasing: { zh: '封存及交付中', en: 'being sealed and handed over' }, released: { zh: '已交付', en: 'released' }, kept: { zh: '已存檔', en: 'kept in the archive' }, failed: { zh: '失敗', en: 'failed' }, cancelled: { zh: '已取消', en: 'cancelled' },
}

/** Where the package goes: it stays here to be fetched, into a folder, as a ZIP into a folder, or onto a mounted medium. */
export type CopyTarget = { readonly kind: 'here' } | { readonly kind: 'folder' | 'zip' | 'medium', readonly path: string }
export type CopyIntent = 'release' | 'preserve' | 'decision'

/** Why a released package stays here no longer. */
export type RemovalReason = GrantEnd | 'kept-longest'
export const REMOVAL_TEXTS: Readonly<Record<RemovalReason, { readonly zh: string, readonly en: string }>> = {
  'expired': { zh: '核准已逾期', en: 'its grant ran out' }, 'revoked': { zh: '核准已撤銷', en: 'its grant was revoked' }, 'closed': { zh: '已結案', en: 'its case was closed' }, 'withdrawn': { zh: '申請已撤回', en: 'its application was withdrawn' },
  'kept-longest': { zh: '交付後已逾三十日', en: 'thirty days had passed since its release' },
}

export interface CopyJob {
  readonly copyId: string
  readonly packageId: string
  readonly application: string
  readonly count: number
  readonly intent: CopyIntent
  readonly target: CopyTarget
  readonly reason: string
  readonly asked: { readonly person: string, readonly name: string, readonly role: string, readonly at: EpochMs, readonly seq: number }
  readonly state: CopyState
  readonly doneBytes: number
  readonly totalBytes: number | null
  readonly error: { readonly code: string, readonly text: string } | null
  readonly witness: { readonly person: string, readonly name: string, readonly role: string } | null
  readonly handedTo: string | null
  readonly manifestSha256: string | null
  readonly archiveItem: string | null
  readonly endedAt: EpochMs | null
  readonly isPublished: boolean
  /** When and why a released package that stayed here was removed; null while it is here, and for any other. */
  readonly removed: { readonly at: EpochMs, readonly why: RemovalReason } | null
}
