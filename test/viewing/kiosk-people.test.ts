import t, { type Test } from 'tap'
import { epochMs } from '../../src/domain/index.ts'
import { realFootage } from '../support/fragments.ts'
import { MINUTE_MS } from '../access/support/office.ts'
import { at } from '../requests/support/front-desk.ts'
import { recordRun } from './support/footage.ts'
import { kioskPage } from './support/kiosk-page.ts'
import { LOBBY, ScreeningRoom } from './support/screening-room.ts'

const NINE = at('2026-11-20T09:00:00')
const SHOWN = "document.querySelector('video')?.readyState >= 2 && !document.querySelector('.camera').classList.contains('blank')"
const CLOCK = "document.querySelector('#clock').textContent"

async function opened(t: Test) {
  const room = await ScreeningRoom.open(t)
  await recordRun(room.rig, { camera: LOBBY, id: 'hall', footage: await realFootage({ codec: 'h264', width: 320, height: 240, seconds: 4 }), fromMs: NINE, seconds: 100 })
  const application = await room.granted([{ camera: LOBBY, from: epochMs(NINE), to: epochMs(NINE + 90_000) }])
  const token = await room.login(), screen = room.show(token, application)
  const kiosk = await kioskPage(room, { token, screen })
  await kiosk.becomes(SHOWN)
  return { room, token, screen, kiosk, ...kiosk, async [Symbol.asyncDispose]() { await kiosk[Symbol.asyncDispose](); await room[Symbol.asyncDispose]() } }
}

t.test('all is done by the keyboard alone; a locked screen says why, lets nothing behind it be reached, and goes on by a key', async t => {
  await using scene = await opened(t)
  const { room, token, page, becomes, shoot, errors } = scene
  const focus = () => page.evaluate<string>('document.activeElement.id')
  await page.keyboard.press('Tab')
  t.equal(await focus(), 'close')
  await page.keyboard.press('Tab')
  t.equal(await focus(), 'bar')
  await shoot('10-focus')
  for (const [key, second] of [['ArrowRight', '09:00:05'], ['Shift+ArrowRight', '09:01:05'], ['ArrowLeft', '09:01:00'], ['PageDown', '09:01:09'], ['End', '09:01:29'], ['Home', '09:00:00']] as const) {
    await page.keyboard.press(key)
    await becomes(`${CLOCK}.includes('${second}') && ${SHOWN}`)
  }
  t.match(await page.getAttribute('#bar', 'aria-valuetext'), '09:00:00')
  await page.keyboard.press('.')
  await becomes("Math.abs(document.querySelector('video').currentTime - 1 / 15) < 0.01")
  await page.keyboard.press(' ')
  await becomes(`/Pause/.test(document.querySelector('#play').textContent) && ${CLOCK}.includes('09:00:02')`)
  room.front.office.pass(5.5 * MINUTE_MS)
  await becomes("!document.querySelector('#veil').hidden")
  t.match(await page.textContent('#veil-text'), /鎖定.*密碼.*Locked.*password/s)
  t.equal(await focus(), 'veil-button')
  t.match(await page.textContent('#subject'), /趙警員／人員kuan/, 'who looks, and beside whom')
  for (let i = 0; i < 4; i++) { await page.keyboard.press('Tab'); t.match(await focus(), /^(veil-button)?$/, 'nothing behind it') }
  await page.focus('#veil-button')
  await page.keyboard.press('Enter')
  await becomes("/輸入密碼解除.*Still locked/s.test(document.querySelector('#veil-text').textContent)")
  await shoot('11-locked')
  await room.front.office.access.signIn.unlockViewing(token, room.kuan.password)
  await page.keyboard.press('Enter')
  await becomes("document.querySelector('#veil').hidden")
  t.equal(await focus(), 'play')
  await page.keyboard.press('Enter')
  await becomes(`${CLOCK}.includes('09:00:05')`)
  t.same(errors, [])
})

t.test('a line that was cut takes the pictures away, says what to do, and is there again at the same place', async t => {
  await using scene = await opened(t)
  const { screen, page, becomes, shoot, lines, errors } = scene
  await page.focus('#bar')
  await page.keyboard.press('Shift+ArrowRight')
  await becomes(`${CLOCK}.includes('09:01:00') && ${SHOWN}`)
  await page.waitForTimeout(700) // the playhead is told
  for (const line of lines) line.close()
  await becomes("!document.querySelector('#veil').hidden && document.querySelectorAll('video').length === 0")
  t.match(await page.textContent('#veil-text'), /連線已中斷.*重新連線.*connection/s)
  await shoot('12-line-cut')
  lines.clear()
  await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')])
  await becomes(`${SHOWN} && ${CLOCK}.includes('09:01:00')`)
  for (const line of lines) Object.assign(line, { send: () => undefined }) // a cable that was pulled: nobody is told
  await becomes("!document.querySelector('#veil').hidden && document.querySelectorAll('video').length === 0")
  await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')])
  await becomes(SHOWN)
  await page.evaluate("document.querySelector('canvas').style.opacity = '0'")
  await becomes("/浮水印.*watermark/s.test(document.querySelector('#veil-text').textContent)")
  t.equal(screen.closed, 'closed')
  await page.reload()
  await becomes("/已結束.*over/s.test(document.querySelector('#veil-text').textContent)")
  t.same(errors, [])
})
