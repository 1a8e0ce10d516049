import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import path from 'node:path'
import t, { type Test } from 'tap'
import { verifyPackage } from '../../src/export/index.ts'
import { at, inARow, LOBBY } from '../export/package/support.ts'
import { CHIEF, CLERK, CUSTODIAN, DIRECTOR, done, OUTSIDE, party, police, type Done } from '../requests/support/front-desk.ts'
import { realFootage } from '../support/fragments.ts'
import { Console, type Caller } from './support/caller.ts'
import { Counter, good } from './support/procedure.ts'

interface Copy { readonly copy: string, readonly packageId: string, readonly application: string, readonly intent: string, readonly state: string, readonly archiveItem: string | null, readonly removed: { readonly at: number, readonly why: string } | null, readonly isPublished: boolean, readonly manifestSha256: string | null }
const LINE = { camera: LOBBY, from: at(0), to: at(3_400) }
const RECIPIENT = { recipient: { name: '趙警員', unit: '信義分局', idType: '服務證' }, forInquiry: true }
const footage = await realFootage({ codec: 'h264', width: 320, height: 180, seconds: 4 })
const never = new AbortController().signal

async function office(t: Test) {
  const console = await Console.open(t), { front } = console, counter = new Counter(console)
  await console.shelf.add(footage, inARow(footage, footage.count))
  const approved = async (content = police({ asked: [LINE] })): Promise<Done['application']> => done(await front.signAll(done(await front.receive(content)).application, OUTSIDE)).application
  const made = async (copy: Copy): Promise<Copy> => { await console.parts.copies.runNext(never); return counter.read<Copy>(CLERK, `/api/copies/${copy.copy}`) }
  return { console, front, counter, approved, made, entries: (action: string) => front.office.entries(action) }
}
/** Granted, made, released to be fetched. */
async function released(t: Test) {
  const all = await office(t), { counter, front } = all
  let application = await all.approved()
  const asked = async (): Promise<Copy> => good<Copy>(await (await counter.as(CUSTODIAN)).post('/api/copies', { application: application.number, target: { kind: 'here' } }), 201)
  application = done(await front.act(CUSTODIAN, application, { kind: 'sign-statement', name: '趙警員' })).application
  const ready = await all.made(await asked())
  const custodian = await counter.as(CUSTODIAN), place = `/api/copies/${ready.copy}/package`
  return { ...all, application, ready, custodian, place, release: async () => good<{ copy: Copy }>(await (await counter.as(CHIEF)).post(`/api/copies/${ready.copy}/release`, RECIPIENT)).copy }
}

t.test('申請保存: approved, made, put into the archive by a second person; the party is handed nothing (R33)', async t => {
  const { console, front, counter, approved, made, entries } = await office(t)
  const kept = await approved(party({ acts: { view: true, copy: false, preserve: true }, asked: [LINE] }))
  const seen = await approved(party({ asked: [LINE] }))
  const custodian = await counter.as(CUSTODIAN)
  t.match(await custodian.post('/api/copies/preserve', { application: seen.number, reason: '保存' }), { status: 409, body: { code: 'CUSTOS_COPY_REFUSED', zh: /未准予保存/ } })
  t.match(await (await counter.as(CHIEF)).post('/api/copies/preserve', { application: kept.number, reason: '保存' }), { status: 403 })
  const copy = good<Copy>(await custodian.post('/api/copies/preserve', { application: kept.number, reason: '當事人申請保存' }), 201)
  t.match(copy, { intent: 'preserve', state: 'queued', application: kept.number })
  t.match(await (await counter.as(CHIEF)).post(`/api/copies/${copy.copy}/keep`), { status: 409, body: { zh: /尚未完成/ } })
  t.match(await made(copy), { state: 'ready' })
  t.match(await (await counter.as(CLERK)).post(`/api/copies/${copy.copy}/keep`), { status: 409, body: { zh: /另一人/ } }, 'lin in another role is lin')
  t.match(await (await counter.as(CHIEF)).post(`/api/copies/${copy.copy}/release`, RECIPIENT), { status: 409, body: { zh: /只存檔，不交付/ } }, 'R30: a party gets none')
  const stored = good<Copy>(await (await counter.as(CHIEF)).post(`/api/copies/${copy.copy}/keep`))
  t.match(stored, { state: 'kept', archiveItem: /^A115-/ })
  t.match(console.archive.ofApplication(kept.number), [{ itemNo: stored.archiveItem, kind: 'preserved', reason: '當事人申請保存' }])
  t.match(await (await counter.as(CUSTODIAN)).get(`/api/copies/${copy.copy}/package`), { status: 409, body: { code: 'CUSTOS_COPY_REFUSED' } }, 'it stays here, to nobody\'s hands')
  t.match(entries('copy.fetched'), [{ result: 'refused', object: copy.copy }])
  t.equal(front.count('book_line'), 0)
})

t.test('複製存檔 by the office\'s own decision: asked by a custodian, kept by an approver and nobody less (R21)', async t => {
  const { console, counter, made } = await office(t)
  const custodian = await counter.as(CUSTODIAN), ask = { scope: [LINE], reason: '繼續保存之必要：大廳推擠' }
  for (const [scope, zh] of [
    [[], /沒有時段/], [[{ ...LINE, to: LINE.from }], /晚於開始/], [[LINE, { ...LINE, from: LINE.to, to: LINE.from }], /晚於開始/], [[{ ...LINE, to: LINE.to + 10 * 365 * 86_400_000 }], /尚未過去/],
    [[{ ...LINE, from: LINE.from - 401 * 86_400_000 }], /過長/], [Array.from({ length: 201 }, (_, i) => ({ ...LINE, from: LINE.from + 10 * i, to: LINE.from + 10 * i + 5 })), /200 段/],
  ] as const) t.match(await custodian.post('/api/copies/decide', { ...ask, scope }), { status: 409, body: { code: 'CUSTOS_COPY_REFUSED', zh } })
  t.match(await custodian.post('/api/copies/decide', { ...ask, reason: ' ' }), { status: 409 })
  t.match(await custodian.post('/api/copies/decide', { ...ask, scope: [{ ...LINE, camera: 'e'.repeat(32) }] }), { status: 409 })
  t.match(await (await counter.as(CLERK)).post('/api/copies/decide', ask), { status: 403, body: { code: 'CUSTOS_RIGHT_MISSING' } })
  const key = { 'idempotency-key': 'decided-once' }
  const copy = good<Copy>(await custodian.post('/api/copies/decide', ask, key), 201)
  t.equal(good<Copy>(await custodian.post('/api/copies/decide', ask, key), 201).copy, copy.copy, 'sent again: one')
  t.match(copy, { intent: 'decision', application: '115-存-0001' })
  await made(copy)
  console.front.office.directorActing = await console.front.as('boss', 'director')
  const clerk = await console.signedIn(await console.front.office.person('hsu', ['clerk']), 'clerk')
  t.match(await clerk.post(`/api/copies/${copy.copy}/keep`), { status: 409, body: { zh: /核章主管/ } })
  t.match(good(await (await counter.as(DIRECTOR)).post(`/api/copies/${copy.copy}/keep`)), { state: 'kept' })
  t.match(console.archive.list(), [{ application: '115-存-0001', approver: '人員boss', requester: '人員lin' }])
})

t.test('a released copy is fetched as a ZIP that verifies, by who may and on record, whole or from where the line broke', async t => {
  const { console, counter, release, custodian, place, ready, entries, application, front } = await released(t)
  t.match(await custodian.get(place), { status: 409, body: { code: 'CUSTOS_COPY_REFUSED', zh: /尚未交付/ } }, 'never before its release')
  t.match(await custodian.post(`/api/copies/${ready.copy}/publish`), { status: 409 })
  const { manifestSha256, packageId } = await release()
  for (const who of [CHIEF, CLERK, ['admin', 'system-admin']] as const) t.match(await (await counter.as(who)).get(place), { status: 403, body: { code: 'CUSTOS_RIGHT_MISSING' } }, who[1])
  t.equal((await console.stranger().get(place)).status, 401)
  t.equal((await custodian.get(`/api/copies/${'0'.repeat(32)}/package`)).status, 404)

  const whole = await custodian.get(place)
  t.equal(whole.status, 200)
  t.match(whole.headers, { 'content-type': 'application/zip', 'content-length': String(whole.raw.length), 'accept-ranges': 'bytes', 'cache-control': 'no-store', 'etag': `"${manifestSha256}"`, 'x-content-type-options': 'nosniff' })
  t.equal(whole.headers['content-disposition'], `attachment; filename*=UTF-8''${encodeURIComponent(packageId)}.zip; filename="${packageId.replaceAll(/[^\w.-]/g, '_')}.zip"`)
  const file = path.join(console.front.stateDir, 'fetched.zip')
  writeFileSync(file, whole.raw)
  t.match(await verifyPackage(file), { isIntact: true, faults: [] })
  const half = whole.raw.length >> 1
  const rest = await custodian.get(place, { 'range': `bytes=${half}-`, 'if-range': whole.headers['etag'] as string })
  t.match(rest, { status: 206, headers: { 'content-range': `bytes ${half}-${whole.raw.length - 1}/${whole.raw.length}` } })
  t.ok(Buffer.concat([whole.raw.subarray(0, half), rest.raw]).equals(whole.raw))
  t.match(await custodian.get(place, { 'range': `bytes=${half}-`, 'if-range': '"another"' }), { status: 200 })
  t.match(await custodian.get(place, { range: `bytes=${whole.raw.length}-` }), { status: 416, headers: { 'content-range': `bytes */${whole.raw.length}` }, body: { code: 'CUSTOS_CONSOLE_REQUEST' } })
  const fetched = entries('copy.fetched').filter(entry => entry.result === 'done')
  t.match(fetched, [{ name: '人員lin (lin)', object: ready.copy }, {}, {}])
  t.same(fetched.map(entry => (JSON.parse(String(entry.detail)) as { from: number }).from), [0, half, 0], 'each part that left')

  t.match(good(await custodian.post(`/api/copies/${ready.copy}/publish`)), { isPublished: true }, 'again changes nothing')
  t.match(entries('copy.published').map(({ result }) => result), ['refused', 'done'])
  console.front.office.pass(60_000)
  const now = front.desk.reader.application(await front.as(...CUSTODIAN), application.number)
  done(await front.act(DIRECTOR, now, { kind: 'revoke', reason: '誤核' }))
  t.match(await (await counter.as(CUSTODIAN)).get(place), { status: 409, body: { code: 'CUSTOS_COPY_REFUSED', zh: /核准已失效/ } }, 'a grant that ended hands nothing out')
  await console.parts.copies.resume()
  const { archiveItem, removed } = await counter.read<Copy>(CLERK, `/api/copies/${ready.copy}`)
  t.match({ archiveItem, removed }, { archiveItem: /^A115-/, removed: { why: 'revoked' } })
  t.match(await (await counter.as(CUSTODIAN)).get(place), { status: 410, body: { code: 'CUSTOS_COPY_REMOVED', zh: new RegExp(`自本機移除（核准已撤銷）；Master 存於存檔區${archiveItem}。`), en: new RegExp(`removed from the recorder at .*: its grant was revoked; .* item ${archiveItem}`) } }, 'gone, and where its Master is')
  t.match(entries('copy.fetched').at(-1), { result: 'refused', detail: /CUSTOS_COPY_REMOVED/ })
  t.match(entries('copy.removed'), [{ result: 'done', object: ready.copy }])
})

t.test('the sheets beside a released copy are fetched by who may fetch it: cover and custody sheet as one ZIP, on record, and no longer than it', async t => {
  const { console, counter, release, custodian, place, ready, entries, application, front } = await released(t), sheets = place.replace(/package$/, 'sheets')
  t.match(await custodian.get(sheets), { status: 409, body: { code: 'CUSTOS_COPY_REFUSED', zh: /尚未交付/ } }, 'there are none before the release')
  const { packageId, manifestSha256 } = await release()
  for (const who of [CHIEF, CLERK, ['admin', 'system-admin']] as const) t.match(await (await counter.as(who)).get(sheets), { status: 403, body: { code: 'CUSTOS_RIGHT_MISSING' } }, who[1])
  t.equal((await console.stranger().get(sheets)).status, 401)
  t.equal((await custodian.get(`/api/copies/${'0'.repeat(32)}/sheets`)).status, 404)

  const got = await custodian.get(sheets)
  t.match(got, { status: 200, headers: { 'content-type': 'application/zip', 'content-length': String(got.raw.length), 'cache-control': 'no-store', 'etag': `"${manifestSha256}-sheets"`, 'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(`${packageId}.隨附文件`)}.zip; filename="${`${packageId}.隨附文件`.replaceAll(/[^\w.-]/g, '_')}.zip"` } })
  const folder = console.front.folder('sheets')
  mkdirSync(folder)
  writeFileSync(path.join(folder, 'sheets.zip'), got.raw)
  execFileSync('python3', ['-m', 'zipfile', '-e', path.join(folder, 'sheets.zip'), folder])
  const names = ['保管移轉紀錄及收據.pdf', '封面.pdf'], here = console.parts.copies.sheetsOf(ready.copy)!
  t.same(readdirSync(path.join(folder, `${packageId}.隨附文件`)).sort(), names)
  for (const name of names) {
    const bytes = readFileSync(path.join(folder, `${packageId}.隨附文件`, name))
    t.ok(bytes.equals(readFileSync(path.join(here, name))) && bytes.subarray(0, 5).toString() === '%PDF-', name)
  }
  t.match(entries('copy.sheets-fetched'), [{ result: 'refused' }, { result: 'done', name: '人員lin (lin)', object: ready.copy }])
  t.equal(entries('copy.fetched').length, 0, 'that is the package\'s')
  t.equal((await custodian.get(place)).headers['link'], `<${sheets}>; rel="related"`, 'the package says where its sheets are')

  console.front.office.pass(60_000)
  const now = front.desk.reader.application(await front.as(...CUSTODIAN), application.number)
  done(await front.act(DIRECTOR, now, { kind: 'revoke', reason: '誤核' }))
  t.match(await (await counter.as(CUSTODIAN)).get(sheets), { status: 409, body: { code: 'CUSTOS_COPY_REFUSED', zh: /核准已失效/ } })
  await console.parts.copies.resume()
  t.match(await (await counter.as(CUSTODIAN)).get(sheets), { status: 410, body: { code: 'CUSTOS_COPY_REMOVED' } })
})

t.test('the files of a released copy that are gone are a refusal with words', async t => {
  const { console, counter, release, ready, place } = await released(t)
  await release()
  rmSync(path.join(console.front.stateDir, 'copies', ready.copy), { recursive: true })
  t.match(await (await counter.as(CUSTODIAN)).get(place), { status: 409, body: { code: 'CUSTOS_COPY_REFUSED', zh: /不在本機/ } })
})

const openFilesIn = (folder: string): string[] => readdirSync('/proc/self/fd').flatMap(each => { try { return [readlinkSync(`/proc/self/fd/${each}`)] } catch { return [] } }).filter(name => name.startsWith(folder))
const fetching = (console: Console, { cookie }: Caller, place: string): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => { get({ host: '127.0.0.1', port: console.server.port, path: place, headers: { cookie: cookie ?? '', host: 'localhost:8443' }, agent: false }, resolve).on('error', reject) })

t.test('whoever breaks off leaves nothing behind, and a few at once are all there are', async t => {
  const { console, counter, release, ready, place } = await released(t)
  await release()
  const folder = path.join(console.front.stateDir, 'copies', ready.copy)
  writeFileSync(path.join(folder, ready.packageId, 'zzz'), Buffer.alloc(64 << 20)) // more than any socket takes at once
  const before = readdirSync(folder)
  const custodian = await counter.as(CUSTODIAN), open: IncomingMessage[] = []
  const restingBytes = process.memoryUsage().rss
  for (let i = 0; i < 4; i++) {
    const answer = await fetching(console, custodian, place)
    t.equal(answer.statusCode, 200)
    open.push(answer)
  }
  t.match(await custodian.get(place), { status: 503, body: { code: 'CUSTOS_CONSOLE_TOO_MANY' } })
  t.ok(openFilesIn(folder).length > 0)
  t.ok(process.memoryUsage().rss - restingBytes < 64 << 20, 'four of 64 MiB under way are not in memory')
  for (const answer of open) answer.destroy()
  while (openFilesIn(folder).length > 0) await new Promise(resolve => { setImmediate(resolve) })
  t.same(readdirSync(folder), before)
  const again = await fetching(console, custodian, place)
  let bytes = 0
  for await (const chunk of again) bytes += (chunk as Buffer).length
  t.equal(bytes, Number(again.headers['content-length']), 'and the next one gets all of it')
  t.notOk(console.log.some(line => /"level":(50|60)/.test(line)), 'a line that broke is no fault')
})

t.test('who waits for a copy looks at how far it is without typing a code again, and floods no log; taking it away wants one', async t => {
  const { front, custodian, counter, ready, release, place, entries } = await released(t)
  await release()
  const clerk = await counter.as(CLERK)
  front.office.pass(6 * 60_000)
  for (const who of [custodian, clerk]) for (const url of ['/api/copies', `/api/copies/${ready.copy}`]) t.match(await who.get(url), { status: 200 }, url)
  t.same(entries('console.refused'), [])
  t.match(await custodian.get(place), { status: 403, body: { code: 'CUSTOS_FACTOR_NEEDED' } })
  t.match(await (await counter.as(['lee', 'staff'])).get('/api/copies'), { status: 403, body: { code: 'CUSTOS_RIGHT_MISSING' } })
})

t.test('a package that is removed while it is fetched breaks the download off; nothing of it stays, and the next is told where the Master is', async t => {
  const { console, counter, release, ready, place, application, front } = await released(t)
  await release()
  const folder = path.join(console.front.stateDir, 'copies', ready.copy)
  for (const name of ['zzz', 'zzzz']) writeFileSync(path.join(folder, ready.packageId, name), Buffer.alloc(32 << 20)) // more than any socket takes at once
  const answer = await fetching(console, await counter.as(CUSTODIAN), place)
  t.equal(answer.statusCode, 200)
  console.front.office.pass(60_000)
  done(await front.act(DIRECTOR, front.desk.reader.application(await front.as(...CUSTODIAN), application.number), { kind: 'revoke', reason: '誤核' }))
  await console.parts.copies.resume()
  t.same(readdirSync(path.dirname(folder)), [])
  let bytes = 0
  await t.rejects(async () => { for await (const chunk of answer) bytes += (chunk as Buffer).length }, { code: 'ECONNRESET' })
  t.ok(bytes < Number(answer.headers['content-length']), 'not all of it')
  while (openFilesIn(path.dirname(folder)).length > 0) await new Promise(resolve => { setImmediate(resolve) })
  t.match(await (await counter.as(CUSTODIAN)).get(place), { status: 410 })
})
