import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { chromium, type Page } from 'playwright-core'
import { manifestText, verifyPackage, type Manifest, type Taken } from '../../src/export/index.ts'
import { TARGET } from '../../scripts/build-player.mjs'
import { CASE, DOOR, inARow, makePackage, Recorder, Shelf, span, START_MS, take } from '../export/package/support.ts'
import { COUNTER_HEIGHT, countedFootage, FPS } from '../support/evidence-package.ts'
import { realFootage } from '../support/fragments.ts'

const ARGUMENTS = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
const SHOTS = process.env.CUSTOS_SCREENSHOTS // a folder for whoever wants to look
const root = t.testdir()
const recorder = await Recorder.open(t as unknown as Test, path.join(root, 'state'))
const folderIn = (parent: string): string => { const folder = path.join(root, parent, `${CASE}-1`); mkdirSync(folder, { recursive: true }); return folder }
const both = (...taken: readonly Taken[]): Taken => ({ videos: taken.flatMap(({ videos }) => videos), unreadable: [], hadFootage: true })

// ---- a real package that plays for a minute --------------------------------------------------------------------------

const GAP_FROM_MS = 41_000, GAP_TO_MS = 47_000
/** Ends inside a record: its last one is cut. */
const LONG = span(0, 58_700)
/** One camera goes through; the other has a gap of six seconds. Both show the number of their frame. */
async function longPackage(): Promise<string> {
  const footage = await countedFootage(root, 60), shelf = new Shelf(), slotBytes = 64 << 20, half = footage.count * GAP_FROM_MS / 60_000
  await shelf.add(footage, inARow(footage, footage.count), { slotBytes })
  await shelf.add(footage, inARow(footage, Math.round(half)), { camera: DOOR, id: 'door', slotBytes })
  await shelf.add(footage, inARow(footage, footage.count - Math.round(half), { run: 2, fromMs: GAP_TO_MS, from: Math.round(half) }), { camera: DOOR, id: 'door', slotBytes })
  const folder = folderIn('long')
  await makePackage(recorder, path.dirname(folder), both(await take(shelf, folder, { range: LONG }), await take(shelf, folder, { range: LONG, camera: DOOR, location: '側門' })), { range: LONG })
  return folder
}
/** Small, for spoiling. */
const small = await realFootage({ codec: 'h264', width: 320, height: 180, seconds: 4 })
async function shortPackage(who: Recorder, parent: string): Promise<string> {
  const shelf = new Shelf(), range = span(0, 8_800), folder = folderIn(parent)
  await shelf.add(small, inARow(small, 4))
  await shelf.add(small, inARow(small, 4, { run: 2, fromMs: 7_000 }))
  await makePackage(who, path.dirname(folder), await take(shelf, folder, { range }), { range })
  return folder
}

const playerFile = path.join(root, 'player.html')
copyFileSync(TARGET, playerFile)
async function browser(t: Test): Promise<Page> {
  const context = await chromium.launchPersistentContext(path.join(t.testdir(), 'profile'), { executablePath: '/usr/bin/chromium', args: ARGUMENTS, headless: false, viewport: { width: 1280, height: 800 } })
  t.teardown(() => context.close())
  return await context.newPage()
}
async function open(page: Page, folder: string): Promise<void> {
  await page.goto(pathToFileURL(playerFile).href)
  await page.locator('#pick-folder').setInputFiles(folder)
}
const settled = (page: Page) => page.locator('#verdict:not([data-kind=working])[data-kind]').waitFor({ timeout: 20_000 })
const shot = async (page: Page, name: string): Promise<void> => { if (SHOTS !== undefined) { mkdirSync(SHOTS, { recursive: true }); await page.screenshot({ path: path.join(SHOTS, `${name}.png`) }) } }
const wallOf = async (page: Page, camera: string): Promise<number> => Date.parse(await page.locator(`.camera[data-camera=${camera}]`).getAttribute('data-wall') ?? '') - START_MS
/** The number in the picture itself. */
const frameOf = async (page: Page, camera: string): Promise<number> => await page.evaluate<number>(`(() => {
  const canvas = document.createElement('canvas'), context = canvas.getContext('2d')
  canvas.width = 640; canvas.height = 360
  context.drawImage(document.querySelector('.camera[data-camera=${camera}] video'), 0, 0)
  return [...Array(10).keys()].reduce((sum, bit) => sum + (context.getImageData(bit * 32 + 16, ${COUNTER_HEIGHT / 2}, 1, 1).data[0] > 128 ? 2 ** bit : 0), 0)
})()`)
/** Picture after picture; the test's own limit ends it. */
async function untilShown(page: Page, isSo: (wall: number) => boolean): Promise<void> {
  while (!isSo(await wallOf(page, 'lobby'))) await page.evaluate('new Promise(done => { requestAnimationFrame(done) })')
}
async function seek(page: Page, ms: number): Promise<void> {
  await page.evaluate(`(() => { const slider = document.getElementById('slider'); slider.value = '${ms}'; slider.dispatchEvent(new Event('input')) })()`)
  await untilShown(page, wall => wall === Math.floor(ms * FPS / 1000) * 1000 / FPS)
}
async function step(page: Page, button: string): Promise<void> {
  const before = await page.locator('#cameras').getAttribute('data-steps') ?? '0'
  await page.locator(button).click()
  await page.locator(`#cameras[data-steps="${Number(before) + 1}"]`).waitFor()
}
const bufferedFrom = async (page: Page): Promise<number> => await page.evaluate<number>(`(buffered => buffered.length === 0 ? -1 : buffered.start(0))(document.querySelector('.camera[data-camera=lobby] video').buffered)`)

t.test('a package of the real makers: confirmed by its fingerprint, played past what the buffer holds, back again, and stepped to its last cut picture', { timeout: 60_000 }, async t => {
  const folder = await longPackage()
  const manifest = JSON.parse(readFileSync(path.join(folder, 'manifest.json'), 'utf8')) as Manifest
  t.same(manifest.videos.map(({ records }) => records.at(-1)?.cut), [true, false, true], 'both ends are cut, the one before the gap is not')
  t.match((await verifyPackage(folder, { fingerprint: recorder.key.fingerprint })), { isIntact: true, origin: 'confirmed' })
  const page = await browser(t)
  await open(page, folder)
  await settled(page)
  t.same([await page.locator('#verdict').getAttribute('data-kind'), await page.locator('#fault-rows li').allInnerTexts()], ['intact-unconfirmed', []])
  await page.locator('#typed').fill(recorder.key.fingerprint.replace(/(....)/g, '$1 '))
  t.equal(await page.locator('#verdict').getAttribute('data-kind'), 'confirmed')
  t.same(await page.locator('#checks li:not(.good)').count(), 0)

  await page.locator('#tab-play').click()
  await page.locator('#stage[data-ready]').waitFor()
  t.equal(await frameOf(page, 'lobby'), 0)
  t.equal(await bufferedFrom(page), 0)
  for (let i = 0; i < 4; i++) await page.locator('#faster').click() // 16×
  await page.locator('#play').click()
  await untilShown(page, wall => wall > 43_000)
  await page.keyboard.press('k')
  await page.locator('#play[aria-pressed=false]').waitFor()
  const dropped = await bufferedFrom(page)
  t.ok(dropped > 5, `the beginning left the buffer, which begins at ${dropped} s`)
  await shot(page, 'player-real')
  await seek(page, 3_000)
  t.equal(await frameOf(page, 'lobby'), 30, 'read again from the file')
  t.equal(await frameOf(page, 'door'), 30)
  t.ok(await bufferedFrom(page) < 3.1)

  await seek(page, GAP_FROM_MS + 2_000)
  await page.locator('.camera[data-camera=door].in-gap').waitFor()
  t.equal(await frameOf(page, 'lobby'), (GAP_FROM_MS + 2_000) * FPS / 1000)
  await seek(page, GAP_TO_MS)
  t.equal(await frameOf(page, 'door'), GAP_FROM_MS * FPS / 1000, 'after its gap the other camera goes on with its next picture')

  await seek(page, 58_000)
  for (let frame = 581; frame <= 586; frame++) { // over the edge of the last, cut record
    await step(page, '#forward')
    t.equal(await frameOf(page, 'lobby'), frame)
    t.equal(await wallOf(page, 'lobby'), frame * 1000 / FPS)
  }
  await step(page, '#forward')
  t.equal(await frameOf(page, 'lobby'), 586, 'nothing after the granted end')
  await step(page, '#back')
  t.equal(await frameOf(page, 'lobby'), 585)

  await page.setViewportSize({ width: 390, height: 844 })
  for (const tab of ['play', 'verify']) {
    await page.locator(`#tab-${tab}`).click()
    const over = await page.evaluate<string[]>(`[...document.querySelectorAll('main *, header *')].filter(each => each.getClientRects().length > 0 && getComputedStyle(each).position !== 'absolute' && each.closest('table, details, .timeline, [hidden]') === null && each.getBoundingClientRect().right > document.documentElement.clientWidth - 4).map(each => each.tagName + '#' + each.id + '.' + each.className)`)
    t.same(over, [], `${tab}: everything keeps a margin at the right`)
    await shot(page, `player-390-${tab}`)
  }
})

// ---- the page and the program say the same ---------------------------------------------------------------------------

const read = (folder: string, name: string): Buffer => readFileSync(path.join(folder, name))
const filesIn = (folder: string): string[] => (readdirSync(folder, { recursive: true }) as string[]).filter(name => statSync(path.join(folder, name)).isFile()).sort()
function flip(folder: string, name: string, at: number): void {
  const bytes = read(folder, name)
  bytes[at]! ^= 1
  writeFileSync(path.join(folder, name), bytes)
}
/** Everything listed, summed and signed anew by `who`. */
async function resealed(folder: string, who: Recorder, change: (manifest: Manifest) => Manifest = manifest => manifest): Promise<void> {
  const manifest = change(JSON.parse(read(folder, 'manifest.json').toString('utf8')) as Manifest)
  const files = manifest.files.map(file => { const bytes = read(folder, file.path); return { ...file, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') } })
  const text = Buffer.from(manifestText({ ...manifest, files }))
  writeFileSync(path.join(folder, 'manifest.json'), text)
  writeFileSync(path.join(folder, 'manifest.sig'), who.key.sign(text))
  writeFileSync(path.join(folder, 'manifest.p7s'), await who.certificate.cms(path.join(folder, 'manifest.json')))
  writeFileSync(path.join(folder, 'SHA256SUMS'), [...files, { path: 'manifest.json', sha256: createHash('sha256').update(text).digest('hex') }].sort((a, b) => a.path < b.path ? -1 : 1).map(file => `${file.sha256}  ${file.path}\n`).join(''))
}

t.test('spoilt in every way, the page names the same faults as the program', { timeout: 120_000 }, async t => {
  const sound = await shortPackage(recorder, 'sound'), { fingerprint } = recorder.key
  const forger = await Recorder.open(t, path.join(root, 'forger'))
  const page = await browser(t)
  await page.goto(pathToFileURL(playerFile).href)
  const ofPage = async (folder: string): Promise<string[]> => {
    await open(page, folder)
    await settled(page)
    await page.evaluate(`(() => { const typed = document.getElementById('typed'); typed.value = '${fingerprint}'; typed.dispatchEvent(new Event('input')) })()`)
    return [...new Set(await page.locator('#fault-rows code').allInnerTexts())].sort()
  }
  let copies = 0
  const compare = async (what: string, spoil: (folder: string) => void | Promise<void>): Promise<string[]> => {
    const folder = path.join(root, `copy-${++copies}`, `${CASE}-1`)
    cpSync(sound, folder, { recursive: true })
    await spoil(folder)
    const program = [...new Set((await verifyPackage(folder, { fingerprint })).faults.map(({ code }) => code))].sort()
    t.same(await ofPage(folder), program, `${what}: ${program.join(', ')}`)
    rmSync(path.dirname(folder), { recursive: true })
    return program
  }
  t.same(await compare('untouched', () => undefined), [])
  for (const name of filesIn(sound)) {
    const { length } = read(sound, name)
    for (const at of new Set([0, length >> 2, length >> 1, length - 1])) t.not((await compare(`a bit at ${at} of ${name}`, folder => { flip(folder, name, at) })).length, 0)
    t.ok((await compare(`${name} dropped`, folder => { rmSync(path.join(folder, name)) })).includes('file-missing'))
  }
  const { videos } = JSON.parse(read(sound, 'manifest.json').toString('utf8')) as Manifest, [one = '', two = ''] = videos.map(({ path: name }) => name)
  const [first, second] = videos[0]!.records
  t.same(await compare('a file added', folder => { writeFileSync(path.join(folder, 'video', 'other.mp4'), 'x') }), ['file-extra'])
  t.same(await compare('a video renamed', folder => { renameSync(path.join(folder, one), path.join(folder, 'video', 'new.mp4')) }), ['file-extra', 'file-missing'])
  await compare('the manifest renamed', folder => { renameSync(path.join(folder, 'manifest.json'), path.join(folder, 'manifest.json.x')) })
  await compare('two videos swapped', folder => { renameSync(path.join(folder, one), path.join(folder, 't')); renameSync(path.join(folder, two), path.join(folder, one)); renameSync(path.join(folder, 't'), path.join(folder, two)) })
  await compare('two records swapped, signed by the recorder', async folder => {
    const bytes = read(folder, one), cut = (record: { offset: number, bytes: number }): Buffer => bytes.subarray(record.offset, record.offset + record.bytes)
    writeFileSync(path.join(folder, one), Buffer.concat([bytes.subarray(0, first!.offset), cut(second!), cut(first!), bytes.subarray(second!.offset + second!.bytes)]))
    const sha256 = createHash('sha256').update(read(folder, one)).digest('hex')
    await resealed(folder, recorder, manifest => ({ ...manifest, videos: manifest.videos.map((video, i) => i > 0 ? video : { ...video, sha256, records: [{ ...second!, offset: first!.offset }, { ...first!, offset: first!.offset + second!.bytes }, ...video.records.slice(2)] }) }))
  })
  await compare('the last entry cut off, signed by the recorder', async folder => {
    writeFileSync(path.join(folder, 'audit/entries.jsonl'), `${read(folder, 'audit/entries.jsonl').toString('utf8').trimEnd().split('\n').slice(0, -1).join('\n')}\n`)
    await resealed(folder, recorder)
  })
  t.same(await compare('signed anew by the recorder', folder => resealed(folder, recorder)), [])
  await compare('another case than the entries are of', folder => resealed(folder, recorder, manifest => ({ ...manifest, application: { ...manifest.application, number: '115-調-0099' } })))
  await compare('a segment that no entry names', folder => resealed(folder, recorder, manifest => ({ ...manifest, videos: manifest.videos.map(video => ({ ...video, segments: video.segments.map(segment => ({ ...segment, auditSeq: 1 })) })) })))
  await compare('a video that is no listed file', folder => resealed(folder, recorder, manifest => ({ ...manifest, videos: manifest.videos.map((video, i) => i > 0 ? video : { ...video, sha256: 'e'.repeat(64) }) })))
  await compare('a manifest written prettily', folder => { writeFileSync(path.join(folder, 'manifest.json'), JSON.stringify(JSON.parse(read(folder, 'manifest.json').toString('utf8')), null, 2)) })
  await compare('signed by another key', folder => resealed(folder, forger))
  await compare('another key inside as well', async folder => {
    writeFileSync(path.join(folder, 'pub.pem'), forger.key.publicPem)
    writeFileSync(path.join(folder, 'recorder-cert.pem'), forger.certificate.pem)
    await resealed(folder, forger, manifest => ({ ...manifest, key: { ...manifest.key, fingerprint: forger.key.fingerprint } }))
  })
  const forged = await shortPackage(forger, 'forged')
  t.same(await compare('forged as a whole, with a log of its own', folder => { rmSync(folder, { recursive: true }); cpSync(forged, folder, { recursive: true }) }), ['wrong-key'])
})
