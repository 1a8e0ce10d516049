import t from 'tap'
import { DeviceText } from '../../../src/ingest/onvif/device-text.ts'
import { readStreamUri } from '../../../src/ingest/onvif/stream-uri.ts'

const read = (text: string, host = '192.0.2.7') => readStreamUri(text, host, new DeviceText(null))

const accepted: Record<string, string> = {
  'rtsp://192.0.2.7:554/live': 'rtsp://192.0.2.7:554/live',
  'rtsp://192.0.2.7/live': 'rtsp://192.0.2.7/live',
  'RTSPS://192.0.2.7:322/live?a=1&b=2': 'rtsps://192.0.2.7:322/live?a=1&b=2',
  'rtsp://0.0.0.0:554/live': 'rtsp://192.0.2.7:554/live',
  'rtsp://127.0.0.1:554/live': 'rtsp://192.0.2.7:554/live',
  'rtsp://10.0.0.5/live#fragment': 'rtsp://192.0.2.7/live',
  'rtsp://user:pa:ss@192.0.2.7/live': 'rtsp://192.0.2.7/live',
  'rtsp://user@192.0.2.7@evil.example:99/live': 'rtsp://192.0.2.7:99/live',
  'rtsp://[2001:db8::5]:554/live': 'rtsp://192.0.2.7:554/live',
  'rtsp://[fe80::1%25eth0]/live': 'rtsp://192.0.2.7/live',
  'rtsp://192.0.2.7': 'rtsp://192.0.2.7/',
  'rtsp://192.0.2.7:554?channel=1': 'rtsp://192.0.2.7:554/?channel=1',
  'rtsp://192.0.2.7:/live': 'rtsp://192.0.2.7/live',
  ' rtsp://192.0.2.7/\n': 'rtsp://192.0.2.7/',
  'rtsp://192.0.2.7/live 1.sdp': 'rtsp://192.0.2.7/live%201.sdp',
  'rtsp://192.0.2.7/\u00e9\ud800': 'rtsp://192.0.2.7/%C3%A9%EF%BF%BD',
  'rtsp://:554/live': 'rtsp://192.0.2.7:554/live',
  'rtsp:///live': 'rtsp://192.0.2.7/live',
  'rtsp://user@/live': 'rtsp://192.0.2.7/live',
  'rtsp://192.168.1.64:80:8554/live': 'rtsp://192.0.2.7:8554/live',
  'rtsp://192.0.2.7/cam?channel=1&amp;subtype=0&amp;amp;unicast=true': 'rtsp://192.0.2.7/cam?channel=1&subtype=0&unicast=true',
  'rtsp://192.0.2.7:00554/a@b:c//..%2e/x': 'rtsp://192.0.2.7:554/a@b:c//..%2e/x',
}
for (const [text, uri] of Object.entries(accepted)) t.equal(read(text).uri, uri, text)

for (const text of ['', 'rtsp:192.0.2.7/live', '//192.0.2.7/live', 'http://192.0.2.7/', 'rtspu://192.0.2.7/',
  'javascript:rtsp://x', 'file:///etc/passwd',
  'rtsp://192.0.2.7/a\tb', 'rtsp://192.0.2.7/a\nb', 'rtsp://192.0.2.7/\r\nx', 'rtsp://a b/live',
  'rtsp://192.0.2.7/\0', "rtsp://192.0.2.7/'", 'rtsp://192.0.2.7/"', 'rtsp://192.0.2.7/`',
  'rtsp://192.0.2.7\\@evil/', 'rtsp://192.0.2.7:0/', 'rtsp://192.0.2.7:65536/', 'rtsp://192.0.2.7:x/',
  `rtsp://192.0.2.7/${'a'.repeat(1024)}`]) {
  t.throws(() => read(text), { code: 'CUSTOS_ONVIF_BAD_URI' }, JSON.stringify(text.slice(0, 60)))
}

t.test('tells when the device named another host', t => {
  t.equal(read('rtsp://0.0.0.0/live').replacedHost, '0.0.0.0')
  t.equal(read('rtsp://192.0.2.7/live').replacedHost, null)
  t.equal(read('rtsp://CAM.example/live', 'cam.example').replacedHost, null)
  t.equal(read('rtsp://[2001:DB8::5]/live', '2001:db8::5').replacedHost, null)
  t.equal(read('rtsp://10.0.0.1/live', '2001:db8::5').uri, 'rtsp://[2001:db8::5]/live')
  t.end()
})

t.test('whatever the text, an accepted address is on the configured host and fits between single quotes', t => {
  const alphabet = ['rtsp', 's', ':', '//', '/', '@', '#', '?', '\\', "'", '"', '\n', ' ', '%', '[', ']', 'evil.example', '192.0.2.7', '554', '\u0000', 'ä', ';', '&', '.']
  let state = 20261122
  const random = () => { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; return state / 2 ** 32 }
  let taken = 0
  for (let round = 0; round < 50_000; round++) {
    const tail = Array.from({ length: Math.floor(random() * 12) }, () => alphabet[Math.floor(random() * alphabet.length)]).join('')
    const text = `${random() < 0.8 ? 'rtsp://' : ''}${tail}`
    let uri: string
    try { uri = read(text).uri } catch { continue }
    taken += 1
    const url = new URL(uri)
    const good = url.hostname === '192.0.2.7' && url.username === '' && url.password === '' && /^rtsps?:$/.test(url.protocol) && /^[\x21-\x7e]+$/.test(uri) && !/['"\\]/.test(uri)
    if (!good) t.fail('unsafe', { text, uri })
  }
  t.ok(taken > 500, `${taken} accepted`)
  t.end()
})
