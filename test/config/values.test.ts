import t from 'tap'
import { isHost, isLoopback } from '../../src/config/host.ts'
import { editDistance, nearestOf } from '../../src/config/near-key.ts'
import { absolutePath } from '../../src/config/places.ts'
import { isTrialFloor, parseBitrate, parseFloor, parseSize } from '../../src/config/quantity.ts'
import { streamUrlFault } from '../../src/config/stream-url.ts'
import { isTimeZone } from '../../src/config/time-zone.ts'

t.test('sizes', t => {
  t.same(['1KiB', '512MiB', '200GiB', '2 TiB', '1024TiB'].map(parseSize), [1024, 512 * 2 ** 20, 200 * 2 ** 30, 2 * 2 ** 40, 2 ** 50])
  for (const bad of ['', '200', '200GB', '200G', '200gib', '0GiB', '-1GiB', '1.5GiB', '1025TiB', '9999999999TiB', '99999999999KiB', '1  GiB', ' 1GiB', '1GiB\n', 'GiB', '1toString']) t.equal(parseSize(bad), null, JSON.stringify(bad))
  t.end()
})

t.test('bitrates', t => {
  t.same(['4Mbit/s', '4 Mbit/s', '1.5Mbit/s', '800kbit/s', '8kbit/s', '1000Mbit/s', '2.125Mbit/s'].map(parseBitrate), [4e6, 4e6, 1.5e6, 800_000, 8_000, 1e9, 2_125_000])
  for (const bad of ['', '4', '4Mbps', '4Mb/s', '4MB/s', '4mbit/s', '4 Mbit', '0Mbit/s', '7kbit/s', '1001Mbit/s', '-4Mbit/s', '1e3kbit/s', '4,5Mbit/s', '.5Mbit/s', '4  Mbit/s', '4Mbit/s\n', '99999999Mbit/s', '1.2345Mbit/s']) t.equal(parseBitrate(bad), null, JSON.stringify(bad))
  t.end()
})

t.test('floors', t => {
  t.same(['31d', '1d', '3660d', '90s', '45m', '12 h'].map(parseFloor), [
    { kind: 'calendar-days', days: 31 }, { kind: 'calendar-days', days: 1 }, { kind: 'calendar-days', days: 3660 },
    { kind: 'plain', durationMs: 90_000 }, { kind: 'plain', durationMs: 2_700_000 }, { kind: 'plain', durationMs: 43_200_000 },
  ])
  for (const bad of ['', '31', '0d', '0s', '3661d', '87841h', '1w', '1y', '31D', '1.5d', '-1d', '31d ', '1mo', 'd', '31 days']) t.equal(parseFloor(bad), null, JSON.stringify(bad))
  t.same(['31d', '32d', '30d', '9999h'].map(text => isTrialFloor(parseFloor(text)!)), [false, false, true, true])
  t.end()
})

t.test('hosts', t => {
  for (const good of ['10.0.0.1', '::1', 'fe80::1%eth0', 'cam', 'cam_1.office.lan', 'xn--fiq228c.tw', 'a'.repeat(63)]) t.ok(isHost(good), good)
  for (const bad of ['', '10.0.0.300', '10.0.1', '10.0.0.011', '123', 'a b', 'a..b', '.a', 'a.', '-a', 'a-', '[::1]', 'h:80', 'h/x', 'u@h', '大門', 'a'.repeat(64), `${'a.'.repeat(130)}b`]) t.notOk(isHost(bad), bad)
  for (const near of ['127.0.0.1', '127.9.9.9', '::1', 'localhost', 'LOCALHOST']) t.ok(isLoopback(near), near)
  for (const far of ['0.0.0.0', '::', '10.0.0.1', '127.0.0.1.evil.tw', '128.0.0.1', 'localhost.evil.tw', '127.1']) t.notOk(isLoopback(far), far)
  t.end()
})

t.test('stream URLs', t => {
  const fault = (text: string) => streamUrlFault(text)?.code ?? null
  for (const good of ['rtsp://10.0.0.11/stream1', 'rtsps://cam.lan:322/a%40b?x=1&y="2"',
    'RTSP://[fe80::1]:554/', 'rtsp://10.0.0.11', 'rtsp://h/bypass=1', 'rtsp://[fe80::1%eth0]/live',
    'rtsp://[fe80::1%25eth0]:554/live', 'rtsp://h/user={username}_password={password}_channel=1',
    'rtsp://h/?user={username}&pwd={password}']) t.equal(fault(good), null, good)
  const bad: Record<string, string> = {
    'rtsp://u:p@h/': 'url-userinfo', 'rtsp://u@h/': 'url-userinfo', 'rtsp://h/a@b': 'url-userinfo', 'http://u:p@h/': 'url-userinfo',
    'rtsp://h/user=a_password=b': 'url-password', 'rtsp://h/?PWD=b': 'url-password', 'rtsp://h/a;pass=b': 'url-password', 'rtsp://h/?pwd={password}x': 'url-password', 'rtsp://h/?pwd={username}': 'url-password',
    'rtsp://h/{x}': 'url-braces', 'rtsp://h/}': 'url-braces',
    'rtsp://h/a b': 'url-characters', 'rtsp://h/\t': 'url-characters', 'rtsp://h/大': 'url-characters', "rtsp://h/'": 'url-characters', 'rtsp://h/\x7f': 'url-characters',
    '': 'url-scheme', 'http://h/': 'url-scheme', 'rtsp:/h/': 'url-scheme', '//h/': 'url-scheme', 'xrtsp://h/': 'url-scheme', 'file:///etc/passwd': 'url-scheme',
    'rtsp://': 'url-form', 'rtsp://:554/': 'url-form', 'rtsp://h:0/': 'url-form', 'rtsp://h:99999/': 'url-form', 'rtsp://h:x/': 'url-form', 'rtsp://10.0.0.300/': 'url-form', 'rtsp://h/#a': 'url-form', 'rtsp://[::1/': 'url-form',
  }
  for (const [text, code] of Object.entries(bad)) t.equal(fault(text), code, text)
  t.end()
})

t.test('folders', t => {
  t.same(['/a', '/a/', '//a//b/', '/a/../b', '/a/./b', '/錄影'].map(absolutePath), ['/a', '/a', '/a/b', '/b', '/a/b', '/錄影'])
  for (const bad of ['', 'a', './a', '/', '/..', '//', '~/a', '/a\0', '/a\n', `/${'a'.repeat(1024)}`]) t.equal(absolutePath(bad), null, JSON.stringify(bad.slice(0, 9)))
  t.end()
})

t.test('zones', t => {
  for (const good of ['Asia/Taipei', 'UTC', 'Etc/GMT+8', 'America/Argentina/Buenos_Aires']) t.ok(isTimeZone(good), good)
  for (const bad of ['', '+08:00', '-05', 'Taipei', 'CST8', 'Asia', 'Asia/Taipei ', 'utc+8', '台北']) t.notOk(isTimeZone(bad), bad)
  t.end()
})

t.test('words near one another', t => {
  t.same([editDistance('', 'abc'), editDistance('kitten', 'sitting'), editDistance('nmae', 'name')], [3, 3, 1])
  t.equal(nearestOf('retenton', ['site', 'retention']), 'retention')
  t.equal(nearestOf('URL', ['url', 'profile']), 'url')
  t.equal(nearestOf('colour', ['name', 'timezone']), null)
  t.equal(nearestOf('x', []), null)
  t.equal(nearestOf('a'.repeat(61), ['a'.repeat(61)]), null, 'long words are not worth the time')
  t.end()
})
