import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { chromium } from 'playwright-core'
import t from 'tap'
import { epochMs } from '../../src/domain/index.ts'
import { serveViewing } from '../../src/viewing/index.ts'
import { realFootage } from '../support/fragments.ts'
import { viewingServer } from '../support/viewing-server.ts'
import { at } from '../requests/support/front-desk.ts'
import { recordRun } from './support/footage.ts'
import { DOOR, LOBBY, ScreeningRoom } from './support/screening-room.ts'

const NINE = at('2026-11-20T09:00:00')
const FLAGS = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required']
/** Set to a folder to look at what the page shows. */
const PICTURES = process.env['CUSTOS_TEST_PICTURES']
const range = (fromMs: number, toMs: number, camera = LOBBY) => ({ camera, from: epochMs(NINE + fromMs), to: epochMs(NINE + toMs) })

t.test('Chromium plays two cameras in step on the kiosk page, under a moving watermark, over a gap, and blanks all at the end', async t => {
  await using room = await ScreeningRoom.open(t)
  const footage = await realFootage({ codec: 'h264', width: 640, height: 360, seconds: 4 })
  await recordRun(room.rig, { camera: LOBBY, id: 'hall', footage, fromMs: NINE, seconds: 8 })
  await recordRun(room.rig, { camera: LOBBY, id: 'hall', footage, fromMs: NINE + 12_000, seconds: 10 })
  await recordRun(room.rig, { camera: DOOR, id: 'gate', footage, fromMs: NINE, seconds: 22 })
  const application = await room.granted([range(1_000, 20_000), range(1_000, 20_000, DOOR)])
  const token = await room.login()
  const screen = room.show(token, application)
  await using server = await viewingServer((socket, screenId) => { serveViewing({ screens: room.screens, sessions: room.front.office.access.sessions }, { token, screenId, socket }) })
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS })
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
    const errors: string[] = []
    page.on('pageerror', error => errors.push(error.message))
    page.on('console', said => { if (said.type() === 'error' && !said.text().includes('favicon')) errors.push(said.text()) })
    /** The page's policy allows no evaluation from within: it is asked again and again from outside. */
    const becomes = async (expression: string, boundMs = 15_000) => {
      const deadline = performance.now() + boundMs
      while (await page.evaluate(expression) !== true) {
        if (performance.now() > deadline) { await shoot('late'); throw new Error(`not within ${boundMs} ms: ${expression}; ${errors.join()}`) }
        await page.waitForTimeout(50)
      }
    }
    const shoot = async (name: string) => {
      if (PICTURES === undefined) return
      await mkdir(PICTURES, { recursive: true })
      await page.screenshot({ path: path.join(PICTURES, `${name}.png`) })
    }
    await page.goto(`${server.url}?screen=${screen.id}`)
    const isShowing = (camera: number) => `document.querySelectorAll('video')[${camera}]?.readyState >= 2 && !document.querySelectorAll('.camera')[${camera}].classList.contains('blank')`
    await becomes(`${isShowing(0)} && ${isShowing(1)}`)
    await shoot('1-opened')
    await page.click('#play')
    await becomes('[...document.querySelectorAll("video")].every(video => !video.paused && video.currentTime > 3)')
    const offs: number[] = []
    for (let i = 0; i < 10; i++) {
      offs.push(await page.evaluate<number>('(() => { const [a, b] = [...document.querySelectorAll("video")]; return Math.abs(a.currentTime - b.currentTime) * 1000 })()'))
      await page.waitForTimeout(100)
    }
    t.comment(`cameras apart on the screen: ${offs.map(off => Math.round(off)).join(', ')} ms`)
    t.ok(Math.max(...offs) < 250, 'in step')
    await shoot('2-playing')
    const mark = 'document.querySelector("canvas").toDataURL()'
    const first = await page.evaluate(mark)
    t.ok(await page.evaluate('(() => { const c = document.querySelector("canvas"); return c.getContext("2d").getImageData(0, 0, c.width, c.height).data.some(value => value > 0) })()'), 'the watermark is there')
    await becomes(`${mark} !== ${JSON.stringify(first)}`)
    t.match(await page.textContent('#clock'), /^民國115年11月20日 09:00:/)
    t.match(await page.textContent('#subject'), application.number)
    await page.evaluate('document.querySelector("#bar").dispatchEvent(new MouseEvent("click", { bubbles: true, clientX: document.querySelector("#bar").getBoundingClientRect().left + document.querySelector("#bar").getBoundingClientRect().width * 9 / 19 }))')
    await becomes(`document.querySelectorAll('.camera')[0].textContent.includes('此段無影像') && ${isShowing(1)}`)
    await shoot('3-gap')
    await becomes(`${isShowing(0)} && document.querySelectorAll('video')[0].currentTime > 11.2`)
    const bar = (await page.locator('#bar').boundingBox())!
    await page.mouse.move(bar.x + bar.width * 0.8, bar.y + 10)
    await becomes('!document.querySelector("#preview").hidden')
    await shoot('3b-still')
    await page.mouse.move(bar.x + bar.width / 2, bar.y - 300)
    await becomes('document.querySelector("#preview").hidden')
    await page.click('#step')
    await becomes('[...document.querySelectorAll("video")].every(video => video.paused && !video.seeking)')
    await page.waitForTimeout(200) // both stand where the page holds them
    const before = await page.evaluate<number>('document.querySelectorAll("video")[1].currentTime')
    await page.click('#step')
    await becomes(`Math.abs(document.querySelectorAll("video")[1].currentTime - ${before} - 1 / 15) < 0.01`)
    await page.emulateMedia({ media: 'print' })
    t.equal(await page.evaluate('getComputedStyle(document.body).display'), 'none', 'print is blank')
    await page.emulateMedia({ media: 'screen' })
    t.same(await page.evaluate('[...document.querySelectorAll("video")].map(video => [video.disablePictureInPicture, video.disableRemotePlayback, video.controls])'), [[true, true, false], [true, true, false]])
    t.equal(await page.evaluate('!document.body.dispatchEvent(new MouseEvent("contextmenu", { bubbles: true, cancelable: true }))'), true, 'no context menu')
    await page.click('#close')
    await page.waitForSelector('#veil:not([hidden])')
    t.equal(await page.evaluate('document.querySelectorAll("video").length'), 0, 'no picture is left')
    await shoot('4-closed')
    t.same(errors, [])
    t.equal(screen.closed, 'closed')
    t.ok(['viewing.opened', 'viewing.played', 'viewing.sought', 'viewing.paused', 'viewing.scrubbing', 'viewing.scrubbed', 'viewing.closed'].every(action => room.actions().includes(action)))
  } finally { await browser.close() }
})
