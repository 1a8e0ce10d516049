import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { concatScript, FRAGMENT_OPTIONS, inputOptions } from '../../src/ingest/ffmpeg-arguments.ts'
import { CameraServer } from '../support/cameras/camera-server.ts'
import { CLIPS } from '../support/cameras/make-clips.ts'
import { seededRandom } from '../support/seeded-random.ts'

/** A camera's side of one RTSP session as it went over the wire: `answers[i]` came after the client's i-th request, all after PLAY is the last of them. */
interface Conversation { readonly answers: readonly Buffer[] }
const SECONDS = 4, SESSIONS = Number(process.env['CUSTOS_SESSIONS'] ?? 10), SEED = 20_261_126

const folder = t.testdir({})
const library = path.join(folder, 'recv-ahead.so')
execFileSync(path.join(import.meta.dirname, '../../libexec/build-recv-ahead'), [library])

/** Without the times of arrival, which no two runs share. */
const OUTPUT_OPTIONS = ['-map', '0:v:0', '-c:v', 'copy', '-an', ...FRAGMENT_OPTIONS.flat()]

/** Our ffmpeg on `port`, else as the recorder starts it; resolves with what it wrote. */
async function recorded(port: number, { ahead, ms }: { readonly ahead: boolean, readonly ms: number | null }): Promise<{ readonly sha256: string, readonly bytes: number }> {
  const out = path.join(folder, `out-${port}-${ahead}.mp4`)
  rmSync(out, { force: true })
  const args = [
    ...inputOptions('video').flat(), '-f', 'concat', '-i', 'pipe:0', ...OUTPUT_OPTIONS, '-f', 'mp4', '-y',
    out,
  ]
  const child = spawn(
    'ffmpeg', args,
    {
      stdio: ['pipe', 'ignore', 'ignore'], env: { ...process.env, ...(ahead ? { LD_PRELOAD: library } : {}) },
    }
  )
  child.stdin.end(concatScript(`rtsp://127.0.0.1:${port}/c`, 'video'))
  const ended = once(child, 'exit')
  if (ms !== null) { await sleep(ms); child.kill('SIGKILL') }
  await ended
  const written = existsSync(out) ? readFileSync(out) : Buffer.alloc(0)
  return { sha256: createHash('sha256').update(written).digest('hex'), bytes: written.length }
}

async function listening(onClient: (socket: net.Socket) => void): Promise<{ readonly port: number, readonly close: () => Promise<void> }> {
  const sockets = new Set<net.Socket>()
  const server = net.createServer(socket => { sockets.add(socket); socket.on('error', () => undefined); onClient(socket) }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as net.AddressInfo).port, close: async () => { for (const socket of sockets) socket.destroy(); server.close(); await once(server, 'close') } }
}

/** What a real server says to our ffmpeg in a few seconds. */
async function overheard(): Promise<Conversation> {
  await using camera = await CameraServer.start({ mounts: [{ path: '/c', clip: CLIPS.h264Hd }] })
  const answers: Buffer[][] = []
  let plays = false
  const tap = await listening(socket => {
    const upstream = net.connect(camera.port, '127.0.0.1')
    upstream.on('error', () => undefined)
    socket.on('data', data => {
      if (!plays) answers.push([])
      plays ||= data.toString('latin1').startsWith('PLAY ')
      upstream.write(data)
    })
    upstream.on('data', (data: Buffer) => { answers.at(-1)?.push(data); socket.write(data) })
  })
  await recorded(tap.port, { ahead: false, ms: SECONDS * 1000 })
  await tap.close()
  return { answers: answers.map(parts => Buffer.concat(parts)) }
}

/** Bytes of this connection lie in one of the kernel's two queues. */
function isUnderWay({ localPort, remotePort }: net.Socket): boolean {
  const hex = (port: number | undefined) => (port ?? 0).toString(16).toUpperCase().padStart(4, '0')
  return readFileSync('/proc/net/tcp', 'utf8').split('\n').some(line => {
    const [, local = '', remote = '', , queues = ''] = line.trim().split(/\s+/)
    const ports = [local, remote].map(address => address.split(':')[1])
    return ports.includes(hex(localPort)) && ports.includes(hex(remotePort)) && queues !== '00000000:00000000'
  })
}

/** Says it again in other pieces and at another pace, and breaks off where `random` says: the same for the same seed, whoever listens. */
function camera({ answers }: Conversation, seed: number): (socket: net.Socket) => void {
  return socket => {
    const random = seededRandom(seed)
    let asked = 0, plays = false
    const breakAt = random() < 0.2 ? Infinity : Math.floor(random() * answers.at(-1)!.length), how = random()
    socket.on('data', data => {
      if (plays) return // receiver reports
      plays = data.toString('latin1').startsWith('PLAY ')
      const answer = answers[asked++]!
      if (!plays) socket.write(answer)
      else void say(answer.subarray(0, Math.min(answer.length, breakAt)))
    })
    const say = async (bytes: Buffer): Promise<void> => {
      for (let at = 0; at < bytes.length && !socket.destroyed;) {
        const size = [1, 3, 4, 700, 1460, 8000, 65_536][Math.floor(random() * 7)]!
        if (!socket.write(bytes.subarray(at, at + size))) await once(socket, 'drain').catch(() => undefined)
        at += size
        if (random() < 0.05) await sleep(random() * 4)
      }
      if (how < 0.5) socket.end()
      else {
        while (isUnderWay(socket)) await sleep(20) // a reset throws away what has not been taken
        socket.resetAndDestroy()
      }
    }
  }
}

t.test('ffmpeg writes the same bytes with reading ahead as without, however the network cuts a real session up and wherever it breaks', async t => {
  const conversation = await overheard()
  t.ok(conversation.answers.length >= 4 && conversation.answers.at(-1)!.length > 200_000, 'a real session was overheard')
  const lengths: number[] = []
  for (let i = 0; i < SESSIONS; i++) {
    const replayed = await listening(camera(conversation, SEED + i))
    const plain = await recorded(replayed.port, { ahead: false, ms: null }), ahead = await recorded(replayed.port, { ahead: true, ms: null })
    await replayed.close()
    t.same(ahead, plain, `seed ${SEED + i}: ${plain.bytes} bytes`)
    lengths.push(plain.bytes)
  }
  t.ok(lengths.filter(bytes => bytes > 50_000).length > SESSIONS / 3 && new Set(lengths).size > SESSIONS / 2, 'they broke off at different places, most of them in the middle of pictures')
})
