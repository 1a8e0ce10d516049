import Type from 'typebox'
import { USE_KINDS } from '../../book/index.ts'
import { badRequest, notHere } from '../errors.ts'
import { route, type Route } from '../route.ts'
import { CameraRef, closed, Count, Instant, Limit, Month, oneOf, orNull, RowId, Sha256, text } from '../schemas/common.ts'
import { named } from '../schemas/names.ts'

export const BOOK_READERS = ['sign-book', 'correct-book', 'read-audit'] as const
const Uses = closed({ accompanied: Type.Boolean(), copied: Type.Boolean(), forInquiry: Type.Boolean(), other: orNull(text(2000)) })
const Person = closed({ name: text(400), part: oneOf(['applicant', 'agent', 'receiver', 'present']) })
const WordingFields = { applicant: text(400), unit: text(400), matter: text(2000), basis: text(2000), uses: Uses, persons: Type.Array(Person, { maxItems: 200 }) }
const Text = Type.String()
const LineSchema = named('BookLine', closed({
  ...WordingFields, line: RowId, usedAt: Instant, enteredAt: Instant, act: oneOf(['view', 'copy']), useSeq: RowId, object: Text, account: Text, application: Text, ranges: Type.Array(closed({ camera: CameraRef, cameraName: Text, from: Instant, to: Instant })), corrects: orNull(RowId), reason: orNull(Text),
  correctedBy: orNull(Text), sha256: Sha256, auditSeq: RowId,
}))
const PrintedSchema = named('PrintedLine', closed({ line: LineSchema, struckBy: orNull(RowId), signatures: Type.Array(closed({ box: oneOf(['custodian', 'head']), name: Text, role: Text, atMs: Instant, sha256: Sha256, auditSeq: RowId })) }))
const Lines = closed({ lines: Type.Array(PrintedSchema) })
const ByLine = closed({ line: RowId })
const PackSchema = named('ReviewPack', closed({ packId: RowId, month: Month, content: Type.Object({}, { additionalProperties: true, description: 'as it was hashed' }), sha256: Sha256, madeAtMs: Instant, signedBy: orNull(Text), signedAtMs: orNull(Instant), remark: orNull(Text) }))

export const bookRoutes: readonly Route[] = [
  route({
    method: 'GET', url: '/api/book/lines', who: BOOK_READERS, summary: { zh: '查詢紀錄簿', en: 'search the log book; newest use first' },
    query: closed({ fromAt: Type.Optional(Instant), toAt: Type.Optional(Instant), who: Type.Optional(text(200)), matter: Type.Optional(text(200)), application: Type.Optional(text(60)), use: Type.Optional(oneOf(USE_KINDS)), isUnsigned: Type.Optional(Type.Boolean()), after: Type.Optional(Type.String({ pattern: '^-?[0-9]{1,15}_[0-9]{1,15}$', description: 'the `next` of the page before' })), limit: Limit }),
    answer: closed({ lines: Type.Array(PrintedSchema), next: orNull(Text) }),
    handler({ parts, query: { after, ...search } }) {
      const [usedAt, line] = (after ?? '').split('_').map(Number)
      const found = parts.book.log.search({ ...search, ...(usedAt === undefined || line === undefined ? {} : { after: { usedAt, line } }) })
      return { lines: found.lines, next: found.next === null ? null : `${found.next.usedAt}_${found.next.line}` }
    },
  }),
  route({ method: 'GET', url: '/api/book/lines/:line', who: BOOK_READERS, summary: { zh: '紀錄簿一行', en: 'one line' }, params: ByLine, answer: PrintedSchema, handler({ parts, params }) { const line = parts.book.log.get(params.line); if (line === null) throw notHere(); return line } }),
  route({ method: 'POST', url: '/api/book/lines/:line/sign', who: ['sign-book'], summary: { zh: '紀錄簿簽章', en: 'sign one box of a line' }, params: ByLine, body: closed({ box: oneOf(['custodian', 'head']) }), answer: null, handler: ({ parts, acting, params, body }) => { parts.book.log.sign(params.line, body.box, acting()) } }),
  route({
    method: 'POST', url: '/api/book/lines/:line/correct', who: ['correct-book'], summary: { zh: '以新行更正', en: 'put a line right by a new one' }, params: ByLine, body: closed({ ...WordingFields, reason: text(2000) }), status: 201, answer: closed({ line: RowId }),
    handler: ({ parts, acting, params, body: { reason, ...said } }) => ({ line: parts.book.log.correct(params.line, said, reason, acting()) }),
  }),
  route({ method: 'GET', url: '/api/book/pages/:page', who: BOOK_READERS, summary: { zh: '紀錄簿一頁', en: 'a page of fourteen lines, with its hash' }, params: closed({ page: Type.Integer({ minimum: 1, maximum: 1e9 }) }), answer: closed({ number: RowId, pages: Count, lines: Type.Array(PrintedSchema), sha256: Sha256, isFull: Type.Boolean() }), handler: ({ parts, params }) => ({ ...parts.book.log.page(params.page), pages: parts.book.log.pages() }) }),
  route({
    method: 'GET', url: '/api/book/state', who: BOOK_READERS, summary: { zh: '待簽行數、勾稽結果、待覆核月份', en: 'lines that wait, the last reconciliation, months without a signed review' },
    answer: closed({
      waiting: orNull(closed({ count: Count, oldestLine: RowId, oldestUsedAtMs: Instant, oldestAgeMs: Type.Number() })), packsDue: Type.Array(Month),
      reconciled: orNull(closed({ atMs: Instant, orphanCount: Count, byKind: Type.Record(Text, Count), orphans: Type.Array(closed({ kind: Text, subject: Text, application: orNull(Text) })) })),
    }), handler: ({ parts }) => parts.book.view(),
  }),
  route({
    method: 'GET', url: '/api/disclosures', who: [...BOOK_READERS, 'receive-application'], summary: { zh: '提供情形：依姓名，或依鏡頭與時段', en: 'who saw or received what: by name, or by camera and time (R57)' },
    query: closed({ name: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })), camera: Type.Optional(CameraRef), from: Type.Optional(Instant), to: Type.Optional(Instant), before: Type.Optional(RowId), limit: Limit }), answer: Lines,
    handler({ parts, query: { name, camera, from, to, ...page } }) {
      if (name !== undefined && camera === undefined) return { lines: parts.book.log.disclosuresTo(name, page) }
      if (name === undefined && camera !== undefined && from !== undefined && to !== undefined && from < to) return { lines: parts.book.log.disclosuresOf(camera, { startAt: from, endAt: to }, page) }
      throw badRequest('請給姓名，或給鏡頭與先後兩個時間。', 'give a name, or a camera with two times in order')
    },
  }),
  route({ method: 'GET', url: '/api/reviews', who: ['sign-book', 'read-audit'], summary: { zh: '每月覆核', en: 'packs of a month, newest first' }, query: closed({ month: Month }), answer: closed({ packs: Type.Array(PackSchema) }), handler: ({ parts, query }) => ({ packs: parts.book.reviews.of(query.month) }) }),
  route({ method: 'POST', url: '/api/reviews/:pack/sign', who: ['sign-review-pack'], summary: { zh: '每月覆核簽章', en: 'sign a pack' }, params: closed({ pack: RowId }), body: closed({ remark: text(2000) }), answer: null, handler: ({ parts, acting, params, body }) => { parts.book.reviews.sign(params.pack, body.remark, acting()) } }),
]
