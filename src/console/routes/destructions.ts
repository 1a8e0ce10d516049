import Type from 'typebox'
import type { DestructionRecord, ItemNo } from '../../archive/index.ts'
import { notHere } from '../errors.ts'
import type { ConsoleParts } from '../parts.ts'
import { route, type Route } from '../route.ts'
import { closed, Count, Instant, Limit, oneOf, orNull, RowId, Sha256, text } from '../schemas/common.ts'
import { named } from '../schemas/names.ts'
import { ARCHIVE_READERS, archiveOf, ItemRef, KindSchema, RangesSchema } from './archive.ts'

const Text = Type.String()
const RecordSchema = named('DestructionRecord', closed({
  itemNo: ItemRef, application: Text, kind: KindSchema, ranges: RangesSchema, bytes: Count, footageSha256: Sha256, payloadSha256: Sha256, copiedAt: Instant, expiresAt: Instant, expiryText: Text, destroyedAt: Instant, method: Text, keyId: Text, executor: Text, readBack: Text, otherKeyCopies: Text, sha256: Sha256, auditSeq: RowId,
  signatures: Type.Array(closed({ box: oneOf(['custodian', 'head']), account: Text, name: Text, role: Text, at: Instant, sha256: Sha256 })),
}))
const ByItem = closed({ item: ItemRef })
const USUAL_RECORDS = 50

export const destructionRoutes: readonly Route[] = [
  route({
    method: 'GET', url: '/api/destructions', who: ARCHIVE_READERS, summary: { zh: '銷毀紀錄', en: 'destruction records, newest first (R24)' }, query: closed({ application: Type.Optional(text(60)), isUnsigned: Type.Optional(Type.Boolean()), after: Type.Optional(ItemRef), limit: Limit }),
    answer: closed({ records: Type.Array(RecordSchema), next: orNull(ItemRef) }),
    handler({ parts, query: { application, isUnsigned, after, limit = USUAL_RECORDS } }) {
      const all = archiveOf(parts).destructions().toReversed()
      const found = all.slice(all.findIndex(record => record.itemNo === after) + 1).filter(record => (application === undefined || record.application === application) && (isUnsigned === undefined || isUnsigned !== isSigned(record)))
      return { records: found.slice(0, limit), next: found.length > limit ? found[limit - 1]?.itemNo ?? null : null }
    },
  }),
  route({ method: 'GET', url: '/api/destructions/:item', who: ARCHIVE_READERS, summary: { zh: '一筆銷毀紀錄', en: 'one destruction record' }, params: ByItem, answer: RecordSchema, handler: ({ parts, params }) => destructionOf(parts, params.item) }),
  route({
    method: 'POST', url: '/api/destructions/:item/sign', who: ['sign-destruction'], guard: true, summary: { zh: '銷毀紀錄簽章：管理人員，再由主管', en: 'sign a destruction record: the custodian, then another person as approver' }, params: ByItem, answer: RecordSchema,
    handler: ({ parts, acting, params }) => archiveOf(parts).acts.sign(acting(), destructionOf(parts, params.item).itemNo),
  }),
]

/** Throws ConsoleRefusal. */
export function destructionOf(parts: Pick<ConsoleParts, 'archive'>, itemNo: ItemNo): DestructionRecord {
  const record = archiveOf(parts).destruction(itemNo)
  if (record === null) throw notHere()
  return record
}
const isSigned = ({ signatures }: DestructionRecord): boolean => signatures.some(({ box }) => box === 'head')
