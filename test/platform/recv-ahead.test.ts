import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'

const LIBEXEC = path.join(import.meta.dirname, '../../libexec')
const library = path.join(t.testdir({}), 'recv-ahead.so')
execFileSync(path.join(LIBEXEC, 'build-recv-ahead'), [library])

/** Reads a connection in ffmpeg's manner, poll() before every recv(): 1 byte, 3 bytes, the rest; Python calls the same two functions of the C library. */
const READER = `
import os, random, select, socket, struct, sys, threading
seed, packets = int(sys.argv[1]), int(sys.argv[2])
choose = random.Random(seed)
sent = b''.join(b'$' + bytes([choose.randrange(256)]) + len(body).to_bytes(2, 'big') + body for body in (choose.randbytes(choose.choice([0, 1, 40, 1400, 5000, 65535])) for _ in range(packets)))
def connected():
  listener = socket.create_server(('127.0.0.1', 0))
  there = socket.create_connection(listener.getsockname())
  here, _ = listener.accept(); listener.close()
  return here, there
ours, theirs = connected(); number = ours.fileno()
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
again, peer = connected()
if again.fileno() != number: os.dup2(again.fileno(), number); again.close(); again = socket.socket(fileno=number)
peer.send(b'fresh')
assert again.recv(1) + again.recv(100) == b'fresh'
again.close(); peer.close()
# What is held counts as readable beside other descriptors, is seen by a peek, and reaches whoever asks in another way.
again, peer = connected(); again.setblocking(False)
def readable(*others):
  p = select.poll(); p.register(again, select.POLLIN)
  for each, events in others: p.register(each, events)
  return dict(p.poll(2000))
peer.send(b'0123456789')
assert readable() == {again.fileno(): select.POLLIN} and again.recv(1) == b'0'
other, silent = socket.socketpair()
assert readable((silent, select.POLLIN))== {again.fileno(): select.POLLIN}, 'held, though the kernel has nothing'
assert readable((silent, select.POLLOUT)) == {again.fileno(): select.POLLIN, silent.fileno(): select.POLLOUT}
assert again.recv(3, socket.MSG_PEEK) == b'123' and again.recv(3) == b'123'
assert again.recvfrom(2)[0] == b'45' and os.read(again.fileno(), 2) == b'67' and again.recv(65536) == b'89'
try: again.recv(1); raise AssertionError('nothing is there')
except BlockingIOError: pass
p = select.poll(); p.register(again, select.POLLIN); assert p.poll(20) == [], 'a wait that brings nothing times out'
# A reset comes after what came before it.
peer.send(b'last'); assert readable() and again.recv(1) == b'l'
peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0)); peer.close()
assert again.recv(3) == b'ast'
try: readable(); again.recv(1); raise AssertionError('the reset is told')
except ConnectionResetError: pass
# Sockets within the machine are left alone.
other.send(b'xyz'); p = select.poll(); p.register(silent, select.POLLIN); p.poll(); assert silent.recv(1) == b'x'
p = select.poll(); p.register(silent, select.POLLIN); assert p.poll(1000); assert os.read(silent.fileno(), 9) == b'yz'
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
