import t from 'tap'
import { epochMs } from '../../src/domain/index.ts'
import { realFootage, spoiltPictures } from '../support/fragments.ts'
import { at } from '../requests/support/front-desk.ts'
import { recordRun } from './support/footage.ts'
import { kioskPage } from './support/kiosk-page.ts'
import { DOOR, LOBBY, ScreeningRoom } from './support/screening-room.ts'

const NINE = at('2026-11-20T09:00:00')
const range = (fromMs: number, toMs: number, camera = LOBBY) => ({ camera, from: epochMs(NINE + fromMs), to: epochMs(NINE + toMs) })
const SMALL = { width: 320, height: 240, seconds: 4 } as const

t.test('the page plays to the end whatever is missing: key frames out of step, a hole of a second, a camera granted for a part, time between two ranges', async t => {
  await using room = await ScreeningRoom.open(t)
  const footage = await realFootage({ ...SMALL, codec: 'h264' })
  for (const [fromMs, seconds] of [[0, 5], [6_000, 30], [70_000, 10]] as const) await recordRun(room.rig, { camera: LOBBY, id: 'hall', footage, fromMs: NINE + fromMs, seconds })
  await recordRun(room.rig, { camera: DOOR, id: 'gate', footage, fromMs: NINE + 437, seconds: 40 })
  const application = await room.granted([range(1_250, 30_000), range(70_000, 74_000), range(1_250, 12_000, DOOR), range(20_000, 35_000, DOOR)])
  const token = await room.login(), screen = room.show(token, application)
  await using kiosk = await kioskPage(room, { token, screen })
  const { page, becomes, shoot } = kiosk
  const stateOf = (camera: number) => `document.querySelectorAll('.camera .state')[${camera}].textContent`
  await becomes('[...document.querySelectorAll("video")].some(video => video.readyState >= 2)')
  await page.selectOption('#rate', '4')
  await page.click('#play')
  await becomes(`/未核准.*Not granted/.test(${stateOf(1)})`)
  await shoot('6-not-granted')
  await becomes(`/未核准.*Not granted/.test(${stateOf(0)}) && ${stateOf(1)} === ''`)
  await becomes("document.querySelector('#clock').textContent.includes('09:01:1')")
  await becomes("/終點.*[Ee]nd/.test(document.querySelector('#note').textContent)")
  await shoot('7-end')
  t.match(await page.textContent('#clock'), /09:01:1[34]/)
  t.match(await page.textContent('#play'), /Play/)
  await page.click('#play')
  await becomes("document.querySelector('#clock').textContent.includes('09:00:0')")
  t.match(await page.textContent('#note'), /^$/)
  t.same(kiosk.errors, [])
})

t.test('of two H.265 cameras one is transcoded and both tell why; what was recorded before and after in H.264 keeps its place', async t => {
  await using room = await ScreeningRoom.open(t)
  const hevc = await realFootage({ ...SMALL, codec: 'h265' }), avc = await realFootage({ ...SMALL, codec: 'h264' })
  for (const [camera, id] of [[LOBBY, 'hall'], [DOOR, 'gate']] as const) {
    await recordRun(room.rig, { camera, id, footage: avc, fromMs: NINE, seconds: 3 })
    await recordRun(room.rig, { camera, id, footage: hevc, fromMs: NINE + 3_000, seconds: 4 })
    await recordRun(room.rig, { camera, id, footage: avc, fromMs: NINE + 7_000, seconds: 40 })
  }
  const application = await room.granted([range(0, 40_000), range(0, 40_000, DOOR)])
  const token = await room.login(), screen = room.show(token, application)
  await using kiosk = await kioskPage(room, { token, screen })
  const { page, becomes, shoot } = kiosk
  await becomes('[...document.querySelectorAll("video")].every(video => video.readyState >= 2)')
  await page.click('#play')
  await becomes("[...document.querySelectorAll('.camera')].some(box => /轉碼.*transcoded/.test(box.textContent) && !box.classList.contains('blank'))")
  await becomes("[...document.querySelectorAll('.camera .state')].some(state => /H\\.265.*一次.*one camera/s.test(state.textContent))")
  await shoot('8-h265')
  await becomes("document.querySelector('#clock').textContent.includes('09:00:08') && [...document.querySelectorAll('.camera')].every(box => !box.classList.contains('blank') && !box.textContent.includes('轉碼'))")
  await shoot('9-h264-again')
  t.same(kiosk.errors, [])
})

t.test('pictures that no decoder makes anything of are told under their camera; the other plays on, and a later place shows both again', async t => {
  await using room = await ScreeningRoom.open(t)
  const footage = await realFootage({ ...SMALL, codec: 'h264', seconds: 8 })
  await recordRun(room.rig, { camera: LOBBY, id: 'hall', footage: spoiltPictures(footage, [8, 9]), fromMs: NINE, seconds: 8 })
  await recordRun(room.rig, { camera: LOBBY, id: 'hall', footage, fromMs: NINE + 8_000, seconds: 40 })
  await recordRun(room.rig, { camera: DOOR, id: 'gate', footage, fromMs: NINE, seconds: 48 })
  const application = await room.granted([range(0, 45_000), range(0, 45_000, DOOR)])
  const token = await room.login(), screen = room.show(token, application)
  await using kiosk = await kioskPage(room, { token, screen })
  const { page, becomes } = kiosk
  await becomes("[...document.querySelectorAll('video')].some(video => video.readyState >= 2)")
  await page.click('#play')
  await becomes("/無法解碼.*cannot be decoded/.test(document.querySelectorAll('.camera')[0].textContent) && document.querySelector('#clock').textContent.includes('09:00:06') && document.querySelectorAll('video')[1].currentTime > 5")
  await page.focus('#bar')
  await page.keyboard.press('Shift+ArrowRight')
  await page.keyboard.press('ArrowLeft')
  await becomes("[...document.querySelectorAll('.camera')].every(box => !box.classList.contains('blank'))")
  t.same(kiosk.errors, [])
})
