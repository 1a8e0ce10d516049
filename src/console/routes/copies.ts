import Type from 'typebox'
import { CustosError, type AuditActor } from '../../domain/index.ts'
import { COPY_STATES, CopyRefusedError, REMOVAL_TEXTS, type CopyJob, type RemovalReason } from '../../export/index.ts'
import { notHere } from '../errors.ts'
import { copyDownload } from '../package-download.ts'
import type { ConsoleParts } from '../parts.ts'
import { route, type Route } from '../route.ts'
import { NumberSchema, ScopeSchema } from '../schemas/cases.ts'
import { closed, Count, Instant, Limit, oneOf, orNull, RowId, Sha256, text } from '../schemas/common.ts'
import { named } from '../schemas/names.ts'
import { known } from './applications.ts'

const READERS = ['make-granted-copy', 'witness-copy', 'read-audit'] as const
const CopyRef = Type.String({ pattern: '^[0-9a-f]{32}$' }), ByCopy = closed({ copy: CopyRef })
const Target = Type.Union([
  closed({ kind: Type.Literal('here') }), closed({ kind: oneOf(['folder', 'zip', 'medium']), path: Type.String({ minLength: 1, maxLength: 400, description: 'a folder of the recorder, from the root' }) }),
], { description: 'where it goes when it is released; `here` stays to be fetched from the recorder' })
const CopySchema = named('Copy', closed({
  copy: CopyRef, packageId: Type.String(), application: Type.String(), intent: oneOf(['release', 'preserve', 'decision']), target: oneOf(['here', 'folder', 'zip', 'medium']), state: oneOf(COPY_STATES), doneBytes: Count, totalBytes: orNull(Count),
  error: orNull(closed({ code: Type.String(), text: Type.String() })), askedBy: Type.String(), askedAt: Instant, witness: orNull(Type.String()), manifestSha256: orNull(Sha256), archiveItem: orNull(Type.String()), endedAt: orNull(Instant), isPublished: Type.Boolean(),
  removed: orNull(closed({ at: Instant, why: oneOf(Object.keys(REMOVAL_TEXTS) as RemovalReason[]) }, { description: 'a released package that stayed here to be fetched and is here no longer; its Master is `archiveItem`' })),
}))

const RESUMED = { 'accept-ranges': { zh: '可自中斷處續傳', en: 'a broken download goes on where it was, by Range and If-Range' } } as const

/** Copies of what was granted: asked for by a custodian, let go by another person (R35). */
export const copyRoutes: readonly Route[] = [
  route({ method: 'GET', url: '/api/copies', who: READERS, isBackground: true, summary: { zh: '複製工作', en: 'copies, newest first; does not count as use' }, query: closed({ limit: Limit }), answer: closed({ copies: Type.Array(CopySchema) }), handler: ({ parts, query }) => ({ copies: parts.copies.list(query.limit ?? 50).map(copyOf) }) }),
  route({
    method: 'POST', url: '/api/copies', who: ['make-granted-copy'], summary: { zh: '依核准製作複製', en: 'ask for a copy of all that a grant covers' }, body: closed({ application: NumberSchema, target: Target }), status: 201, answer: CopySchema,
    handler: ({ parts, acting, body: { application, target } }) => copyOf(parts.copies.ask(acting(), { application: known(application), target })),
  }),
  route({ method: 'GET', url: '/api/copies/:copy', who: READERS, isBackground: true, summary: { zh: '一件複製工作', en: 'one copy; does not count as use' }, params: ByCopy, answer: CopySchema, handler: ({ parts, params }) => { const job = parts.copies.get(params.copy); if (job === null) throw notHere(); return copyOf(job) } }),
  route({ method: 'POST', url: '/api/copies/:copy/cancel', who: ['make-granted-copy'], summary: { zh: '取消複製', en: 'end it before its release; what was written goes' }, params: ByCopy, body: closed({ reason: text(400) }), answer: CopySchema, handler: async ({ parts, acting, params, body }) => copyOf(await parts.copies.cancel(acting(), params.copy, body.reason)) }),
  route({
    method: 'POST', url: '/api/copies/:copy/release', who: ['witness-copy'], summary: { zh: '見證交付', en: 'let it go as its witness, another person than who asked for it; the book line is written with it' }, params: ByCopy, answer: closed({ copy: CopySchema, bookLine: RowId }),
    body: closed({
      recipient: closed({ name: text(200), unit: text(200), idType: text(100) }), forInquiry: Type.Optional(Type.Boolean()), other: Type.Optional(orNull(text(400))), medium: Type.Optional(orNull(closed({ type: text(100), serial: text(100), label: text(100) }))),
      password: Type.Optional(orNull(Type.String({ minLength: 1, maxLength: 200, description: 'encrypts a ZIP for carriage; kept nowhere' }))),
    }),
    async handler({ parts, acting, params, body: { recipient, forInquiry = false, other = null, medium = null, password = null } }) {
      const { job, bookLine } = await parts.copies.release(acting(), params.copy, { recipient, forInquiry, other, medium, password })
      return { copy: copyOf(job), bookLine }
    },
  }),
  route({
    method: 'POST', url: '/api/copies/preserve', who: ['make-granted-copy'], summary: { zh: '依准予保存製作存檔', en: 'make the archive copy of a case that was granted to be kept (R33); nobody is handed it' }, body: closed({ application: NumberSchema, reason: text(400) }), status: 201, answer: CopySchema,
    handler: ({ parts, acting, body: { application, reason } }) => copyOf(parts.copies.preserve(acting(), { application: known(application), reason })),
  }),
  route({
    method: 'POST', url: '/api/copies/decide', who: ['make-granted-copy'], summary: { zh: '本所複製存檔之提出', en: 'ask for an archive copy by the office\'s own decision (R21); it counts when an approver keeps it' }, body: closed({ scope: ScopeSchema, reason: text(400) }), status: 201, answer: CopySchema,
    handler: ({ parts, acting, body }) => copyOf(parts.copies.preserveByDecision(acting(), body)),
  }),
  route({
    method: 'POST', url: '/api/copies/:copy/keep', who: ['witness-copy'], summary: { zh: '複製存檔：第二人核可存入', en: 'put it into the archive as its second person; an own decision wants an approver' }, params: ByCopy, answer: CopySchema, handler: async ({ parts, acting, params }) => copyOf(await parts.copies.keep(acting(), params.copy)),
  }),
  route({
    method: 'POST', url: '/api/copies/:copy/publish', who: ['make-granted-copy', 'witness-copy'], guard: true, summary: { zh: '交付後補行發布至目的地', en: 'give a released copy its name at a destination that was gone' }, params: ByCopy, answer: CopySchema,
    handler: async ({ parts, session, params }) => copyOf(await published(parts, params.copy, session().actor)),
  }),
  route({
    method: 'GET', url: '/api/copies/:copy/package', who: ['make-granted-copy'], summary: { zh: '取出已交付之證據包（ZIP，記入稽核）', en: 'fetch a released copy that stays here, as a ZIP; whole or in part, and on record' }, params: ByCopy, answer: ['application/zip'],
    headers: { ...RESUMED, 'etag': { zh: '封裝之 manifest.json 雜湊值', en: 'SHA-256 of the package\'s manifest.json' }, 'link': { zh: '隨附文件（封面、保管移轉紀錄及收據）之位置；不在封裝內', en: 'where the sheets beside the package are (cover, custody sheet with its receipt); they are not inside' } },
    handler: ({ parts, acting, params }) => copyDownload(parts, acting(), { copyId: params.copy, what: 'package' }),
  }),
  route({
    method: 'GET', url: '/api/copies/:copy/sheets', who: ['make-granted-copy'], summary: { zh: '取出隨附文件：封面、保管移轉紀錄及收據（ZIP，記入稽核）', en: 'fetch the sheets beside such a package, cover and custody sheet with its receipt, as a ZIP of two PDFs; on record' }, params: ByCopy, answer: ['application/zip'],
    headers: { ...RESUMED, 'etag': { zh: '封裝之 manifest.json 雜湊值，加 -sheets', en: 'SHA-256 of the package\'s manifest.json, with -sheets' }, 'link': { zh: '封裝之位置', en: 'where the package is' } },
    handler: ({ parts, acting, params }) => copyDownload(parts, acting(), { copyId: params.copy, what: 'sheets' }),
  }),
]

/** The desk asks nobody's right for it, so the entry is written here. Throws CopyRefusedError, CopyTargetError. */
async function published({ copies, audit }: ConsoleParts, copyId: string, actor: AuditActor): Promise<CopyJob> {
  const job = copies.get(copyId)
  if (job === null) throw notHere()
  const entry = { action: 'copy.published', actor, object: copyId, application: job.application } as const
  try {
    if (job.state !== 'released') throw new CopyRefusedError('這份複製尚未交付。', 'this copy is not released')
    await copies.publishAgain(copyId)
  } catch (error) {
    if (error instanceof CustosError) audit.append({ ...entry, result: error instanceof CopyRefusedError ? 'refused' : 'failed', detail: { code: error.code } })
    throw error
  }
  audit.append({ ...entry, result: 'done', detail: { packageId: job.packageId } })
  return copies.get(copyId) ?? job
}

const copyOf = ({ copyId, packageId, application, intent, target, state, doneBytes, totalBytes, error, asked, witness, manifestSha256, archiveItem, endedAt, isPublished, removed }: CopyJob) => ({
  copy: copyId, packageId, application, intent, target: target.kind, state, doneBytes, totalBytes, error, askedBy: asked.name, askedAt: asked.at, witness: witness?.name ?? null, manifestSha256, archiveItem, endedAt, isPublished, removed,
})
