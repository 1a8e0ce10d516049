import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { chromium, type Page } from 'playwright-core'
import { verifyPackage, type Manifest, type Taken } from '../../src/export/index.ts'
import { TARGET } from '../../scripts/build-player.mjs'
import { CASE, DOOR, inARow, makePackage, Recorder, Shelf, span, START_MS, take } from '../export/package/support.ts'
import { COUNTER_HEIGHT, countedFootage, FPS } from '../support/evidence-package.ts'

const ARGUMENTS = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
const SHOTS = process.env.CUSTOS_SCREENSHOTS // a folder for whoever wants to look
const root = t.testdir()
const recorder = await Recorder.open(t as unknown as Test, path.join(root, 'state'))
const folderIn = (parent: string): string => { const folder = path.join(root, parent, `${CASE}-1`); mkdirSync(folder, { recursive: true }); return folder }
const both = (...taken: readonly Taken[]): Taken => ({ videos: taken.flatMap(({ videos }) => videos), unreadable: [], hadFootage: true, cameraOffsets: taken.flatMap(({ cameraOffsets }) => cameraOffsets) })

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

t.test('a package of the real makers: confirmed by its fingerprint, played past what the buffer holds, back again, and stepped to its last cut picture', { timeout: 180_000 }, async t => {
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
