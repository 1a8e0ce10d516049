import t from 'tap'
import { cameraAddress, isSameHost } from '../../../src/ingest/rtsp/camera-address.ts'

t.test('addresses as offices have them are taken apart', async t => {
  t.same(cameraAddress('rtsp://10.0.0.1/a?b=c'),
    { isTls: false, host: '10.0.0.1', port: 554, url: 'rtsp://10.0.0.1/a?b=c' })
  t.same(cameraAddress('RTSP://cam_1:0554//x'),
    { isTls: false, host: 'cam_1', port: 554, url: 'rtsp://cam_1:554//x' })
  t.same(cameraAddress('rtsps://cam.example/live'),
    { isTls: true, host: 'cam.example', port: 322, url: 'rtsps://cam.example/live' })
  for (const zone of ['%eth0', '%25eth0']) {
    t.same(cameraAddress(`rtsp://[fe80::1${zone}]:8554/live`),
      { isTls: false, host: 'fe80::1%eth0', port: 8554, url: 'rtsp://[fe80::1]:8554/live' },
      'the zone is for this machine alone')
  }
  t.same(cameraAddress('rtsp://u:p@10.0.0.1/a')?.url, 'rtsp://10.0.0.1/a', 'an account goes nowhere')
  for (const text of ['http://10.0.0.1/', 'rtsp://', 'rtsp://10.0.0.1:0/', 'rtsp://10.0.0.1:99999/', '',
    '/live']) t.equal(cameraAddress(text), null, text)
})

t.test('another port is the same host, another name is not', async t => {
  const of = (url: string) => cameraAddress(url)!
  t.ok(isSameHost(of('rtsp://CAM.example/a'), of('rtsps://cam.example:8322/b')))
  t.notOk(isSameHost(of('rtsp://127.0.0.1/a'), of('rtsp://127.0.0.2/a')))
})
