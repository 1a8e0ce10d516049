import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'

const LIBEXEC = path.join(import.meta.dirname, '../../libexec')
const library = path.join(t.testdir({}), 'recv-ahead.so')
execFileSync(path.join(LIBEXEC, 'build-recv-ahead'), [library])

/** Reads a connection in ffmpeg's manner, poll() before every recv(): 1 byte, 3 bytes, the rest; Python calls the same two functions of the C library. */
const READER = `
import random, select, socket, sys, threading
seed, packets = int(sys.argv[1]), int(sys.argv[2])
choose = random.Random(seed)
sent = b''.join(b'$' + bytes([choose.randrange(256)]) + len(body).to_bytes(2, 'big') + body for body in (choose.randbytes(choose.choice([0, 1, 40, 1400, 5000, 65535])) for _ in range(packets)))
ours, theirs = socket.socketpair(); number = ours.fileno()
ours.setblocking(False)
def send():
  at = 0
  while at < len(sent):
    at += theirs.send(sent[at:at + choose.choice([1, 700, 8000, 300000])])
  theirs.close()
sender = threading.Thread(target=send)
sender.start()
def some(n):
  while True:
    p = select.poll(); p.register(ours, select.POLLIN)
    if p.poll(100): return ours.recv(n)
def exactly(n):
  got = b''
  while len(got) < n:
    part = some(n - len(got))
    if not part: return got
    got += part
  return got
got = []
while True:
  first = exactly(1)
  if not first: break
  head = exactly(3)
  got.append(first + head + exactly(int.from_bytes(head[1:], 'big')))
sender.join()
assert b''.join(got) == sent and len(got) == packets, (len(got), packets)
assert some(1) == b'', 'the end stays the end'
ours.close()
# The number may come back as another connection, with nothing of the old one in it.
again, peer = socket.socketpair()
peer.send(b'fresh')
assert again.fileno() == number
assert again.recv(1) + again.recv(100) == b'fresh'
print('ok')
`

const read = (seed: number, packets: number, trace: readonly string[] = []) => {
  const [program, ...args] = [...trace, '/usr/bin/python3', '-c', READER, String(seed), String(packets)]
  return execFileSync(program!, args, { env: { ...process.env, LD_PRELOAD: library }, encoding: 'utf8' }).trim()
}

t.test('every byte in order, the end, and nothing left over for the next connection', async t => {
  for (const seed of [1, 2, 3, 4, 5]) t.equal(read(seed, 300), 'ok', `seed ${seed}`)
})

t.test('the kernel is asked far less often', async t => {
  const log = path.join(t.testdir({}), 'calls')
  t.equal(read(6, 2000, ['strace', '-f', '-o', log, '-e', 'trace=poll,recvfrom']), 'ok')
  const calls = readFileSync(log, 'utf8').split('\n').length
  t.ok(calls < 2000 * 6 * 0.6, `${calls} calls for 2000 packets; without it at least ${2000 * 6}`)
})
