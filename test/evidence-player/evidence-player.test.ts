import { createHash, createPrivateKey, generateKeyPairSync, sign, webcrypto } from 'node:crypto'
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, openAsBlob, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import fc from 'fast-check'
import t from 'tap'
import { chromium, type Page } from 'playwright-core'
import { epochMs } from '../../src/domain/index.ts'
import { boxesIn, MediaError, parseMoof, readInit } from '../../web/evidence-player/boxes.ts'
import type { BlobLike, Bytes } from '../../web/evidence-player/bytes.ts'
import { rawSignature } from '../../web/evidence-player/der.ts'
import { compareFingerprint, faultOf, verdictOf } from '../../web/evidence-player/faults.ts'
import { packageOf } from '../../web/evidence-player/folder.ts'
import { ManifestError, parseManifest } from '../../web/evidence-player/manifest.ts'
import { checkRecords, scanRecords } from '../../web/evidence-player/record-check.ts'
import { Sha256 } from '../../web/evidence-player/sha256.ts'
import { parseSums } from '../../web/evidence-player/sums.ts'
import { rocText, utcText } from '../../web/evidence-player/time-text.ts'
import { verifyPackage } from '../../web/evidence-player/verify.ts'
import { hashBlob } from '../../web/evidence-player/worker.ts'
import { buildPlayer, TARGET } from '../../scripts/build-player.mjs'
import { COUNTER_HEIGHT, countedFootage, FPS, makeEvidencePackage, type MadePackage } from '../support/evidence-package.ts'

const START = epochMs(Date.parse('2026-11-22T08:00:00.000Z'))
const bytesOf = (...parts: readonly (Buffer | string)[]): Bytes => new Uint8Array(Buffer.concat(parts.map(part => Buffer.from(part))))
const digests = { hash: hashBlob, records: (blob: BlobLike, video: Parameters<typeof checkRecords>[1]) => checkRecords(blob, video) }
const tools = {
  ...digests,
  async signature(spki: Bytes, raw: Bytes, data: Bytes): Promise<boolean> {
    const key = await webcrypto.subtle.importKey('spki', spki, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify']).catch(() => null) // no key at all
    return key !== null && await webcrypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, key, raw, data)
  },
}

const folder = mkdtempSync(path.join(tmpdir(), 'custos-player-'))
t.teardown(() => { rmSync(folder, { recursive: true, force: true }) })

/** Two cameras; the first has a gap of 4 s after its 4 s, of the second key frames alone are told for 2 s. Made once. */
const made: Promise<MadePackage> = (async () => {
  const [first, second] = [await countedFootage(folder, 4), await countedFootage(folder, 4, { firstFrame: 100 })]
  const player = readFileSync(TARGET, 'utf8')
  return await makeEvidencePackage(path.join(folder, '115-0001-1'), [
    { id: 'lobby', name: '大廳', parts: [{ footage: first, startAt: START }, { footage: second, startAt: epochMs(START + 8000) }] },
    { id: 'counter', name: '櫃檯<b>1</b>', parts: [{ footage: second, startAt: epochMs(START + 1000) }], thinned: { from: epochMs(START + 2000), to: epochMs(START + 4000) } },
  ], player)
})()
let copies = 0
/** A copy to spoil. */
async function copied(): Promise<string> {
  const to = path.join(folder, `copy-${++copies}`, '115-0001-1')
  cpSync((await made).folder, to, { recursive: true })
  return to
}
async function filesOf(root: string): Promise<Map<string, Blob>> {
  const names = readdirSync(root, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile()).map(entry => path.relative(root, path.join(entry.parentPath, entry.name)))
  return new Map(await Promise.all(names.map(async name => [name, await openAsBlob(path.join(root, name))] as const)))
}
const faultsOf = async (root: string): Promise<string[]> => (await verifyPackage(await filesOf(root), tools)).faults.map(({ code, path: where }) => `${code} ${where}`).sort()
function flipBit(file: string, at: number): void {
  const bytes = readFileSync(file)
  const place = at < 0 ? bytes.length + at : at
  bytes[place] = bytes[place]! ^ 1
  writeFileSync(file, bytes)
}
const videosIn = (root: string): string[] => readdirSync(path.join(root, 'video')).sort().map(name => `video/${name}`)

t.test('the committed page is what its sources make, and forbids itself every network access', async t => {
  const html = readFileSync(TARGET, 'utf8')
  t.ok(html === buildPlayer(), 'run node scripts/build-player.mjs')
  t.match(html, /content="default-src 'none'; script-src 'sha256-[A-Za-z0-9+/=]+'; style-src 'sha256-[A-Za-z0-9+/=]+'; img-src data: blob:; media-src blob:; worker-src blob:; base-uri 'none'; form-action 'none'"/)
  t.notMatch(html, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|fetch\(|XMLHttpRequest|https?:\/\//)
  t.equal(html.match(/<script/g)?.length, 1)
})

t.test('SHA-256 gives the vectors of FIPS 180-4, and what node gives, in whatever pieces', async t => {
  const hex = (text: string): string => new Sha256().update(bytesOf(text)).digestHex()
  t.equal(hex(''), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  t.equal(hex('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  t.equal(hex('abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq'), '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1')
  t.equal(hex('a'.repeat(1_000_000)), 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0')
  fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 12 }), pieces => {
    const hash = new Sha256()
    for (const piece of pieces) hash.update(piece)
    return hash.digestHex() === createHash('sha256').update(Buffer.concat(pieces)).digest('hex')
  }))
})

t.test('a signature in DER becomes the one that WebCrypto takes; what is none is refused', async t => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256', publicKeyEncoding: { type: 'spki', format: 'der' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } })
  for (let i = 0; i < 200; i++) { // about half of all numbers have a zero in front, one in 256 is short
    const data = bytesOf(`message ${i}`)
    t.ok(await tools.signature(bytesOf(publicKey), rawSignature(bytesOf(sign('sha256', data, createPrivateKey(privateKey)))), data))
  }
  const good = sign('sha256', 'x', createPrivateKey(privateKey))
  fc.assert(fc.property(fc.uint8Array({ maxLength: 90 }), bytes => { try { return rawSignature(new Uint8Array(bytes)).length === 64 } catch { return true } }))
  for (const bad of [good.subarray(0, -1), Buffer.concat([good, Buffer.from([0])]), Buffer.from([0x30, 0x80]), Buffer.alloc(0), Buffer.from('300602018002017f', 'hex')]) t.throws(() => rawSignature(bytesOf(bad)))
})

t.test('boxes: whatever the bytes are, reading them ends, with MediaError at worst', async t => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), bytes => {
    try { boxesIn(bytes, 0, bytes.length); return true } catch (error) { return error instanceof MediaError }
  }))
  const { folder: root } = await made
  const video = readFileSync(path.join(root, videosIn(root)[0]!))
  const init = await readInit(new Blob([video]))
  t.match(init.video.codec, /^avc1\.42[c0]0/)
  const moof = boxesIn(new Uint8Array(video), 0, video.length).find(box => box.type === 'moof')!
  fc.assert(fc.property(fc.integer({ min: moof.bodyAt, max: moof.endAt - 1 }), fc.integer({ min: 0, max: 255 }), (at, value) => {
    const bytes = new Uint8Array(video)
    bytes[at] = value
    try { return parseMoof(bytes, moof).tracks.every(track => track.frames.length <= 4096) } catch (error) { return error instanceof MediaError }
  }), { numRuns: 300 })
  await t.rejects(readInit(new Blob(['nothing of the kind'])), { name: 'MediaError' })
})

t.test('a file without a manifest is read by the recorder\'s own times', async t => {
  const { folder: root } = await made
  const { records, isWhole } = await scanRecords(await openAsBlob(path.join(root, videosIn(root).find(name => name.includes('lobby'))!)))
  t.equal(isWhole, true)
  t.equal(records[0]!.atMs, START)
  t.equal(records.at(-1)!.atMs + records.at(-1)!.durationMs, START + 4000)
  t.equal(records.filter(record => record.key).length, 4)
})

t.test('times are those of Taipei in the calendar of the Republic, with UTC', async t => {
  t.equal(rocText(START), '民國115年11月22日 16:00:00.000')
  t.equal(rocText(Date.parse('2025-12-31T16:00:00.050Z')), '民國115年1月1日 00:00:00.050')
  t.equal(utcText(START), '2026-11-22 08:00:00.000 UTC')
})

t.test('the verdict: a fault is said before all, and a stranger\'s key is never called confirmed', async t => {
  const fingerprint = 'ab'.repeat(32)
  const kind = (typed: string, faults = 0, signatureChecked = true): string =>
    verdictOf({ faults: Array.from({ length: faults }, () => faultOf('file-altered', 'x')), signatureChecked, fingerprint, typed }).kind
  t.equal(kind(''), 'intact-unconfirmed')
  t.equal(kind('AB:ab AB'), 'intact-unconfirmed', 'half a fingerprint confirms nothing')
  t.equal(kind('ＡＢ '.repeat(32)), 'confirmed', 'full-width letters and blanks count as their like')
  t.equal(kind('cd'.repeat(32)), 'broken')
  t.equal(verdictOf({ faults: [], signatureChecked: true, fingerprint, typed: 'cd'.repeat(32) }).faults[0]!.code, 'wrong-key')
  t.equal(kind(fingerprint, 1), 'broken')
  t.equal(kind(fingerprint, 0, false), 'undecided')
  t.equal(compareFingerprint('xyz', fingerprint), 'other')
})

t.test('what was handed over: the package is found at any depth, and lists are read strictly', async t => {
  const given = ['a/b/115/manifest.json', 'a/b/115/video/1.mp4', 'a/other.txt', 'a/b/115/forms/manifest.json'].map(name => ({ path: name, file: new Blob([name]) }))
  t.same([...packageOf(given).files.keys()], ['manifest.json', 'video/1.mp4', 'forms/manifest.json'])
  const hex = '0'.repeat(64)
  t.equal(parseSums(`${hex}  a b\n${hex} *c\r\n`)?.get('a b'), hex)
  for (const bad of ['x', `${hex} a`, `${hex}  a\n${hex}  a`, `${hex.slice(1)}  a`]) t.equal(parseSums(bad), null)
})

t.test('a hostile manifest is refused with its place, not believed', async t => {
  const good = JSON.parse(readFileSync(path.join((await made).folder, 'manifest.json'), 'utf8')) as Record<string, unknown>
  const parse = (change: Record<string, unknown>): unknown => parseManifest(bytesOf(JSON.stringify({ ...good, ...change })))
  t.ok(parse({}))
  for (const [change, place] of [
    [{ format: 'x' }, /format/], [{ videos: {} }, /videos is no list/], [{ files: [{ path: '../x', bytes: 1, sha256: '0'.repeat(64) }] }, /leaves the package/],
    [{ packageId: 'x'.repeat(5000) }, /5000 characters/], [{ gaps: Array.from({ length: 100_001 }, () => 0) }, /100001 items/], [{ key: null }, /key is no mapping/],
    [{ videos: [{ ...(good.videos as object[])[0], records: [{ segment: 9 }] }] }, /segment is not listed/],
  ] as const) t.throws(() => parse(change), { message: place })
  fc.assert(fc.property(fc.json(), text => { try { parseManifest(bytesOf(text)); return false } catch (error) { return error instanceof ManifestError } }))
  t.throws(() => parseManifest(bytesOf('['.repeat(200_000))), { name: 'ManifestError' })
})

t.test('an untouched package verifies, records, audit and all', async t => {
  const { folder: root, fingerprint } = await made
  const report = await verifyPackage(await filesOf(root), tools)
  t.same(report.faults, [])
  t.equal(report.fingerprint, fingerprint)
  t.equal(report.checks.length, 7)
  t.ok(report.checks.every(check => check.state === 'good'), JSON.stringify(report.checks))
})

t.test('one flipped bit in any file is named', async t => {
  const names = [...(await filesOf((await made).folder)).keys()]
  for (const name of names) {
    const root = await copied()
    flipBit(path.join(root, name), name.endsWith('.p7s') ? -5 : name.endsWith('.pem') ? 40 : name === 'SHA256SUMS' ? 3 : -3)
    const faults = await faultsOf(root)
    const wanted = name === 'manifest.json' ? 'manifest-altered manifest.json' : name === 'manifest.sig' ? 'manifest-altered manifest.json' : name === 'manifest.p7s' ? 'cms-invalid manifest.p7s' : name === 'SHA256SUMS' ? 'sums-altered SHA256SUMS' : `file-altered ${name}`
    t.ok(faults.includes(wanted), `${name}: ${faults.join(', ')}`)
    if (name.startsWith('audit/')) t.ok(faults.includes('audit-altered audit/entries.jsonl'), 'the log is named beside the file')
    if (name.endsWith('.mp4')) t.ok(faults.includes(`records-altered ${name}`), 'and where in the video')
    rmSync(path.dirname(root), { recursive: true })
  }
})

t.test('missing, added, renamed and exchanged files are named, and a log cut short', async t => {
  const spoil = async (how: (root: string) => void): Promise<string[]> => { const root = await copied(); how(root); return await faultsOf(root) }
  const [one = '', , three = ''] = videosIn((await made).folder)
  t.same(await spoil(root => { rmSync(path.join(root, one)) }), [`file-missing ${one}`])
  t.same(await spoil(root => { writeFileSync(path.join(root, 'video/other.mp4'), 'x') }), ['file-extra video/other.mp4'])
  t.same(await spoil(root => { writeFileSync(path.join(root, '.DS_Store'), 'x') }), [], 'what a file manager leaves is no fault')
  t.same(await spoil(root => { renameSync(path.join(root, one), path.join(root, 'video/new.mp4')) }), ['file-extra video/new.mp4', `file-missing ${one}`])
  t.same(await spoil(root => { rmSync(path.join(root, 'manifest.sig')) }), ['file-missing manifest.sig'])
  const exchanged = await spoil(root => { renameSync(path.join(root, one), path.join(root, 't')); renameSync(path.join(root, three), path.join(root, one)); renameSync(path.join(root, 't'), path.join(root, three)) })
  for (const name of [one, three]) for (const code of ['file-altered', 'records-altered']) t.ok(exchanged.includes(`${code} ${name}`))
  const log = path.join('audit', 'entries.jsonl')
  t.ok((await spoil(root => { writeFileSync(path.join(root, log), readFileSync(path.join(root, log), 'utf8').split('\n').slice(0, 2).join('\n')) })).includes('audit-altered audit/entries.jsonl'))
})

// ---- in a browser --------------------------------------------------------------------------------------------------

const ARGUMENTS = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
const SHOTS = process.env.CUSTOS_SCREENSHOTS // a folder for whoever wants to look

t.test('in Chromium, from disk', async t => {
  const { folder: root, fingerprint } = await made
  const playerFile = path.join(folder, 'player.html')
  copyFileSync(TARGET, playerFile)
  const profile = path.join(folder, 'profile')
  const context = await chromium.launchPersistentContext(profile, { executablePath: '/usr/bin/chromium', args: ARGUMENTS, headless: false, viewport: { width: 1280, height: 800 }, acceptDownloads: true })
  t.teardown(() => context.close())
  const requests: string[] = [], complaints: string[] = []
  const page = await context.newPage()
  page.on('request', request => { requests.push(request.url()) })
  page.on('console', message => { if (message.type() === 'error') complaints.push(message.text()) })
  page.on('pageerror', error => { complaints.push(String(error)) })
  const shot = async (name: string): Promise<void> => { if (SHOTS !== undefined) { mkdirSync(SHOTS, { recursive: true }); await page.screenshot({ path: path.join(SHOTS, `${name}.png`), fullPage: true }) } }
  const verdict = async (kind: string): Promise<string> => { await page.locator(`#verdict[data-kind=${kind}]`).waitFor({ timeout: 10_000 }); return await page.locator('#verdict').innerText() }
  const open = async (from: string): Promise<void> => {
    await page.goto(pathToFileURL(playerFile).href)
    await page.locator('#pick-folder').setInputFiles(from)
  }
  await page.goto(pathToFileURL(playerFile).href)
  await shot('1-start')

  await t.test('an untouched package is intact, and confirmed once its fingerprint is typed', async t => {
    await open(root)
    t.match(await verdict('intact-unconfirmed'), /來源尚未確認[\s\S]*Intact but origin not confirmed/)
    await shot('2-unconfirmed')
    await page.locator('#typed').fill(fingerprint.toUpperCase().match(/.{4}/g)!.join(' '))
    t.match(await verdict('confirmed'), /驗證通過/)
    await shot('3-confirmed')
    await page.locator('#typed').fill('00'.repeat(32))
    t.match(await verdict('broken'), /驗證不通過/)
    t.match(await page.locator('#faults').innerText(), /wrong-key[\s\S]*指紋[\s\S]*fingerprint/)
  })

  await t.test('frame steps show exactly the next frame, over records and gaps, and its time', async t => {
    await page.locator('#tab-play').click()
    await page.locator('#stage[data-ready]').waitFor()
    await page.locator('.camera[data-camera=lobby][data-wall]').waitFor()
    await shot('4-play')
    t.equal(await frameOf(page, 'lobby', 0), 0)
    t.equal(await wallOf(page, 'lobby'), START)
    for (let frame = 1; frame <= 12; frame++) { // over two records and a key frame
      await step(page, '#forward')
      t.equal(await frameOf(page, 'lobby', frame), frame)
      t.equal(await wallOf(page, 'lobby'), START + frame * 1000 / FPS)
      if (frame >= 10) t.equal(await frameOf(page, 'counter', 100 + frame - 10), 100 + frame - 10, 'the other camera is shown as it was then')
    }
    await step(page, '#back')
    t.equal(await frameOf(page, 'lobby', 11), 11)
    await step(page, '#key-forward')
    t.equal(await frameOf(page, 'lobby', 20), 20)
    await step(page, '#key-back')
    t.equal(await frameOf(page, 'lobby', 10), 10)
    await step(page, '#key-forward')
    await step(page, '#key-forward')
    for (let frame = 31; frame < 40; frame++) await step(page, '#forward')
    t.equal(await frameOf(page, 'lobby', 39), 39)
    await step(page, '#forward')
    t.equal(await frameOf(page, 'lobby', 100), 100, 'the frame after the gap')
    t.equal(await wallOf(page, 'lobby'), START + 8000)
  })

  await t.test('a gap is drawn and named; a span of key frames alone is drawn apart from it, and plays', async t => {
    t.equal(await page.locator('.track .gap').count(), 1)
    t.match(await page.locator('.track .thinned').evaluateAll(bars => bars.map(bar => bar.title)), [/^僅關鍵影格 Key frames only：.*order of sacrifice（/])
    await page.locator('#gaps summary').click()
    t.match(await page.locator('#gaps').innerText(), /依犧牲順序只錄關鍵畫面[\s\S]*攝影機斷線[\s\S]*camera unreachable/)
    await page.locator('#gaps button').first().click()
    await page.locator('.camera[data-camera=counter]:not(.in-gap)').waitFor()
    t.notOk(await page.locator('.camera[data-camera=counter] .plate').isVisible(), 'there are pictures')
    await page.locator('#gaps button').last().click()
    await page.locator('.camera[data-camera=lobby].in-gap').waitFor()
    t.match(await page.locator('.camera[data-camera=lobby] .plate').innerText(), /無錄影：攝影機斷線/)
    t.equal(await page.locator('.camera b').count(), 0, 'a name is text, whatever it holds')
    await shot('5-gap')
  })

  await t.test('plays, and the cameras stay in step', async t => {
    await page.keyboard.press('Home')
    await page.evaluate(`(() => { const slider = document.getElementById('slider'); slider.value = '1000'; slider.dispatchEvent(new Event('input')) })()`)
    await page.locator('#cameras[data-settled-at]').waitFor()
    await page.locator('#play').click()
    while (await wallOf(page, 'lobby') < START + 2500) await page.evaluate('new Promise(done => { requestAnimationFrame(done) })') // the test's own limit ends it
    const [one, other] = await page.evaluate(`[...document.querySelectorAll('video')].map(video => video.currentTime)`) as [number, number]
    t.ok(Math.abs(one - other) < 0.4, `${one} ${other}`)
    await page.keyboard.press('k')
    await page.locator('#play[aria-pressed=false]').waitFor()
  })

  await t.test('a snapshot carries its case, time and hash in its picture and name', async t => {
    const [download] = await Promise.all([page.waitForEvent('download'), page.locator('#snapshot').click()])
    t.match(download.suggestedFilename(), /^115-0001_大廳_20261122T0800\d{5}Z\.png$/)
    const saved = path.join(SHOTS ?? folder, 'snapshot.png')
    await download.saveAs(saved)
    const png = readFileSync(saved)
    t.equal(png.readUInt32BE(16), 640)
    t.ok(png.readUInt32BE(20) > 360 + 60, 'there is room for the lines beneath')
  })

  await t.test('narrow, and in dark', async () => {
    await page.setViewportSize({ width: 390, height: 844 })
    await page.emulateMedia({ colorScheme: 'dark' })
    t.equal(await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth'), 0, 'nothing runs out of the page')
    await shot('6-narrow-play')
    await page.locator('#tab-verify').click()
    t.equal(await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth'), 0)
    await shot('7-narrow-verify')
    await page.setViewportSize({ width: 1280, height: 800 })
    await shot('8-dark-verify')
    await page.emulateMedia({ colorScheme: 'light' })
  })

  await t.test('a bit of a video flipped, a file gone: named in both languages', async t => {
    const spoilt = await copied()
    const [one = '', two = ''] = videosIn(spoilt)
    flipBit(path.join(spoilt, one), -100)
    rmSync(path.join(spoilt, two))
    await open(spoilt)
    t.match(await verdict('broken'), /驗證不通過[\s\S]*Verification failed/)
    const faults = await page.locator('#faults').innerText()
    t.match(faults, /file-missing[\s\S]*缺少檔案[\s\S]*A file is missing/)
    t.match(faults, /file-altered[\s\S]*已遭更動[\s\S]*altered/)
    t.match(faults, /records-altered[\s\S]*2026-11-22T08:/)
    await shot('9-broken')
  })

  await t.test('a manifest of nonsense is told and nothing runs from it', async t => {
    const spoilt = await copied()
    writeFileSync(path.join(spoilt, 'manifest.json'), '{"format":"custos-evidence/1","packageId":"<img src=x onerror=alert(1)>"}')
    await open(spoilt)
    t.match(await verdict('broken'), /驗證不通過/)
    t.match(await page.locator('#faults').innerText(), /manifest-altered[\s\S]*無法解讀[\s\S]*cannot be read/)
    await page.locator('#tab-play').click()
    await page.locator('#stage[data-ready]').waitFor()
    t.equal(await page.locator('.camera').count(), 3, 'the videos still play by their own times')
  })

  await t.test('H.265 that the browser cannot play is said so, with the way out', async t => {
    const h265 = path.join(folder, 'h265')
    const footage = await countedFootage(folder, 1, { codec: 'libx265' })
    await makeEvidencePackage(h265, [{ id: 'door', name: '門口', parts: [{ footage, startAt: START }] }], readFileSync(TARGET, 'utf8'))
    await open(h265)
    await verdict('intact-unconfirmed')
    await page.locator('#tab-play').click()
    t.match(await page.locator('.plate').innerText(), /無法播放 H\.265[\s\S]*VLC[\s\S]*video\/door_20261122T080000000Z\.mp4/)
    await shot('10-h265')
  })

  t.same(requests.filter(url => !/^(file|blob|data):/.test(url)), [], 'no request left the machine')
  t.ok(requests.length > 0)
  t.same(complaints, [], 'no error in the console, of the policy least of all')
})

async function step(page: Page, button: string): Promise<void> {
  const before = await page.locator('#cameras').getAttribute('data-steps') ?? '0'
  await page.locator(button).click()
  await page.locator(`#cameras[data-steps="${Number(before) + 1}"]`).waitFor()
}

const wallOf = async (page: Page, camera: string): Promise<number> => Date.parse(await page.locator(`.camera[data-camera=${camera}]`).getAttribute('data-wall') ?? '')

const PICTURE_WITHIN_MS = 5_000

/** The number in the picture itself, which stands there some milliseconds after the player asked for it. */
async function frameOf(page: Page, camera: string, wanted: number): Promise<number> {
  const deadline = performance.now() + PICTURE_WITHIN_MS
  for (;;) {
    const frame = await frameNow(page, camera)
    if (frame === wanted || performance.now() > deadline) return frame
  }
}

async function frameNow(page: Page, camera: string): Promise<number> {
  return await page.evaluate<number>(`(() => {
    const canvas = document.createElement('canvas')
    canvas.width = 640
    canvas.height = 360
    const context = canvas.getContext('2d')
    context.drawImage(document.querySelector('.camera[data-camera=${camera}] video'), 0, 0)
    return [...Array(10).keys()].reduce((sum, bit) => sum + (context.getImageData(bit * 32 + 16, ${COUNTER_HEIGHT / 2}, 1, 1).data[0] > 128 ? 2 ** bit : 0), 0)
  })()`)
}
