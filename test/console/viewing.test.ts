import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import type { Test } from 'tap'
import { chromium } from 'playwright-core'
import t from 'tap'
import WebSocket from 'ws'
import type { ServerMessage } from '../../src/viewing/index.ts'
import { inARow } from '../export/package/support.ts'
import { CUSTODIAN, DIRECTOR, done, hour, LOBBY, OUTSIDE, police } from '../requests/support/front-desk.ts'
import { realFootage } from '../support/fragments.ts'
import { Caller, Console } from './support/caller.ts'
import { good } from './support/procedure.ts'

interface Opened { readonly screen: string, readonly page: string }
const FLAGS = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required']

/** A case of the police on footage that stands, granted, its statement signed. */
async function granted(t: Test) {
  const console = await Console.open(t), { front } = console
  const footage = await realFootage({ codec: 'h264', width: 320, height: 240, seconds: 8 })
  await console.shelf.add(footage, inARow(footage, footage.count))
  let application = done(await front.receive(police({ asked: [hour(LOBBY)] }))).application
  for (const who of OUTSIDE.slice(0, -1)) application = done(await front.sign(who, application)).application
  application = done(await front.act(DIRECTOR, application, { kind: 'decide', step: 3, decision: 'agree', reason: null, ground: null, narrowTo: null, isNotTheApplicant: false, grant: { days: 5, place: '本所調閱室', isPreRollAllowed: false } })).application
  application = done(await front.act(CUSTODIAN, application, { kind: 'sign-statement', name: '趙警員' })).application
  const asked = { application: application.number, visitor: { name: '趙警員', part: 'applicant' }, isStatementConfirmed: true }
  return { console, front, application, asked, host: `127.0.0.1:${console.server.port}` }
}
const open = async (caller: Caller, asked: object): Promise<Opened> => good<Opened>(await caller.post('/api/screens/granted', asked), 201)

/** Asks for a socket; what it came to, with all that was told on it. */
async function player(host: string, screen: string, headers: Readonly<Record<string, string>>, place = '/viewer/screens/') {
  const socket = new WebSocket(`ws://${host}${place}${screen}`, { headers }), told: ServerMessage[] = []
  socket.on('message', (data, isBinary) => { if (!isBinary) told.push(JSON.parse(String(data)) as ServerMessage) })
  const closed = new Promise<number>(resolve => { socket.on('close', resolve) })
  const status = await new Promise<number>(resolve => {
    socket.on('unexpected-response', (_request, response) => { resolve(response.statusCode ?? 0); response.resume(); socket.terminate() })
    socket.on('open', () => { resolve(101) })
    socket.on('error', () => undefined)
  })
  return { socket, status, told, closed }
}
const facing = (host: string, { cookie }: Caller) => ({ cookie: cookie ?? '', origin: `http://${host}` })

t.test('a viewing opened over HTTP plays in Chromium over the console\'s own socket, and ends when the grant is revoked', async t => {
  const { console, front, application, asked, host } = await granted(t)
  const lin = await console.as(...CUSTODIAN)
  const { screen, page: address } = await open(lin, asked)
  t.equal(address, `/viewer/?screen=${screen}`)
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS })
  try {
    const context = await browser.newContext(), page = await context.newPage(), errors: string[] = []
    const [name = '', value = ''] = lin.cookie!.split('=')
    await context.addCookies([{ name, value, domain: '127.0.0.1', path: '/', httpOnly: true, sameSite: 'Strict' }])
    page.on('pageerror', error => errors.push(error.message))
    page.on('console', said => { if (said.type() === 'error' && !/favicon/.test(said.text() + said.location().url)) errors.push(said.text()) })
    const becomes = async (expression: string) => {
      for (const deadline = performance.now() + 15_000; await page.evaluate(expression) !== true;) {
        if (performance.now() > deadline) throw new Error(`not in time: ${expression}; ${errors.join()}`)
        await page.waitForTimeout(50)
      }
    }
    const answer = await page.goto(`http://${host}${address}`)
    t.match(answer!.headers(), { 'content-security-policy': /^default-src 'none'; script-src 'self'; .*frame-ancestors 'none'$/, 'permissions-policy': /display-capture=\(\)/, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
    await becomes("document.querySelectorAll('video')[0]?.readyState >= 2")
    await page.click('#play')
    await becomes('document.querySelector("video").currentTime > 2')
    t.match(await page.textContent('#subject'), application.number)
    done(await front.act(DIRECTOR, application, { kind: 'revoke', reason: '誤核' }))
    await becomes("!document.querySelector('#veil').hidden && document.querySelectorAll('video').length === 0")
    t.match(await page.textContent('#veil-text'), /撤銷/)
    t.same(errors, [])
  } finally { await browser.close() }
  t.same(good<{ screens: unknown[] }>(await lin.get('/api/screens')).screens, [])
  t.match(front.office.entries('viewing.closed').map(({ detail }) => detail), ['{"reason":"revoked"}'])
})

t.test('a socket is for the page and the login that opened the screen; nobody else gets as far', async t => {
  const { console, asked, host } = await granted(t)
  const lin = await console.as(...CUSTODIAN)
  const { screen } = await open(lin, asked)
  const own = facing(host, lin)
  const status = async (headers: Readonly<Record<string, string>>, place?: string) => (await player(host, screen, headers, place)).status
  t.equal(await status({ ...own, origin: 'http://evil.example' }), 403, 'a foreign page')
  t.equal(await status({ ...own, origin: `https://${host}` }), 403, 'another scheme')
  t.equal(await status({ cookie: own.cookie }), 403, 'no page at all')
  t.equal(await status({ ...own, host: 'evil.example', origin: 'http://evil.example' }), 403, 'a name made to point here')
  t.equal(await status({ ...own, 'sec-fetch-site': 'cross-site' }), 403)
  t.equal(await status({ origin: own.origin }), 401, 'nobody is signed in')
  t.equal(await status({ ...own, cookie: `${own.cookie}x` }), 401)
  t.equal(await status(own, '/viewer/other/'), 404)
  t.equal(await status(own, '/api/screens/'), 404, 'the API has no sockets')
  const other = await player(host, screen, facing(host, await console.as(...CUSTODIAN)))
  t.same([other.status, await other.closed, other.told], [101, 4404, []], 'the same person, another login')
  const mine = await player(host, screen, own)
  if (mine.told.length === 0) await once(mine.socket, 'message')
  t.match(mine.told, [{ type: 'opened', kind: 'granted', subject: asked.application }])
  mine.socket.send('x'.repeat(1025))
  t.equal(await mine.closed, 1009, 'words beyond the bound end the line')

  const raw = async (): Promise<{ socket: ReturnType<typeof connect>, head: string }> => {
    const socket = connect(console.server.port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write(`GET /viewer/screens/${'f'.repeat(32)} HTTP/1.1\r\nhost: ${host}\r\norigin: http://${host}\r\ncookie: ${own.cookie}\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${Buffer.alloc(16).toString('base64')}\r\n\r\n`)
    const [head] = await once(socket, 'data') as [Buffer]
    return { socket, head: head.toString('latin1').split('\r\n')[0] ?? '' }
  }
  const lingering = [] // none of them answers the close
  for (let i = 0; i < 5; i++) lingering.push(await raw())
  t.same(lingering.map(({ head }) => head.split(' ')[1]), ['101', '101', '101', '101', '503'])
  for (const { socket } of lingering) socket.destroy()
})

t.test('a player whose cable was pulled answers no ping, and its line ends; one that answers keeps it', async t => {
  const { console, front, asked, host } = await granted(t)
  const lin = await console.as(...CUSTODIAN), second = await console.as(...DIRECTOR)
  const { screen } = await open(lin, asked), live = good<Opened>(await second.post('/api/screens/live', { cameras: ['lobby'] }), 201)
  const there = await player(host, live.screen, facing(host, second)), gone = await player(host, screen, facing(host, lin))
  gone.socket.pause()
  const pinged = once(there.socket, 'ping')
  await front.office.clock.advance(15_000)
  await pinged
  for (const before = there.told.length; there.told.length < before + 2;) await once(there.socket, 'message') // its answer has long come
  const cut = gone.closed
  await front.office.clock.advance(15_000)
  gone.socket.resume()
  t.equal(await cut, 1006)
  t.equal(there.socket.readyState, WebSocket.OPEN)
  there.socket.close()
  await there.closed
})

t.test('a socket ends with the console, and screens with their login', async t => {
  const { console, asked, host } = await granted(t)
  const lin = await console.as(...CUSTODIAN)
  const { screen } = await open(lin, asked)
  const first = await player(host, screen, facing(host, lin))
  good(await lin.send('DELETE', '/api/session'), 204)
  await first.closed
  t.match(first.told.at(-1), { type: 'closed', reason: 'signed-out' })
  const again = await console.as(...CUSTODIAN), second = await player(host, (await open(again, asked)).screen, facing(host, again))
  t.equal(second.status, 101)
  await console.server[Symbol.asyncDispose]()
  t.equal(await second.closed, 1006, 'the listener does not wait for players')
})

t.test('what the API says of screens: refusals with words, one screen a login, a still, the lock, the end', async t => {
  const { console, front, asked, host } = await granted(t)
  const lin = await console.as(...CUSTODIAN)
  t.match(await lin.post('/api/screens/granted', { ...asked, isStatementConfirmed: false }), { status: 409, body: { code: 'CUSTOS_VIEWING_REFUSED', zh: /保密聲明/, en: /secrecy statement/ } })
  t.match(await lin.post('/api/screens/granted', { ...asked, application: '115-調-9999' }), { status: 409, body: { code: 'CUSTOS_VIEWING_REFUSED' } })
  t.match(await lin.post('/api/screens/granted', { ...asked, visitor: { name: '', part: 'applicant' } }), { status: 409, body: { code: 'CUSTOS_BOOK_REFUSED' } })
  t.same([front.count('viewing_session'), front.count('book_line')], [0, 0])
  const key = { 'idempotency-key': 'once-only-1' }
  const { screen } = good<Opened>(await lin.post('/api/screens/granted', asked, key), 201)
  t.equal(good<Opened>(await lin.post('/api/screens/granted', asked, key), 201).screen, screen, 'the same request again is the same screen')
  t.match(await lin.post('/api/screens/granted', asked), { status: 409, body: { code: 'CUSTOS_VIEWING_BUSY' } })
  t.equal(front.count('book_line'), 1)
  t.match(good(await lin.get('/api/screens')), { screens: [{ screen, kind: 'granted', application: asked.application, isLocked: false }] })
  const still = `/api/screens/${screen}/still?camera=0&at=${hour(LOBBY).from + 2_000}`
  const picture = await lin.get(still)
  t.match(picture, { status: 200, headers: { 'content-type': 'image/jpeg', 'cache-control': 'no-store' } })
  t.equal(picture.raw.readUInt16BE(0), 0xffd8)
  t.match(await lin.get(`/api/screens/${screen}/still?camera=7&at=0`), { status: 409, body: { code: 'CUSTOS_PICTURE_FAILED' } })
  const second = await console.as(...CUSTODIAN)
  t.match(await second.get(still), { status: 404 }, 'another login')
  t.match(await second.post(`/api/screens/${screen}/close`), { status: 404 })
  const viewer = await player(host, screen, facing(host, lin))
  front.office.pass(5.5 * 60_000)
  while (!viewer.told.some(({ type }) => type === 'locked')) await once(viewer.socket, 'message')
  t.match(await lin.post('/api/screens/granted', { ...asked, cameras: [LOBBY] }), { status: 409 })
  t.match(await lin.get(still), { status: 409, body: { code: 'CUSTOS_PICTURE_FAILED' } }, 'a locked screen shows nothing')
  t.match(good(await lin.get('/api/screens')), { screens: [{ isLocked: true }] })
  good(await lin.post('/api/session/viewing', { password: front.member('lin').password }), 204)
  viewer.socket.send(JSON.stringify({ type: 'act' }))
  while (!viewer.told.some(({ type }) => type === 'unlocked')) await once(viewer.socket, 'message')
  t.equal((await lin.get(still)).status, 200)
  good(await lin.post(`/api/screens/${screen}/close`), 204)
  await viewer.closed
  t.match(viewer.told.at(-1), { type: 'closed', reason: 'closed' })
  t.match(await lin.post(`/api/screens/${screen}/close`), { status: 404 })
})

t.test('live view for its posts, and aiming by two persons in two roles', async t => {
  const { console, front } = await granted(t)
  const lin = await console.as(...CUSTODIAN)
  t.match(await (await console.as('lin', 'clerk')).post('/api/screens/live', { cameras: ['lobby'] }), { status: 403, body: { code: 'CUSTOS_RIGHT_MISSING' } })
  t.match(await lin.post('/api/screens/live', { cameras: ['nowhere'] }), { status: 409, body: { code: 'CUSTOS_VIEWING_REFUSED' } })
  const { screen } = good<Opened>(await (await console.as(...DIRECTOR)).post('/api/screens/live', { cameras: ['lobby', 'door'] }), 201)
  t.match(front.office.entries('live.opened').at(-1), { object: screen, result: 'done' })
  t.match(await lin.get(`/api/screens/${screen}/still?camera=0&at=0`), { status: 404 })

  const proposal = good<{ id: string }>(await lin.post('/api/aiming', { camera: 'door', reason: '鏡頭遭碰撞' }), 201)
  t.match(await lin.post(`/api/aiming/${proposal.id}/join`), { status: 409, body: { zh: /二人/ } })
  front.office.directorActing = await front.as('boss', 'director')
  const checker = await console.signedIn(await front.office.person('hsu', ['checker']), 'checker')
  t.match(good(await checker.get('/api/aiming')), { proposals: [{ id: proposal.id, camera: '大門', by: '人員lin', reason: '鏡頭遭碰撞' }] })
  const aiming = good<Opened>(await checker.post(`/api/aiming/${proposal.id}/join`), 201)
  t.match(good(await checker.get('/api/screens')), { screens: [{ screen: aiming.screen, kind: 'aiming', application: null }] })
  t.match(await checker.post(`/api/aiming/${proposal.id}/join`), { status: 409 }, 'once')
  t.match(await lin.post('/api/reference-images', { camera: 'door' }), { status: 409, body: { code: 'CUSTOS_PICTURE_FAILED' } }, 'nothing is recorded here')
  t.match(await lin.get('/api/reference-images/door'), { status: 404 })
  t.match(await lin.post(`/api/reference-images/candidates/${'0'.repeat(32)}/approve`), { status: 409, body: { code: 'CUSTOS_VIEWING_REFUSED' } })
})

t.test('the page is these files and no others', async t => {
  const { console } = await granted(t)
  for (const name of ['', 'viewer.js', 'camera.js', 'preview.js', 'standing.js', 'timeline.js', 'watermark.js', 'wire.js', 'viewer.css']) t.equal((await console.stranger().get(`/viewer/${name}`)).status, 200, name)
  for (const name of ['index.htm', '..%2f..%2fpackage.json', '../package.json', '%2e%2e/package.json', 'viewer.js%00.css']) t.equal((await console.stranger().get(`/viewer/${name}`)).status, 404, name)
  t.equal((await console.stranger().get('/viewer/', { host: 'evil.example' })).status, 403)
})

t.test('over TLS the socket takes the secure cookie and the secure page alone', async t => {
  const console = await Console.open(t, { tls: 'auto' }), boss = console.front.member('boss'), host = `127.0.0.1:${console.server.port}`, secure = { origin: 'https://localhost:8443' }
  const signedIn = await console.stranger().post<{ session: { csrfToken: string } }>('/api/session', { name: boss.name, password: boss.password, undertakes: '1', code: console.front.office.code(boss) })
  const caller = new Caller(console, signedIn.cookie, signedIn.body.session.csrfToken)
  good(await caller.post('/api/session/role', { role: 'director' }, secure))
  const { screen } = good<Opened>(await caller.post('/api/screens/live', { cameras: ['lobby'] }, secure), 201)
  t.match(caller.cookie, /^__Host-custos=/)
  const status = async (headers: Readonly<Record<string, string>>): Promise<number> => {
    const socket = new WebSocket(`wss://${host}/viewer/screens/${screen}`, { headers, ca: await readFile(console.front.folder('keys', 'console.crt')) })
    t.teardown(() => { socket.terminate() })
    socket.on('error', () => undefined)
    return new Promise(resolve => { socket.on('open', () => { resolve(101) }); socket.on('unexpected-response', (_request, response) => { resolve(response.statusCode ?? 0) }) })
  }
  const cookie = caller.cookie!
  t.equal(await status({ cookie, origin: `http://${host}` }), 403)
  t.equal(await status({ cookie: cookie.replace('__Host-custos', 'custos-loopback'), origin: `https://${host}` }), 401)
  t.equal(await status({ cookie, origin: `https://${host}` }), 101)
})
