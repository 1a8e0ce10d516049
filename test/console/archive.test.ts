import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import type { ArchiveFacts, ItemNo } from '../../src/archive/index.ts'
import { ConsoleServer } from '../../src/console/index.ts'
import { createLogger } from '../../src/platform/logger.ts'
import { DAY_MS } from '../access/support/office.ts'
import { ACTING, bytesOf, facts } from '../archive/support/rig.ts'
import { at, CHIEF, CLERK, CUSTODIAN, DIRECTOR } from '../requests/support/front-desk.ts'
import { Console, type Caller } from './support/caller.ts'
import { Counter, good } from './support/procedure.ts'

interface Line { readonly itemNo: string, readonly state: string, readonly destroysAt: number | null }
interface Lines { readonly items: readonly Line[], readonly next: string | null }

async function office(t: Test) {
  const console = await Console.open(t), counter = new Counter(console)
  const put = async (change: Partial<ArchiveFacts> = {}): Promise<ItemNo> => {
    const folder = path.join(console.front.stateDir, `source-${change.application ?? ''}`)
    mkdirSync(folder, { recursive: true })
    writeFileSync(path.join(folder, 'lobby.mp4'), bytesOf(10_000, change.application ?? ''))
    return (await console.archive.put(ACTING, { folder, facts: facts(change) })).itemNo
  }
  const records = async (): Promise<Caller> => {
    console.front.office.directorActing = await console.front.as('boss', 'director')
    return console.signedIn(await console.front.office.person('wu', ['records']), 'records')
  }
  const later = async (days: number): Promise<void> => { console.archiveTime.aheadMs = days * DAY_MS; await console.archive.sweep() }
  return { console, counter, put, records, later, audit: (action: string) => console.front.office.entries(action) }
}

t.test('the archive is listed in pages and by what ends when; one item tells its dates, notices and who read it; the volume tells how full it is', async t => {
  const { console, counter, put, later } = await office(t)
  const first = await put({ application: '115-調-0001' })
  console.front.office.pass(20 * DAY_MS)
  const second = await put({ application: '115-調-0002', kind: 'preserved' })
  console.front.office.pass(1000)
  const third = await put({ application: '115-調-0003' })
  const custodian = await counter.as(CUSTODIAN)
  const page = good<Lines>(await custodian.get('/api/archive/items?limit=2'))
  t.same([page.items.map(({ itemNo }) => itemNo), page.next], [[third, second], second])
  t.match(good(await custodian.get(`/api/archive/items?limit=2&after=${page.next}`)), { items: [{ itemNo: first, application: '115-調-0001', kind: 'copy-master', state: 'kept', isHeld: false, isFiled: false, isLost: false, expiresAt: at('2027-11-23T00:00:00'), destroysAt: at('2027-11-23T00:00:00') }], next: null })
  t.match(good(await custodian.get(`/api/archive/items?application=${encodeURIComponent('115-調-0002')}`)), { items: [{ itemNo: second, kind: 'preserved' }], next: null })
  const within = async (days: number): Promise<string[]> => good<Lines>(await custodian.get(`/api/archive/items?expiringWithinDays=${days}`)).items.map(({ itemNo }) => itemNo)
  // The last whole day is 2027-11-22, today is 2026-12-12.
  t.same([await within(344), await within(345), await within(4000)], [[], [first], [third, second, first]])

  await later(320)
  await using reading = await console.archive.read(ACTING, first)
  t.equal(reading.item.itemNo, first)
  t.match(good(await custodian.get(`/api/archive/items/${first}`)), {
    itemNo: first, reason: '偵辦竊盜案，有繼續保存之必要', requester: '趙警員', approver: '李主任', ranges: [{ cameraName: '大廳' }], expiryText: /民法第121條/, holds: [], filed: null, lost: null,
    notices: [{ days: 30 }], reads: [{ by: '王小明' }], endAsks: [],
  })
  t.equal((await custodian.get('/api/archive/items/A115-0999')).status, 404)
  t.equal((await custodian.get('/api/archive/items/..%2f')).status, 400)
  t.equal((await (await counter.as(['admin', 'system-admin'])).get('/api/archive/items')).status, 403, 'who administers sees how full it is, not whose it is')
  const volume = good<{ bytes: number, next: { itemNo: string }[] }>(await (await counter.as(['admin', 'system-admin'])).get('/api/archive/volume'))
  t.match(volume, { state: 'ok', items: 3, quotaBytes: 2 ** 30, isFull: false, fullInDays: null, expiring: { count: 1, soonestAt: at('2027-11-23T00:00:00') }, overdue: 0, unsigned: { count: 0 }, holdsToApprove: { count: 0 }, lost: [], strays: 0 })
  t.same(volume.next.map(({ itemNo }) => itemNo), [first, second, third])
  t.ok(volume.bytes > 30_000)
  t.notMatch(JSON.stringify(volume), /趙警員|115-調/)
})

t.test('a hold: its authority and number, in force at once, approved by another, ended by two within five minutes (R23, P4)', async t => {
  const { console, counter, put, audit, later } = await office(t)
  const itemNo = await put(), holds = `/api/archive/items/${itemNo}/holds`
  const ask = { authority: '臺灣臺北地方檢察署', document: '115年度他字第1234號函', lastDay: '2028-03-01' }
  const custodian = await counter.as(CUSTODIAN)
  for (const [wrong, status] of [[{ document: '' }, 400], [{ authority: '  ' }, 400], [{ lastDay: '2028-02-30' }, 400], [{ lastDay: '2026-11-01' }, 409], [{ lastDay: '2046-11-01' }, 409]] as const) t.equal((await custodian.post(holds, { ...ask, ...wrong })).status, status, JSON.stringify(wrong))
  t.equal((await custodian.post('/api/archive/items/A115-0999/holds', ask)).status, 404)
  for (const who of [CHIEF, ['lee', 'staff'], ['admin', 'system-admin']] as const) t.match(await (await counter.as(who)).post(holds, ask), { status: 403, body: { code: 'CUSTOS_RIGHT_MISSING' } }, who[1])
  const key = { 'idempotency-key': 'hold-once-1' }
  const hold = good<{ holdId: string }>(await custodian.post(holds, ask, key), 201)
  t.match(hold, { authority: '臺灣臺北地方檢察署　115年度他字第1234號函', placedBy: '人員lin (lin)', until: at('2028-03-02T00:00:00'), approvedBy: null })
  t.equal(good<{ holdId: string }>(await custodian.post(holds, ask, key), 201).holdId, hold.holdId, 'sent again: one')
  t.match(good(await custodian.get('/api/archive/items')), { items: [{ isHeld: true, destroysAt: at('2028-03-02T00:00:00') }] })

  const act = (name: string): string => `/api/archive/holds/${hold.holdId}/${name}`
  t.equal((await custodian.post(act('approve'))).status, 403)
  good(await (await counter.as(CHIEF)).post(act('approve')), 204)
  t.match(await (await counter.as(CHIEF)).post(act('approve')), { status: 409, body: { code: 'CUSTOS_ARCHIVE_REFUSED', zh: /已核可/ } })
  await later(400)
  t.equal(console.archive.get(itemNo)?.state, 'kept', 'past its year and still there')

  t.match(await (await counter.as(CHIEF)).post(act('end')), { status: 409, body: { zh: /五分鐘/ } }, 'nobody asked')
  good(await (await counter.as(CLERK)).post(act('ask-end'), { reason: '案件已結' }), 204)
  t.match(good(await (await counter.as(CUSTODIAN)).get(`/api/archive/items/${itemNo}`)), { endAsks: [{ by: '人員lin (lin)', hold: hold.holdId, reason: '案件已結' }], holds: [{ approvedBy: '人員chen (chen)', endedAt: null }] })
  console.front.office.pass(5 * 60_000)
  t.equal((await (await counter.as(CHIEF)).post(act('end'))).status, 409, 'too late')
  good(await (await counter.as(CLERK)).post(act('ask-end'), { reason: '案件已結' }), 204)
  t.equal((await (await counter.as(CLERK)).post(act('end'))).status, 403)
  good(await (await counter.as(CHIEF)).post(act('end')), 204)
  t.match(await (await counter.as(CHIEF)).post(`/api/archive/holds/${'0'.repeat(32)}/end`), { status: 409, body: { code: 'CUSTOS_ARCHIVE_REFUSED' } })
  t.match(good(await (await counter.as(CUSTODIAN)).get(`/api/archive/items/${itemNo}`)), { holds: [{ endedBy: '人員lin (lin)、人員chen (chen)', endReason: '案件已結' }] })
  t.equal(audit('archive.hold-placed').filter(entry => entry.result === 'done').length, 1)
  t.equal(await console.archive.sweep(), 1, 'then it goes by itself')
})

t.test('已歸檔 is the records keeper\'s alone to mark and to take away (R63)', async t => {
  const { console, counter, put, records, later } = await office(t)
  const itemNo = await put(), wu = await records(), place = `/api/archive/items/${itemNo}`
  for (const who of [CUSTODIAN, DIRECTOR, ['admin', 'system-admin']] as const) t.equal((await (await counter.as(who)).post(`${place}/filed`, { fileNo: '文號' })).status, 403, who[1])
  t.match(await wu.post(`${place}/filed`, { fileNo: ' ' }), { status: 409, body: { code: 'CUSTOS_ARCHIVE_REFUSED', zh: /歸檔文號/ } })
  good(await wu.post(`${place}/filed`, { fileNo: '北市信戶資字第1150001號' }), 204)
  t.equal((await wu.post(`${place}/filed`, { fileNo: '再一次' })).status, 409)
  t.match(good(await wu.get(place)), { isFiled: true, destroysAt: null, filed: { fileNo: '北市信戶資字第1150001號', by: '人員wu (wu)' } })
  await later(500)
  t.equal(console.archive.get(itemNo)?.state, 'kept')
  good(await wu.post(`${place}/unfiled`, { reason: '誤標' }), 204)
  t.equal((await wu.post(`${place}/unfiled`, { reason: '誤標' })).status, 409)
  t.equal(await console.archive.sweep(), 1)
  t.match(await wu.post(`${place}/filed`, { fileNo: '文號' }), { status: 409, body: { zh: /已期滿銷毀/ } }, 'gone is gone')
})

t.test('銷毀紀錄: listed, shown without a picture, signed by the custodian and then by another person (R23, R24)', async t => {
  const { counter, put, records, later, audit } = await office(t)
  const itemNo = await put({ application: '115-調-0001' })
  await put({ application: '115-調-0002' })
  const custodian = await counter.as(CUSTODIAN), place = `/api/destructions/${itemNo}`
  t.same(good(await custodian.get('/api/destructions')), { records: [], next: null })
  t.equal((await custodian.get(place)).status, 404)
  t.equal((await custodian.post(`${place}/sign`)).status, 404, 'what stands has no record to sign')
  await later(366)
  t.match(good(await custodian.get('/api/destructions?limit=1')), { records: { length: 1 }, next: /^A115/ })
  t.match(good(await custodian.get(`/api/destructions?application=${encodeURIComponent('115-調-0001')}`)), { records: [{ itemNo }], next: null })
  const record = good<{ sha256: string }>(await custodian.get(place))
  t.match(record, { itemNo, application: '115-調-0001', method: /./, keyId: /./, readBack: /./, executor: /./, bytes: Number, footageSha256: 'c'.repeat(64), signatures: [] })
  t.match(await (await counter.as(DIRECTOR)).post(`${place}/sign`), { status: 409, body: { zh: /管理人員先簽章/ } })
  for (const who of [CLERK, ['admin', 'system-admin']] as const) t.equal((await (await counter.as(who)).post(`${place}/sign`)).status, 403, who[1])
  t.match(good(await (await counter.as(CUSTODIAN)).post(`${place}/sign`)), { signatures: [{ box: 'custodian', account: 'lin', sha256: record.sha256 }] })
  t.equal((await (await counter.as(CUSTODIAN)).post(`${place}/sign`)).status, 409, 'once')
  t.match(good(await (await counter.as(DIRECTOR)).post(`${place}/sign`)), { signatures: [{ box: 'custodian' }, { box: 'head', account: 'boss', sha256: record.sha256 }] })
  const wu = await records()
  t.match(good<{ records: Line[] }>(await wu.get('/api/destructions?isUnsigned=false')).records.map(each => each.itemNo), [itemNo])
  t.equal(good<{ records: Line[] }>(await wu.get('/api/destructions?isUnsigned=true')).records.length, 1)
  t.match(good<Lines>(await wu.get('/api/archive/items?state=destroyed')).items.map(each => each.destroysAt), [null, null])
  t.equal(audit('archive.destruction-signed').filter(entry => entry.result === 'done').length, 2)
})

t.test('without an archive each of these is refused in words', async t => {
  const { console } = await office(t), { front } = console
  await using server = await ConsoleServer.open({ host: '127.0.0.1', port: 0, tls: 'off', stateDir: front.stateDir, parts: { ...console.parts, archive: null }, clock: front.office.clock, log: createLogger({ level: 'silent' }) })
  const { cookie } = await console.as(...CUSTODIAN)
  for (const url of ['/api/archive/volume', '/api/archive/items', '/api/archive/items/A115-0001', '/api/destructions', '/api/destructions/A115-0001']) {
    const said = await server.app.inject({ method: 'GET', url, headers: { host: 'localhost:8443', cookie: cookie ?? '' } })
    t.match({ status: said.statusCode, body: said.json<object>() }, { status: 409, body: { code: 'CUSTOS_ARCHIVE_UNAVAILABLE', zh: /^存檔區無法使用：沒有設定，或無法開啟。$/, en: /none is configured/ } }, url)
  }
})
