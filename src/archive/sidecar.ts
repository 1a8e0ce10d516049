import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { canonicalJson } from '../audit/index.ts'
import type { AuditValue, EpochMs } from '../domain/index.ts'
import { isItemNo, type ArchiveItem, type Filed, type ItemHold, type ItemNo } from './item.ts'
import { subKey } from './payload.ts'

/** Beside each payload: all that a pin needs to outlive the catalogue. Names of persons stand in it only sealed; a MAC under the item's own key proves the rest. */
export const SIDECAR_FILE = 'sidecar.json'
export const SIDECAR_MOST_BYTES = 1 << 20
const FORMAT = 'custos-archive-item/1'
/** What sidecars of before do not tell. */
const UNDOUBTED: Pick<SidecarItem, 'stamp' | 'laterMs'> = { stamp: null, laterMs: 0 }
const NONCE_BYTES = 12, TAG_BYTES = 16

/** What a sidecar tells: the item as it stood at `revision`. */
export interface SidecarItem extends Omit<ArchiveItem, 'state' | 'verifiedAt' | 'lost'> { readonly revision: number, readonly recordedTo: EpochMs }
interface Words { readonly reason: string, readonly requester: string, readonly approver: string, readonly filed: Filed | null, readonly holds: readonly ItemHold[] }

export type SidecarReading =
  | { readonly kind: 'whole', readonly item: SidecarItem }
  /** No key to prove it with: what it says is only worth a look. */
  | { readonly kind: 'unproved', readonly itemNo: ItemNo, readonly expiresAt: number | null }
  | { readonly kind: 'bad', readonly why: string }

const macOf = (itemKey: Buffer, text: string): Buffer => createHmac('sha256', subKey(itemKey, 'sidecar')).update(text).digest()

export function sidecarBytes(item: SidecarItem, itemKey: Buffer): Buffer {
  const { reason, requester, approver, filed, holds, ...open } = item
  const words: Words = { reason, requester, approver, filed, holds }
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', subKey(itemKey, 'words'), nonce).setAAD(Buffer.from(`${item.itemNo}/${item.revision}`))
  const sealed = Buffer.concat([nonce, cipher.update(JSON.stringify(words), 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64')
  const body = {
    format: FORMAT, ...open, ranges: open.ranges.map(range => ({ ...range })), stamp: open.stamp === null ? null : { ...open.stamp },
    isFiled: filed !== null, holdsUntil: holds.filter(hold => hold.endedAt === null).map(hold => hold.until), sealed,
  } satisfies Record<string, AuditValue>
  return Buffer.from(`${canonicalJson({ ...body, mac: macOf(itemKey, canonicalJson(body)).toString('hex') })}\n`)
}

export function readSidecar(bytes: Buffer, itemNo: ItemNo, itemKey: Buffer | null): SidecarReading {
  try {
    const { mac, ...body } = JSON.parse(bytes.toString('utf8')) as Record<string, AuditValue>
    if (body['format'] !== FORMAT || typeof mac !== 'string' || typeof body['itemNo'] !== 'string' || !isItemNo(body['itemNo'])) return { kind: 'bad', why: 'it is no sidecar' }
    if (body['itemNo'] !== itemNo) return { kind: 'bad', why: `it is that of ${body['itemNo']}` }
    if (itemKey === null) return { kind: 'unproved', itemNo, expiresAt: typeof body['expiresAt'] === 'number' ? body['expiresAt'] : null }
    const told = Buffer.from(mac, 'hex'), due = macOf(itemKey, canonicalJson(body))
    if (told.length !== due.length || !timingSafeEqual(told, due)) return { kind: 'bad', why: 'it was changed' }
    const { format: _format, isFiled: _isFiled, holdsUntil: _holdsUntil, sealed, ...open } = body // proved above: it is what sidecarBytes wrote
    const raw = Buffer.from(String(sealed), 'base64')
    const decipher = createDecipheriv('aes-256-gcm', subKey(itemKey, 'words'), raw.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
      .setAAD(Buffer.from(`${itemNo}/${String(open['revision'])}`)).setAuthTag(raw.subarray(-TAG_BYTES))
    const words = JSON.parse(Buffer.concat([decipher.update(raw.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]).toString('utf8')) as Words
    return { kind: 'whole', item: { ...UNDOUBTED, ...open, ...words } as unknown as SidecarItem }
  } catch { return { kind: 'bad', why: 'it cannot be read' } } // whatever is wrong with it, it proves nothing
}
