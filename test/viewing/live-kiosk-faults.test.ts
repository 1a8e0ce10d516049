import t, { type Test } from 'tap'
import { cameraId, type CameraUuid } from '../../src/domain/index.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { LiveDesk } from '../../src/viewing/index.ts'
import { realFootage, type Footage } from '../support/fragments.ts'
import { recordRun } from './support/footage.ts'
import { kioskPage } from './support/kiosk-page.ts'
import { MAIN } from './support/live-recorder.ts'
import { DOOR, LOBBY, ScreeningRoom } from './support/screening-room.ts'

const HALL = cameraId('hall'), GATE = cameraId('gate')

/** Two cameras on a live page, each sending by the second what the test has it send. */
async function watched(t: Test) {
  const room = await ScreeningRoom.open(t, { slots: 80 }), { front, rig } = room
  const sending = new Map<CameraUuid, Footage | null>(), stop = new AbortController()
  const second = async (camera: CameraUuid, footage: Footage) => { await recordRun(rig, { camera, id: camera === LOBBY ? 'hall' : 'gate', footage, fromMs: systemClock.wallNow(), seconds: 0.95 }) }
  const live = new LiveDesk({
    ...room.core, screens: room.screens, time: { wallNow: () => front.office.clock.wallNow(), steadyNow: () => 0 }, lane: (camera, stream) => rig.storage.lane(camera, stream),
    cameras: () => [{ id: HALL, uuid: LOBBY, name: '大廳', streams: [MAIN] }, { id: GATE, uuid: DOOR, name: '大門', streams: [MAIN] }],
  })
  const small = await realFootage({ codec: 'h264', width: 320, height: 240, seconds: 1 })
  for (const camera of [LOBBY, DOOR]) await second(camera, small) // known from here on
  const loop = (async () => {
    while (!stop.signal.aborted) {
      for (const [camera, footage] of sending) if (footage !== null) await second(camera, footage)
      await systemClock.wait(1_000, stop.signal)
    }
  })()
  const token = await room.login(), screen = live.open(token, [HALL, GATE])
  const kiosk = await kioskPage(room, { token, screen })
  return { sending, screen, small, ...kiosk, async [Symbol.asyncDispose]() { await kiosk[Symbol.asyncDispose](); stop.abort(); await loop; await room[Symbol.asyncDispose]() } }
}

t.test('a live camera that stops shows no old picture and says since when; it comes back by itself, in another size too; one in H.265 says what it needs', async t => {
  await using scene = await watched(t)
  const { sending, small, page, becomes, shoot } = scene
  const box = (n: number) => `document.querySelectorAll('.camera')[${n}]`, isBlank = (n: number) => `${box(n)}.classList.contains('blank')`, words = (n: number) => `${box(n)}.querySelector('.state').textContent`
  t.match(await page.textContent('#subject'), /即時畫面 Live/)
  sending.set(LOBBY, small)
  await becomes(`!${isBlank(0)} && document.querySelectorAll('video')[0].readyState >= 2 && ${words(0)} === ''`)
  await becomes(`/沒有畫面.*no picture/.test(${words(1)}) && ${isBlank(1)}`)
  await shoot('20-live')
  sending.set(LOBBY, null)
  await becomes(`/中斷.*\\d\\d:\\d\\d:\\d\\d.*No picture since/.test(${words(0)}) && ${isBlank(0)}`)
  await shoot('21-live-stopped')
  sending.set(LOBBY, await realFootage({ codec: 'h264', width: 480, height: 272, seconds: 1 }))
  sending.set(DOOR, await realFootage({ codec: 'h265', width: 320, height: 240, seconds: 1 }))
  await becomes(`!${isBlank(0)} && document.querySelectorAll('video')[0].videoWidth === 480 && ${words(0)} === ''`)
  await becomes(`/無法播放.*H\\.264.*second stream/.test(${words(1)}) && ${isBlank(1)}`)
  await shoot('22-live-back')
  sending.set(DOOR, small)
  await becomes(`!${isBlank(1)} && ${words(1)} === ''`)
  t.same(scene.errors, [])
  t.equal(scene.screen.closed, null)
})
