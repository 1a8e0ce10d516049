import type { EpochMs } from '../../domain/index.ts'

export const COPY_STATES = ['queued', 'reading', 'packing', 'ready', 'releasing', 'released', 'kept', 'failed', 'cancelled'] as const
export type CopyState = (typeof COPY_STATES)[number]
export const STATE_NAMES: Readonly<Record<CopyState, { readonly zh: string, readonly en: string }>> = {
  queued: { zh: '等候中', en: 'waiting' }, reading: { zh: '讀取影像', en: 'reading footage' }, packing: { zh: '讀回驗證', en: 'reading back' }, ready: { zh: '待見證交付', en: 'ready for its witness' },
  releasing: { zh: '封存及交付中', en: 'being sealed and handed over' }, released: { zh: '已交付', en: 'released' }, kept: { zh: '已存檔', en: 'kept in the archive' }, failed: { zh: '失敗', en: 'failed' }, cancelled: { zh: '已取消', en: 'cancelled' },
}

/** Where the package goes: it stays here to be fetched, into a folder, as a ZIP into a folder, or onto a mounted medium. */
export type CopyTarget = { readonly kind: 'here' } | { readonly kind: 'folder' | 'zip' | 'medium', readonly path: string }
export type CopyIntent = 'release' | 'preserve' | 'decision'

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
}
