import t from 'tap'
import { classifyStderr, silenceAtEnd, soundNeedsTranscode } from '../../src/ingest/classify-stderr.ts'
import { SOCKET_TIMEOUT_MS } from '../../src/ingest/ffmpeg-arguments.ts'
import { CameraServer } from '../support/cameras/camera-server.ts'
import { CLIPS } from '../support/cameras/make-clips.ts'
import { startCannedRtsp, type CannedScript } from '../support/recorder/canned-rtsp.ts'
import { startOddCamera } from '../support/recorder/odd-camera.ts'
import { oneRun, type OneRun } from '../support/recorder/one-run.ts'

const classOf = ({ stderrLines, tookMs, media }: OneRun) => classifyStderr(stderrLines, { hadFrames: media.length > 0, silentMs: tookMs, exitCode: 1 })
const H264_WITHOUT_SIZE = { status: '200 OK', body: 'v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n', headers: ['Content-Type: application/sdp'] }

const CANNED: Record<string, { script: CannedScript, reason: string }> = {
  'answers 401 to whatever is tried': { script: { DESCRIBE: { status: '401 Unauthorized', headers: ['WWW-Authenticate: Digest realm="x", nonce="y"'] } }, reason: 'auth-refused' },
  'answers 403': { script: { DESCRIBE: { status: '403 Forbidden' } }, reason: 'auth-refused' },
  'answers 404': { script: { DESCRIBE: { status: '404 Not Found' } }, reason: 'no-such-stream' },
  'answers 400 to SETUP': { script: { SETUP: { status: '400 Bad Request' } }, reason: 'no-such-stream' },
  'has lost the session at PLAY': { script: { PLAY: { status: '454 Session Not Found' } }, reason: 'no-such-stream' },
  'describes no stream': { script: { DESCRIBE: { status: '200 OK', body: 'v=0\r\n', headers: ['Content-Type: application/sdp'] } }, reason: 'no-such-stream' },
  'has no room for another viewer': { script: { SETUP: { status: '453 Not Enough Bandwidth' } }, reason: 'closed-by-camera' },
  'is starting up': { script: { DESCRIBE: { status: '503 Service Unavailable' } }, reason: 'closed-by-camera' },
  'closes instead of describing': { script: { DESCRIBE: 'close' }, reason: 'closed-by-camera' },
  'closes instead of playing': { script: { PLAY: 'close' }, reason: 'closed-by-camera' },
  'does not answer OPTIONS': { script: { OPTIONS: 'silent' }, reason: 'stalled' },
  'does not answer PLAY': { script: { PLAY: 'silent' }, reason: 'stalled' },
  'plays nothing': { script: { DESCRIBE: H264_WITHOUT_SIZE }, reason: 'stalled' },
}

t.test('says why a camera gave no stream', { jobs: 4 }, async t => {
  for (const [what, { script, reason }] of Object.entries(CANNED)) {
    void t.test(`a camera that ${what}: ${reason}`, async t => {
      await using camera = await startCannedRtsp(script)
      const end = await oneRun(camera.url)
      t.equal(classOf(end), reason, end.stderrLines.join('\n'))
      t.equal(end.media.length, 0)
    })
  }
})

t.test('says why there was no connection', async t => {
  for (const [url, reason] of [['rtsp://127.0.0.1:9/x', 'refused'], ['rtsp://no-such-host.invalid/x', 'unreachable']] as const) {
    const end = await oneRun(url)
    t.equal(classOf(end), reason, end.stderrLines.join('\n'))
    t.equal(end.code, 1, 'and the exit code is kept')
  }
})

t.test('tells a codec it does not keep from a stream that is not there', async t => {
  await using odd = await startOddCamera()
  await oneRun(odd.url('/vp8')) // GStreamer's first answer may take longer than ffmpeg waits
  for (const [mount, reason] of [['/vp8', 'codec-unsupported'], ['/sound-only', 'no-such-stream']] as const) {
    const end = await oneRun(odd.url(mount))
    t.equal(classOf(end), reason, end.stderrLines.join('\n'))
  }
})

t.test('a wrong password, and pictures beside sound that MP4 cannot hold', async t => {
  await using server = await CameraServer.start({ mounts: [
    { path: '/locked', clip: CLIPS.h264Small, username: 'viewer', password: 'right' }, { path: '/g711', clip: CLIPS.h264Small, audio: 'g711' },
  ] })
  const wrong = await oneRun(server.url('/locked').replace('//', '//viewer:wrong@'))
  t.equal(classOf(wrong), 'auth-refused', wrong.stderrLines.join('\n'))
  t.notOk(soundNeedsTranscode(wrong.stderrLines))
  t.ok((await oneRun(server.url('/g711'))).media.length > 50_000)
})

// What cannot be made here for the asking: words of ffmpeg 5.1 as it prints them for the errno.
const NETWORK: readonly (readonly [string, string])[] = [
  ['[tcp @ 0x1] [error] Connection to tcp://10.0.0.9:554?timeout=3000000 failed: Connection timed out', 'unreachable'],
  ['[tcp @ 0x1] [error] Connection to tcp://10.0.0.9:554?timeout=3000000 failed: No route to host', 'unreachable'],
  ['[tcp @ 0x1] [error] Connection to tcp://10.0.0.9:554?timeout=3000000 failed: Network is unreachable', 'unreachable'],
  ['Cannot allocate memory', 'ffmpeg-failed'],
  ['ffmpeg could not be started: spawn ffmpeg-child EAGAIN (EAGAIN)', 'ffmpeg-failed'],
  ['what ffmpeg wrote could not be taken: a box without a size', 'ffmpeg-failed'],
]
t.test('knows the words for networks and hosts in trouble', async t => {
  for (const [line, reason] of NETWORK) t.equal(classifyStderr([line], { hadFrames: false, silentMs: 0, exitCode: 1 }), reason)
})

t.test('a session that sent frames and then ended was closed, and one that fell silent first had stalled', async t => {
  t.equal(classifyStderr([], { hadFrames: true, silentMs: 400, exitCode: 0 }), 'closed-by-camera')
  t.equal(classifyStderr([], { hadFrames: true, silentMs: SOCKET_TIMEOUT_MS, exitCode: 0 }), 'stalled')
  t.equal(classifyStderr(['[rtsp @ 0x1] [error] method PLAY failed: 454 Session Not Found'], { hadFrames: true, silentMs: 0, exitCode: 1 }), 'closed-by-camera')
})

t.test('a child that could not be run is not blamed on the camera', async t => {
  t.equal(classifyStderr(['setpriv: failed'], { hadFrames: false, silentMs: 0, exitCode: 127 }), 'ffmpeg-failed')
})

t.test('what the child still held when it ended does not hide that the camera had fallen silent', async t => {
  t.equal(silenceAtEnd({ sinceLastMs: 20, beforeLastMs: 6_100 }), 6_100, 'flushed at the end after six seconds of nothing')
  t.equal(silenceAtEnd({ sinceLastMs: 20, beforeLastMs: 500 }), 500, 'closed in the midst of sending')
  t.equal(silenceAtEnd({ sinceLastMs: 6_100, beforeLastMs: 500 }), 6_100, 'nothing was held')
})

t.test('a time-out after frames came is silence, not an address that nobody answers', async t => {
  const lines = ['[rtsp @ 0x1] Connection timed out', 'pipe:0: Connection timed out']
  t.equal(classifyStderr(lines, { hadFrames: true, silentMs: 6_000, exitCode: 0 }), 'stalled')
  t.equal(classifyStderr(lines, { hadFrames: false, silentMs: 6_000, exitCode: 1 }), 'unreachable')
})
