import Type from 'typebox'
import { ArchiveUnavailableError, destroysAt, expiryOf, ITEM_KINDS, ITEM_STATES, lastDayBefore, type Archive, type ArchiveItem, type ItemKind, type ItemNo } from '../../archive/index.ts'
import { entryTable } from '../../audit/index.ts'
import type { EpochMs } from '../../domain/index.ts'
import { startOfOfficeDay } from '../../rules/index.ts'
import { notHere } from '../errors.ts'
import type { ConsoleParts } from '../parts.ts'
import { realDay } from '../real-day.ts'
import { route, type Route } from '../route.ts'
import { CameraRef, closed, Count, Instant, Limit, LocalDay, oneOf, orNull, Sha256, text } from '../schemas/common.ts'
import { named } from '../schemas/names.ts'

/** Whose work it is, and the auditor. */
export const ARCHIVE_READERS = ['place-hold', 'sign-destruction', 'mark-filed', 'read-audit'] as const
export const ItemRef = Type.Unsafe<ItemNo>(Type.String({ pattern: '^A[1-9][0-9]{2}-[0-9]{4,6}$', description: '存檔編號，如 A115-0001' }))
export const KindSchema = oneOf(Object.keys(ITEM_KINDS) as ItemKind[])
export const RangesSchema = Type.Array(closed({ cameraUuid: CameraRef, cameraId: Type.String(), cameraName: Type.String(), from: Instant, to: Instant }))
const Text = Type.String(), HoldRef = Type.String({ pattern: '^[0-9a-f]{32}$' })
const STATES = Object.keys(ITEM_STATES) as ArchiveItem['state'][]
const LineFields = {
  itemNo: ItemRef, application: Text, kind: KindSchema, state: oneOf(STATES), bytes: Count, madeAt: Instant, expiresAt: Instant, isHeld: Type.Boolean(), isFiled: Type.Boolean(), isLost: Type.Boolean(),
  destroysAt: Type.Unsafe<EpochMs | null>(Type.Union([Instant, Type.Null()], { description: 'when it goes by itself as things stand; null while it is filed, or gone' })),
}
const LineSchema = named('ArchiveLine', closed(LineFields))
const HoldSchema = named('ArchiveHold', closed({
  holdId: HoldRef, authority: Text, placedBy: Text, placedAt: Instant, until: Instant, approvedBy: orNull(Text), approvedAt: orNull(Instant), endedAt: orNull(Instant), endedBy: orNull(Text), endReason: orNull(Text),
}))
const ItemSchema = named('ArchiveItem', closed({
  ...LineFields, reason: Text, requester: Text, approver: Text, ranges: RangesSchema, footageSha256: Sha256, payloadSha256: Sha256, countsFrom: oneOf(['copied', 'recorded']), expiryText: Text, keyId: Text, filed: orNull(closed({ fileNo: Text, by: Text, at: Instant })),
  holds: Type.Array(HoldSchema), verifiedAt: Instant, lost: orNull(closed({ since: Instant, what: Text })),
  notices: Type.Array(closed({ at: Instant, days: Count }), { description: 'given before its end (R23)' }), reads: Type.Array(closed({ at: Instant, by: Text })), endAsks: Type.Array(closed({ at: Instant, by: Text, hold: HoldRef, reason: Text }), { description: 'who asked that a hold ends; another person ends it within five minutes' }),
}))
const Mark = closed({ itemNo: ItemRef, since: Instant })
const VolumeSchema = named('ArchiveVolume', closed({
  state: Type.String({ description: '`ok`, or why it cannot be used' }), items: Count, bytes: Count, quotaBytes: Count, freeBytes: orNull(Count), isFull: Type.Boolean(), fullInDays: orNull(Count), next: Type.Array(closed({ itemNo: ItemRef, destroysAt: Instant })), expiring: closed({ count: Count, soonestAt: orNull(Instant) }),
  overdue: Count, unsigned: closed({ count: Count, since: orNull(Instant) }), holdsToApprove: closed({ count: Count, since: orNull(Instant) }), lost: Type.Array(Mark), strays: Count,
}))
const ByItem = closed({ item: ItemRef }), ByHold = closed({ hold: HoldRef })
const USUAL_LINES = 50
/** Of one case; a case has a few hundred. */
const MOST_ENTRIES = 20_000
const Words = (maxLength: number) => Type.String({ minLength: 1, maxLength, pattern: '\\S' })

export const archiveRoutes: readonly Route[] = [
  route({ method: 'GET', url: '/api/archive/volume', who: ['read-health'], isBackground: true, summary: { zh: '存檔區容量、預估與待辦', en: 'how full the archive is and will be, and what waits; does not count as use' }, answer: VolumeSchema, handler: ({ parts }) => archiveOf(parts).view() }),
  route({
    method: 'GET', url: '/api/archive/items', who: ARCHIVE_READERS, summary: { zh: '存檔清冊', en: 'archived copies, newest first; destroyed ones too' },
    query: closed({ state: Type.Optional(oneOf(STATES)), application: Type.Optional(text(60)), expiringWithinDays: Type.Optional(Type.Integer({ minimum: 0, maximum: 4000 })), after: Type.Optional(ItemRef), limit: Limit }), answer: closed({ items: Type.Array(LineSchema), next: orNull(ItemRef) }),
    handler({ parts, query: { state, application, expiringWithinDays, after, limit = USUAL_LINES } }) {
      const archive = archiveOf(parts), all = (application === undefined ? archive.list() : archive.ofApplication(application)).toReversed(), now = parts.wallNow()
      const found = all.slice(all.findIndex(item => item.itemNo === after) + 1).map(lineOf).filter(line => (state === undefined || line.state === state) && (expiringWithinDays === undefined || endsWithin(line.destroysAt, expiringWithinDays, now)))
      return { items: found.slice(0, limit), next: found.length > limit ? found[limit - 1]?.itemNo ?? null : null }
    },
  }),
  route({
    method: 'GET', url: '/api/archive/items/:item', who: ARCHIVE_READERS, summary: { zh: '一筆存檔：期限、通知、保全、讀取', en: 'one item with its dates, notices, holds, and who read it' }, params: ByItem, answer: ItemSchema,
    handler: ({ parts, params }) => { const item = itemOf(parts, params.item); return { ...item, ...lineOf(item), ...pastOf(parts, item) } },
  }),
  route({
    method: 'POST', url: '/api/archive/items/:item/holds', who: ['place-hold'], guard: true, summary: { zh: '存檔保全（依公文，即時生效）', en: 'hold an item on a written basis; in force at once, and another person approves it' }, params: ByItem,
    body: closed({ authority: Words(90), document: Type.String({ minLength: 1, maxLength: 90, pattern: '\\S', description: '公文文號' }), lastDay: LocalDay }), status: 201, answer: HoldSchema,
    handler({ parts, acting, params, body: { authority, document, lastDay } }) {
      const { itemNo } = itemOf(parts, params.item)
      return archiveOf(parts).acts.placeHold(acting(), itemNo, { authority: `${authority.trim()}　${document.trim()}`, lastDay: realDay(lastDay, 'lastDay') })
    },
  }),
  route({ method: 'POST', url: '/api/archive/holds/:hold/approve', who: ['end-hold'], guard: true, summary: { zh: '核可存檔保全', en: 'approve a hold, another person than who placed it' }, params: ByHold, answer: null, handler: ({ parts, acting, params }) => { archiveOf(parts).acts.approveHold(acting(), params.hold) } }),
  route({ method: 'POST', url: '/api/archive/holds/:hold/ask-end', who: ['place-hold'], guard: true, summary: { zh: '提出提前解除存檔保全', en: 'ask that a hold ends early, the first of two' }, params: ByHold, body: closed({ reason: text(400) }), answer: null, handler: ({ parts, acting, params, body }) => { archiveOf(parts).acts.askEndHold(acting(), params.hold, body.reason) } }),
  route({ method: 'POST', url: '/api/archive/holds/:hold/end', who: ['end-hold'], guard: true, summary: { zh: '解除存檔保全（五分鐘內，另一人）', en: 'end a hold within five minutes of who asked, as another person' }, params: ByHold, answer: null, handler: ({ parts, acting, params }) => { archiveOf(parts).acts.endHold(acting(), params.hold) } }),
  route({
    method: 'POST', url: '/api/archive/items/:item/filed', who: ['mark-filed'], guard: true, summary: { zh: '標示已歸檔', en: 'mark an item as an attachment of a filed document: it stays until it is unmarked (R63)' }, params: ByItem, body: closed({ fileNo: text(200) }), answer: null,
    handler: ({ parts, acting, params, body }) => { archiveOf(parts).acts.markFiled(acting(), itemOf(parts, params.item).itemNo, body.fileNo) },
  }),
  route({
    method: 'POST', url: '/api/archive/items/:item/unfiled', who: ['mark-filed'], guard: true, summary: { zh: '取消已歸檔標示', en: 'take that mark away' }, params: ByItem, body: closed({ reason: text(400) }), answer: null,
    handler: ({ parts, acting, params, body }) => { archiveOf(parts).acts.unmarkFiled(acting(), itemOf(parts, params.item).itemNo, body.reason) },
  }),
]

/** Throws ArchiveUnavailableError. */
export function archiveOf({ archive }: Pick<ConsoleParts, 'archive'>): Archive {
  if (archive === null) throw new ArchiveUnavailableError('none', 'none is configured, or it could not be opened')
  return archive
}
function itemOf(parts: ConsoleParts, itemNo: ItemNo): ArchiveItem {
  const item = archiveOf(parts).get(itemNo)
  if (item === null) throw notHere()
  return item
}

function lineOf(item: ArchiveItem) {
  const { itemNo, application, kind, state, bytes, madeAt, filed, holds, lost, ranges } = item
  const recordedTo = Math.max(...ranges.map(({ to }) => to)) as EpochMs
  return {
    itemNo, application, kind, state, bytes, madeAt, expiresAt: expiryOf(item), isHeld: holds.some(hold => hold.endedAt === null), isFiled: filed !== null, isLost: lost !== null,
    destroysAt: state === 'destroyed' ? null : destroysAt({ ...item, recordedTo, filed: filed !== null, sidecarExpiresAt: null }),
  }
}
/** In whole local days before its last one, as the notices count. */
const endsWithin = (endsAt: EpochMs | null, days: number, now: EpochMs): boolean => endsAt !== null && now >= startOfOfficeDay(lastDayBefore(endsAt).subtract({ days }))

/** What the audit log has of the item's own past. */
function pastOf({ db }: Pick<ConsoleParts, 'db'>, { itemNo, application }: ArchiveItem) {
  const entries = entryTable(db).ofApplication(application, MOST_ENTRIES).filter(entry => entry.object === itemNo && entry.result === 'done')
  const of = <Detail>(action: string) => entries.filter(entry => entry.action === action).map(({ at, actor, detail }) => ({ at, by: actor.name, ...JSON.parse(detail) as Detail }))
  return { notices: of<{ days: number }>('archive.notice'), reads: of<object>('archive.read'), endAsks: of<{ hold: string, reason: string }>('archive.hold-end-asked') }
}
