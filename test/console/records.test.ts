import { createHash } from 'node:crypto'
import t from 'tap'
import { CheckpointBook } from '../../src/audit/index.ts'
import { at, CLERK, CUSTODIAN, DIRECTOR, LOBBY } from '../requests/support/front-desk.ts'
import { DAY_MS } from '../access/support/office.ts'
import { Console } from './support/caller.ts'
import { good } from './support/procedure.ts'

/** A viewing, as the part that shows pictures makes one. */
function viewing({ front, parts }: Console, applicant: string): number {
  return front.office.audit.transaction(() => {
    const { seq } = front.office.audit.append({ action: 'viewing.opened', actor: { kind: 'account', name: '人員lin (lin)', role: 'custodian', source: 'desk' }, object: 'session-1', application: '115-調-0001', result: 'done', detail: {} })
    return parts.book.log.enter({
      auditSeq: seq, application: '115-調-0001', applicant, unit: '信義分局', matter: '偵辦竊盜案', basis: '刑事訴訟法第230條', uses: { accompanied: true, copied: false, forInquiry: false, other: null }, persons: [{ name: applicant, part: 'applicant' }],
      ranges: [{ camera: LOBBY, cameraName: '大廳', from: at('2026-11-20T09:00:00'), to: at('2026-11-20T10:00:00') }],
    })
  })
}

t.test('附件5: searched a page at a time, signed by two in order, corrected by a new line, told to who asks (R40-R43, R57)', async t => {
  const console = await Console.open(t)
  for (const applicant of ['𡍼大明', '龔鑫', '𡍼大明']) { console.front.office.pass(1000); viewing(console, applicant) }
  let custodian = await console.as(...CUSTODIAN), head = await console.as(...DIRECTOR)
  const first = good<{ lines: { line: { line: number } }[], next: string }>(await custodian.get('/api/book/lines?limit=2'))
  t.same(first.lines.map(({ line }) => line.line), [3, 2])
  t.match(good(await custodian.get(`/api/book/lines?limit=2&after=${first.next}`)), { lines: [{ line: { line: 1, applicant: '𡍼大明', ranges: [{ cameraName: '大廳' }] } }], next: null })
  t.match(good<{ lines: unknown[] }>(await custodian.get(`/api/book/lines?who=${encodeURIComponent('鑫')}&use=accompanied&isUnsigned=true`)).lines, [{ line: { line: 2 } }])
  t.equal((await head.post('/api/book/lines/1/sign', { box: 'head' })).status, 409, '管理人員 first')
  t.equal((await custodian.post('/api/book/lines/1/sign', { box: 'custodian' })).status, 204)
  t.equal((await custodian.post('/api/book/lines/1/sign', { box: 'custodian' })).status, 409, 'sent again, it is there')
  t.equal((await head.post('/api/book/lines/1/sign', { box: 'head' })).status, 204)
  t.match(good(await head.get('/api/book/lines/1')), { signatures: [{ box: 'custodian', name: '人員lin' }, { box: 'head', name: '人員boss' }] })
  const wording = { applicant: '龔鑫鑫', unit: '信義分局', matter: '偵辦竊盜案', basis: '刑事訴訟法第230條', uses: { accompanied: true, copied: false, forInquiry: false, other: null }, persons: [{ name: '龔鑫鑫', part: 'applicant' }] }
  t.match(good(await custodian.post('/api/book/lines/2/correct', { ...wording, reason: '姓名誤繕' }), 201), { line: 4 })
  t.equal((await custodian.post('/api/book/lines/2/correct', { ...wording, reason: '姓名誤繕' })).status, 409)
  t.match(good(await custodian.get('/api/book/lines/2')), { struckBy: 4 })
  t.match(good(await head.get('/api/book/pages/1')), { number: 1, pages: 1, isFull: false, lines: { length: 4 } })
  t.match(good(await head.get('/api/book/state')), { waiting: { count: 2, oldestLine: 4 }, reconciled: null })
  t.match(good<{ lines: unknown[] }>(await (await console.as(...CLERK)).get(`/api/disclosures?name=${encodeURIComponent('𡍼大明')}`)).lines, [{ line: { line: 3 } }, { line: { line: 1 } }])
  t.equal(good<{ lines: unknown[] }>(await head.get(`/api/disclosures?camera=${LOBBY}&from=${at('2026-11-20T09:30:00')}&to=${at('2026-11-20T09:31:00')}`)).lines.length, 4)
  t.equal((await head.get('/api/disclosures')).status, 400)

  await console.parts.book.nightly()
  t.match(good(await (await console.as(...DIRECTOR)).get('/api/book/state')), { reconciled: { orphanCount: 4, orphans: [{ kind: /./, subject: /./ }] } }, 'R44: lines without an approved form')
  console.front.office.pass(15 * DAY_MS)
  const pack = console.parts.book.reviews.make('2026-11')
  custodian = await console.as(...CUSTODIAN); head = await console.as(...DIRECTOR)
  t.match(good(await custodian.get('/api/reviews?month=2026-11')), { packs: [{ packId: pack.packId, sha256: pack.sha256, content: { month: '2026-11', uses: { lines: 3 } }, signedBy: null }] })
  t.equal((await custodian.post(`/api/reviews/${pack.packId}/sign`, { remark: '' })).status, 403)
  t.equal((await head.post(`/api/reviews/${pack.packId}/sign`, { remark: '已閱' })).status, 204)
})

t.test('an incident file grows by notes and is closed (R61)', async t => {
  const console = await Console.open(t), clerk = await console.as(...CLERK)
  const from = at('2026-11-20T09:00:00'), to = at('2026-11-20T10:00:00')
  const open = { title: '大廳推擠', from, to }, key = { 'idempotency-key': 'incident-1' }
  const { incidentId } = good<{ incidentId: number }>(await clerk.post('/api/incidents', open, key), 201)
  t.match(good(await clerk.post('/api/incidents', open, key), 201), { incidentId }, 'sent again with its key: one file')
  t.match(await clerk.post('/api/incidents', { ...open, title: '別的' }, key), { status: 409, body: { code: 'CUSTOS_CONSOLE_REQUEST' } })
  const both = await Promise.all([1, 2].map(() => clerk.post<{ incidentId: number }>('/api/incidents', open, { 'idempotency-key': 'incident-2' })))
  t.equal(both[0]?.body.incidentId, both[1]?.body.incidentId, 'also two at once')
  t.equal((await clerk.post('/api/incidents', { ...open, from: to, to: from }, { 'idempotency-key': 'incident-3' })).status, 409)
  t.equal((await clerk.post('/api/incidents', open, { 'idempotency-key': 'incident-3' })).status, 201, 'a refusal keeps no key')
  t.match(good(await clerk.get('/api/incidents')), { incidents: [{}, {}, { incidentId, title: '大廳推擠', closedAt: null }], next: null })
  good(await clerk.post(`/api/incidents/${incidentId}/notes`, { kind: 'what', text: '民眾甲推倒民眾乙' }), 201)
  good(await clerk.post(`/api/incidents/${incidentId}/notes`, { kind: 'range', text: '大廳', range: { camera: LOBBY, from, to } }), 201)
  t.equal((await clerk.post(`/api/incidents/${incidentId}/notes`, { kind: 'range', text: '無時段' })).status, 409)
  t.equal((await clerk.post(`/api/incidents/${incidentId}/close`)).status, 204)
  t.match(good(await clerk.get(`/api/incidents/${incidentId}`)), { title: '大廳推擠', notes: [{ kind: 'what', range: null }, { kind: 'range', range: { camera: LOBBY } }], closedBy: /lin/ })
})

t.test('the audit log is read in pages by the auditor alone, each reading is an entry, and an entry is proved', async t => {
  const console = await Console.open(t), { office } = console.front
  office.directorActing = await console.front.as('boss', 'director')
  const auditor = await office.person('aud', ['auditor'])
  const caller = await console.signedIn(auditor, 'auditor')
  const page = good<{ entries: { seq: number, action: string }[], next: number, size: number }>(await caller.get('/api/audit?limit=5'))
  t.same(page.entries.map(({ seq }) => seq), [1, 2, 3, 4, 5])
  t.equal(good<{ entries: { seq: number }[] }>(await caller.get(`/api/audit?limit=5&after=${page.next}`)).entries[0]!.seq, 6)
  t.equal(office.entries('audit.read').length, 2)
  t.equal((await (await console.as(...DIRECTOR)).get('/api/audit')).status, 403)
  t.match(office.entries('console.refused'), [{ object: 'GET /api/audit', name: '人員boss (boss)', result: 'refused' }], 'and who was refused is an entry too')
  t.equal((await caller.get('/api/audit/1/proof')).status, 404, 'no checkpoint yet')
  new CheckpointBook({ db: office.db, log: office.audit, clock: office.clock }).make('start')
  const proof = good<{ entry: string, leaf: string, size: number, path: string[], root: string, checkpoint: string }>(await caller.get('/api/audit/1/proof'))
  const sha256 = (...parts: (string | Buffer)[]): Buffer => { const hash = createHash('sha256'); for (const part of parts) hash.update(part); return hash.digest() }
  t.equal(sha256('\0', proof.entry).toString('hex'), proof.leaf, 'the entry is the leaf')
  // Entry 1 is leftmost: each step of its path stands on the right.
  t.equal(proof.path.reduce<Buffer>((left, right) => sha256('\x01', left, Buffer.from(right, 'hex')), Buffer.from(proof.leaf, 'hex')).toString('hex'), proof.root, 'and leads to the root')
  t.ok(proof.checkpoint.includes(Buffer.from(proof.root, 'hex').toString('base64')), 'that the checkpoint signs')
  t.match(await caller.get(`/api/timeline?from=0&to=${office.clock.wallNow()}`), { status: 409, body: { zh: /一年以內/ } }, 'a timeline covers a year at most')
  const day = office.clock.wallNow() - DAY_MS
  t.ok(good<{ entries: unknown[] }>(await caller.get(`/api/timeline?from=${day}&to=${office.clock.wallNow() + 1}`)).entries.length > 10)
})
