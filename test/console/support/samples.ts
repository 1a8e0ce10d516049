import { hour, LOBBY, staff } from '../../requests/support/front-desk.ts'

/** One request to a route that its schema takes; `label` where one route is asked in several ways. */
export interface Sample { readonly label?: string, readonly path?: Readonly<Record<string, string | number>>, readonly query?: string, readonly body?: unknown, readonly bytes?: readonly [string, Buffer] }

const reason = { reason: '測試' }, nobody = { account: 'nobody-here' }, number = { number: '115-調-9999' }, screen = { screen: '0'.repeat(32) }, copy = { copy: '0'.repeat(32) }, candidate = { candidate: '0'.repeat(32) }, item = { item: 'A115-9999' }, hold = { hold: '0'.repeat(32) }
const words = { applicant: '王', unit: '', matter: '案', basis: '法', uses: { accompanied: true, copied: false, forInquiry: false, other: null }, persons: [] }
const command = (kind: string, more: object = {}): Sample => ({ label: kind, path: number, body: { kind, version: 1, ...more } })

/** Every route of the console; one without an entry fails the crawl. */
export const SAMPLES: Readonly<Record<string, readonly Sample[]>> = {
  'POST /api/session': [{ body: { name: 'nobody-here', password: 'x' } }], 'GET /api/session': [{}], 'DELETE /api/session': [{}], 'POST /api/session/role': [{ body: { role: 'vendor', deputyFor: 'nobody-here' } }],
  'POST /api/session/password': [{ body: { name: 'nobody-here', password: 'x', newPassword: 'y' } }], 'POST /api/session/first-password': [{ body: { name: 'nobody-here', token: 'x', newPassword: 'y' } }],
  'POST /api/session/factor': [{}], 'POST /api/session/factor/confirm': [{ body: { code: '000000' } }], 'POST /api/session/factor/show': [{ body: { code: '000000' } }], 'POST /api/session/viewing': [{ body: { password: 'x' } }],
  'GET /api/accounts': [{}], 'POST /api/accounts': [{ body: { id: 'Not A Name', displayName: '人', unit: '課', post: '員', roles: ['staff'], ...reason } }], 'GET /api/account-requests': [{}], 'POST /api/account-requests/:request/decision': [{ path: { request: 999 }, body: { decision: 'approved', ...reason } }],
  'POST /api/accounts/:account/change': [{ path: nobody, body: { kind: 'change', wanted: {}, ...reason } }], 'POST /api/accounts/:account/disable': [{ path: nobody, body: reason }], 'POST /api/accounts/:account/leave': [{ path: nobody, body: { ...reason, undertaking: { signed: true } } }],
  'POST /api/accounts/:account/unlock': [{ path: nobody }], 'POST /api/accounts/:account/reset': [{ path: nobody, body: reason }], 'POST /api/accounts/:account/factor-reset': [{ path: nobody, body: reason }],
  'GET /api/deputies': [{}], 'POST /api/deputies': [{ body: { absentId: 'nobody-here', deputyId: 'nobody-here', role: 'clerk', fromAtMs: 1, toAtMs: 2, document: '單' } }], 'POST /api/deputies/:deputy/end': [{ path: { deputy: 999 } }],
  'GET /api/hand-overs': [{}], 'POST /api/hand-overs': [{ body: { toId: 'nobody-here', items: '項' } }], 'POST /api/hand-overs/:handOver/take': [{ path: { handOver: 999 } }],
  'POST /api/account-reviews': [{ body: { year: 2026 } }], 'GET /api/account-reviews/:review': [{ path: { review: 999 } }], 'POST /api/account-reviews/:review/sign': [{ path: { review: 999 }, body: { remark: '閱' } }],
  'GET /api/break-glass': [{}], 'POST /api/break-glass': [{ body: { reason: '' } }], 'POST /api/break-glass/:opening/close': [{ path: { opening: 999 } }], 'POST /api/break-glass/:opening/settle': [{ path: { opening: 999 }, body: { application: '115-調-0001' } }],
  'GET /api/rules': [{}], 'GET /api/rules/:name': [{ path: { name: 'current' } }], 'GET /api/cameras': [{}],
  'POST /api/cameras/discover': [{}], 'POST /api/cameras/probe': [{ body: { host: '127.0.0.1', port: 1 } }],
  'POST /api/applications': [{ body: staff({ asked: [hour(LOBBY)] }) }], 'GET /api/applications': [{}], 'GET /api/applications/:number': [{ path: number }], 'POST /api/applications/:number/id-number': [{ path: number, body: { place: 'fields.applicant-id' } }],
  'POST /api/applications/:number/commands': [
    command('decide', { step: 0, decision: 'agree', reason: null, ground: null, narrowTo: null, isNotTheApplicant: false, grant: null }), command('ask-to-complete', { items: '補' }), command('complete', { content: staff() }), command('lapse'), command('withdraw', reason),
    command('extend-deadline', { ...reason, period: { days: 1 } }), command('recuse', { account: 'lin', ...reason }), command('ask-third-party'), command('third-party-answered', { summary: '無' }), command('attach', { attachment: { sha256: '0'.repeat(64), name: '檔' } }),
    command('sign-statement', { name: '王' }), command('record-copy-request', { words: '要' }), command('answer-copy-request', { outcome: 'refused', ground: 'third-party', ...reason }), command('revoke', reason), command('close', reason),
  ],
  'GET /api/footage': [{ query: `camera=${LOBBY}&from=1&to=2` }], 'GET /api/grants': [{}], 'GET /api/grants/:number': [{ path: number }], 'POST /api/attachments': [{ bytes: ['application/pdf', Buffer.from('%PDF-1.7 x')] }], 'GET /api/applications/:number/attachments/:sha256': [{ path: { ...number, sha256: '0'.repeat(64) } }],
  'GET /api/book/lines': [{}], 'GET /api/book/lines/:line': [{ path: { line: 999 } }], 'POST /api/book/lines/:line/sign': [{ path: { line: 999 }, body: { box: 'head' } }], 'POST /api/book/lines/:line/correct': [{ path: { line: 999 }, body: { ...words, ...reason } }],
  'GET /api/book/pages/:page': [{ path: { page: 1 } }], 'GET /api/book/state': [{}], 'GET /api/disclosures': [{ query: 'name=x' }], 'GET /api/reviews': [{ query: 'month=2026-10' }], 'POST /api/reviews/:pack/sign': [{ path: { pack: 999 }, body: { remark: '閱' } }],
  'GET /api/incidents': [{}], 'POST /api/incidents': [{ body: { title: '事', from: 2, to: 1 } }], 'GET /api/incidents/:incident': [{ path: { incident: 999 } }], 'POST /api/incidents/:incident/notes': [{ path: { incident: 999 }, body: { kind: 'what', text: '記' } }], 'POST /api/incidents/:incident/close': [{ path: { incident: 999 } }],
  'GET /api/audit': [{ query: 'limit=1' }], 'GET /api/audit/:seq/proof': [{ path: { seq: 1 } }], 'GET /api/timeline': [{ query: 'application=x' }], 'GET /api/openapi.json': [{}],
  'GET /api/copies': [{}], 'POST /api/copies': [{ body: { application: '115-調-9999', target: { kind: 'here' } } }], 'GET /api/copies/:copy': [{ path: copy }], 'POST /api/copies/:copy/cancel': [{ path: copy, body: reason }], 'POST /api/copies/:copy/release': [{ path: copy, body: { recipient: { name: '王', unit: '', idType: '' } } }],
  'POST /api/copies/preserve': [{ body: { application: '115-調-9999', ...reason } }], 'POST /api/copies/decide': [{ body: { scope: [], ...reason } }], 'POST /api/copies/:copy/keep': [{ path: copy }], 'POST /api/copies/:copy/publish': [{ path: copy }], 'GET /api/copies/:copy/package': [{ path: copy }], 'GET /api/copies/:copy/sheets': [{ path: copy }],
  'GET /api/archive/volume': [{}], 'GET /api/archive/items': [{}], 'GET /api/archive/items/:item': [{ path: item }], 'POST /api/archive/items/:item/holds': [{ path: item, body: { authority: '臺北地檢署', document: '115他1234', lastDay: '2028-03-01' } }], 'POST /api/archive/holds/:hold/approve': [{ path: hold }],
  'POST /api/archive/holds/:hold/ask-end': [{ path: hold, body: reason }], 'POST /api/archive/holds/:hold/end': [{ path: hold }], 'POST /api/archive/items/:item/filed': [{ path: item, body: { fileNo: '文號' } }], 'POST /api/archive/items/:item/unfiled': [{ path: item, body: reason }],
  'GET /api/destructions': [{}], 'GET /api/destructions/:item': [{ path: item }], 'POST /api/destructions/:item/sign': [{ path: item }],
  'GET /api/papers/blank/:form': [{ path: { form: 'form-1' } }], 'GET /api/papers/applications/:number': [{ path: number }], 'GET /api/papers/applications/:number/refusal': [{ path: number }], 'GET /api/papers/form-4': [{ query: `numbers=${encodeURIComponent('115-調-9999')}` }], 'GET /api/papers/book/:page': [{ path: { page: 1 } }],
  'GET /api/papers/destructions/:item': [{ path: item }], 'GET /api/papers/checkpoint': [{}], 'POST /api/papers/announcement': [{ body: { zones: [{ zone: '一樓', count: 1 }], date: '2026-11-26', edition: 1 } }], 'POST /api/papers/signage': [{ body: { zones: [{ zone: '一樓', count: 1 }], date: '2026-11-26', edition: 1, noticeUrl: 'https://example.gov.tw/x' } }],
  'GET /api/screens': [{}], 'POST /api/screens/granted': [{ body: { application: '115-調-9999', visitor: { name: '王', part: 'applicant' }, isStatementConfirmed: true } }], 'POST /api/screens/live': [{ body: { cameras: ['nowhere'] } }],
  'POST /api/screens/:screen/close': [{ path: screen }], 'GET /api/screens/:screen/still': [{ path: screen, query: 'camera=0&at=1' }],
  'GET /api/aiming': [{}], 'POST /api/aiming': [{ body: { camera: 'nowhere', ...reason } }], 'POST /api/aiming/:proposal/join': [{ path: { proposal: '0'.repeat(32) } }],
  'POST /api/reference-images': [{ body: { camera: 'nowhere' } }], 'GET /api/reference-images/candidates/:candidate': [{ path: candidate }], 'POST /api/reference-images/candidates/:candidate/approve': [{ path: candidate }],
  'GET /api/reference-images/:camera': [{ path: { camera: 'lobby' } }], 'GET /api/reference-images/:camera/image': [{ path: { camera: 'lobby' } }],
}

export const urlOf = (url: string, { path = {}, query }: Sample): string => `${url.replace(/:([A-Za-z0-9]+)/g, (_, name: string) => encodeURIComponent(String(path[name])))}${query === undefined ? '' : `?${query}`}`
