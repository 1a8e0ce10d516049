import t from 'tap'
import { answerForClient } from '../../../src/ingest/rtsp/client-answer.ts'
import { HiddenPassword } from '../../../src/ingest/rtsp/hidden-password.ts'
import type { RtspMessage } from '../../../src/ingest/rtsp/rtsp-message.ts'
import { processorMsSince, processorNow } from '../../support/processor-time.ts'

const REQUEST: RtspMessage = { start: 'DESCRIBE rtsp://127.0.0.1:1/x RTSP/1.0', headers: [['CSeq', '7']], body: Buffer.alloc(0) }
const of = (start: string, headers: RtspMessage['headers'], body = ''): RtspMessage => ({ start, headers, body: Buffer.from(body) })
const valueOf = ({ headers }: RtspMessage, name: string): string | undefined => headers.find(([key]) => key === name)?.[1]

function told(password: string, answer: RtspMessage) {
  const hidden = new HiddenPassword({ username: 'u', password })
  const message = answerForClient(answer, REQUEST, hidden)
  return { message, hidden, text: `${message.start}\n${message.headers.map(pair => pair.join(': ')).join('\n')}\n${message.body.toString()}` }
}

t.test('an address that repeats the password reaches ffmpeg with a stand-in, and goes back as the camera wrote it', async t => {
  for (const [password, form, back] of [['Geheim7', 'Geheim7', 'Geheim7'], ['Ge/heim', 'Ge%2fheim', 'Ge%2fheim'], ['Ge/heim', 'Ge/heim', 'Ge/heim'],
    ['Ge!heim', 'Ge%21heim', 'Ge%21heim'], ['Ge heim', 'Ge heim', 'Ge%20heim'], ['Ge"heim', 'Ge"heim', 'Ge%22heim'],
    ['Ge/heim', 'Ge%252Fheim', 'Ge%252Fheim'], ['密碼', '密碼', '密碼'], ['a', 'a', 'a'], ['rtsp', 'rtsp', 'rtsp'], ['1', '1', '1']] as const) {
    const { message, hidden, text } = told(password, of('RTSP/1.0 200 OK', [['Content-Base', `rtsp://10.0.0.1:554/user=x_password=${form}/`],
      ['RTP-Info', `url=rtsp://10.0.0.1:554/user=x_password=${form}/t;seq=11;rtptime=111,url=${form};seq=1`]],
    `v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:user=x_password=${form}/track\r\n`))
    t.notMatch(text, `password=${form}`)
    const base = valueOf(message, 'Content-Base')!, [, control = ''] = /a=control:(.*)\r\n/.exec(message.body.toString()) ?? []
    t.match(base, /^rtsp:\/\/10\.0\.0\.1:554\//)
    t.equal(hidden.reveal(`${base}${control}`), `rtsp://10.0.0.1:554/user=x_password=${back}/user=x_password=${back}/track`)
    t.match(valueOf(message, 'RTP-Info'), /^url=rtsp:\/\/10\.0\.0\.1:554\/.*;seq=11;rtptime=111,url=[0-9a-f]{16};seq=1$/)
    t.match(text, 'm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n', 'what is sent stays told')
  }
})

t.test('elsewhere it is left out, and what tells of the media is as it was, whatever the password', async t => {
  const media = 'v=0\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\nc=IN IP4 0.0.0.0\r\nb=AS:4000\r\na=rtpmap:96 H264/90000\r\n'
    + 'a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0IAKeKQFAe2AtwEBAaQeJEV,aM48gA==\r\na=framerate:25\r\na=range:npt=0-'
  const answer = (password: string) => of(`RTSP/1.0 404 No rtsp://c/${password}`, [['Server', password], ['X-Geheim', password], ['Session', '12;timeout=60'],
    ['Content-Base', `/user=a_password=${password}/`], ['Content-Base', `rtsp://a:${password}@10.0.0.1/x`], ['Transport', 'RTP/AVP/TCP;interleaved=0-1'], ['Public', 'OPTIONS, GET_PARAMETER'],
    ['WWW-Authenticate', 'Basic realm="x"'], ['Location', 'rtsp://c/'], ['Authentication-Info', 'nextnonce="x"']],
  `s=of ${password}\r\ni=rtsp://c/${password}\r\nu=http://c/?p=${password}\r\no=- ${password} 1 IN IP4 0.0.0.0\r\na=x-way:${password}\r\n${media}`)
  for (const password of ['Geheim7', '96', 'H264', 'a', '0', '=', 'Z0IAKeKQFAe2AtwEBAaQeJEV', 'packetization-mode', 'a=control:']) {
    const { message } = told(password, answer(password))
    t.equal(message.body.toString(), media, password)
    t.equal(message.start, 'RTSP/1.0 404 Not Found')
    t.same(message.headers.map(([name]) => name), ['CSeq', 'Session', 'Content-Base', 'Content-Base', 'Transport', 'Public'])
    t.equal(valueOf(message, 'Session'), '12;timeout=60')
    t.equal(valueOf(message, 'Transport'), 'RTP/AVP/TCP;interleaved=0-1')
  }
  const { text } = told('Geheim7', answer('Geheim7'))
  t.notMatch(text, 'Geheim7')
  t.equal(told('', answer('b')).message.body.toString(), answer('b').body.toString(), 'where there is none nothing is hidden')
})

t.test('a camera that repeats it without end is ended, and its answer does not grow', async t => {
  for (const [password, form] of [['a', 'a'.repeat(250_000)], ['a', '%61'.repeat(80_000)], ['a', 'a/b\r\na=control:'.repeat(15_000)]] as const) {
    const startedAt = processorNow()
    t.match(await Promise.resolve().then(() => told(password, of('RTSP/1.0 200 OK', [], `a=control:${form}`))).catch((error: unknown) => error),
      { reason: 'bad-stream', message: 'the camera repeats its password without end' })
    t.ok(processorMsSince(startedAt) < 500, `${processorMsSince(startedAt)} ms`)
  }
  const forms = Array.from({ length: 400 }, (_, i) => [...'aaaaaaaaa'].map((letter, bit) => i >> bit & 1 ? '%61' : letter).join(''))
  const { message, hidden } = told('aaaaaaaaa', of('RTSP/1.0 200 OK', [], forms.map(form => `a=control:/${form}`).join('\r\n')))
  t.notMatch(message.body.toString(), /a{9}|%61/)
  t.equal(hidden.reveal(message.body.toString().split('\r\n')[0]!), `a=control:/${forms[0]}`)
  t.equal(hidden.reveal(message.body.toString().split('\r\n').at(-1)!), 'a=control:/aaaaaaaaa', 'of many ways of writing it one goes back')
})

t.test('a session that times out at once is not told as that: ffmpeg would send a keep-alive with each packet', async t => {
  for (const [value, expected] of [['1;timeout=1', '1;timeout=2'], ['1;Timeout=01', '1;Timeout=2'], ['1;timeout=2', '1;timeout=2'], ['1;timeout=60', '1;timeout=60'],
    ['1', '1'], ['1;timeout=0', '1;timeout=2'], ['1;timeout=', '1;timeout=']] as const) {
    t.equal(valueOf(told('', of('RTSP/1.0 200 OK', [['Session', value]])).message, 'Session'), expected)
  }
})
