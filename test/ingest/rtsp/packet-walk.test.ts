import fc from 'fast-check'
import t from 'tap'
import { PacketWalk } from '../../../src/ingest/rtsp/packet-walk.ts'
import { packet } from '../../support/cameras/scripted-camera.ts'

/** As the pump does it: what is left comes again in front of the next. */
function walked(pieces: readonly Buffer[]): { readonly passed: Buffer, readonly answers: string[], readonly damages: number } {
  const walk = new PacketWalk(), passed: Buffer[] = [], answers: string[] = []
  let damages = 0
  let left: Buffer = Buffer.alloc(0)
  for (const piece of pieces) {
    const step = walk.walk(Buffer.concat([left, piece]))
    passed.push(...step.parts)
    answers.push(...step.messages.map(String))
    if (step.isDamaged) damages++
    left = Buffer.from(step.left)
  }
  return { passed: Buffer.concat([...passed, left]), answers, damages }
}

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length]!; pieces.push(bytes.subarray(at, at + size)); at += size }
  return pieces
}

const payload = fc.uint8Array({ maxLength: 40, max: 0x7f }).map(bytes => Buffer.from(bytes)) // never RTP
const ANSWER = 'RTSP/1.0 200 OK\r\nCSeq: 3\r\n\r\n'
const item = fc.oneof({ weight: 5, arbitrary: payload.map(bytes => packet(0, bytes)) },
  { weight: 1, arbitrary: fc.constant(Buffer.from(ANSWER)) })
const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 20 })

t.test('every packet passes unchanged and in order, and every answer is taken out, however the stream is cut', async () => {
  fc.assert(fc.property(fc.array(item, { maxLength: 30 }), sizes, (items, sizes) => {
    const { passed, answers } = walked(cut(Buffer.concat(items), sizes))
    const packets = items.filter(each => each[0] === 0x24)
    return passed.equals(Buffer.concat(packets)) && answers.length === items.length - packets.length
      && answers.every(answer => answer === ANSWER)
  }), { numRuns: 1000 })
})

/** An RTP packet of one source, its payload full of dollar signs. */
function rtp(n: number, size: number): Buffer {
  const bytes = Buffer.alloc(12 + size, '$')
  bytes.set([0x80, 96])
  bytes.writeUInt16BE(n, 2)
  bytes.writeUInt32BE(0x2424_3456, 8)
  return packet(0, bytes)
}

const MOST_PACKET_BYTES = 4 + 12 + 1400

t.test('where bytes of RTP are missing, what is damaged may go, and each later packet passes', async () => {
  const lengths = fc.array(fc.integer({ min: 0, max: 1400 }), { minLength: 12, maxLength: 30 })
  const count = fc.integer({ min: 1, max: 2000 })
  fc.assert(fc.property(lengths, fc.nat(), count, sizes, (lengths, at, count, sizes) => {
    const packets = lengths.map((size, n) => rtp(n, size))
    const whole = Buffer.concat(packets), known = packets[0]!.length + packets[1]!.length
    const from = known + at % (whole.length - known)
    const damaged = Buffer.concat([whole.subarray(0, from), whole.subarray(from + count)])
    const { passed } = walked(cut(damaged, sizes))
    // The packet that was cut takes as many bytes of those behind it as it misses.
    const unhurtFrom = from + count + MOST_PACKET_BYTES
    let startsAt = 0
    const later = Buffer.concat(packets.filter(each => (startsAt += each.length) - each.length >= unhurtFrom))
    return passed.subarray(passed.length - later.length).equals(later)
  }), { numRuns: 1000 })
})

/** Packets of two channels as a camera that plays sends them: 40 of pictures, a report, an answer, and so on. */
function played(packets: number, from = 0): Buffer[] {
  return Array.from({ length: packets }, (_, n) => rtp(from + n & 0xffff, 300)).flatMap((each, n) => {
    const report = Buffer.alloc(24, '$')
    report.set([0x80, 200])
    return n % 20 === 19 ? [each, packet(1, report), Buffer.from(ANSWER)] : [each]
  })
}
const isPacket = (each: Buffer): boolean => each[0] === 0x24

t.test('a source that plays passes whole beside reports and answers, over the turn of its count, and nothing is told as lost', async () => {
  fc.assert(fc.property(fc.nat(0xffff), sizes, (from, sizes) => {
    const items = played(120, from)
    const { passed, answers, damages } = walked(cut(Buffer.concat(items), sizes))
    return passed.equals(Buffer.concat(items.filter(isPacket))) && answers.length === 6 && damages === 0
  }), { numRuns: 100 })
})

t.test('bytes that are lost between packets go no further, and are told; so is a packet that is missing whole', async () => {
  fc.assert(fc.property(fc.integer({ min: 45, max: 110 }), fc.integer({ min: 1, max: 200 }), sizes, (n, count, sizes) => {
    const items = played(120), before = Buffer.concat(items.slice(0, n)), behind = Buffer.concat(items.slice(n + 1))
    const damaged = walked(cut(Buffer.concat([before, items[n]!.subarray(count), behind]), sizes))
    const missing = walked(cut(Buffer.concat([before, behind]), sizes))
    const rest = Buffer.concat([...items.slice(0, n), ...items.slice(n + 1)].filter(isPacket))
    const isPicture = (each: Buffer): boolean => isPacket(each) && each[1] === 0
    if (!isPicture(items[n]!)) return missing.passed.equals(rest) && missing.damages === 0
    // A report or an answer goes with what is lost before it.
    const isTold = !isPicture(items[n + 1]!) || (damaged.passed.equals(rest) && damaged.damages > 0)
    return isTold && missing.passed.equals(rest) && missing.damages === 1
  }), { numRuns: 300 })
})

t.test('where another source goes on after bytes were lost it passes again before long', t => {
  const other = Array.from({ length: 300 }, (_, n) => {
    const bytes = rtp(n, 1400)
    bytes.writeUInt32BE(0x1111_2222, 12)
    return bytes
  })
  const { passed } = walked([rtp(0, 100), rtp(1, 100), Buffer.from('lost'), ...other])
  t.ok(passed.subarray(-20 * other[0]!.length).equals(Buffer.concat(other.slice(-20))))
  t.end()
})

t.test('where bytes are missing before a source is known the rest passes as it is', async () => {
  fc.assert(fc.property(fc.array(payload.map(bytes => packet(0, bytes)), { minLength: 1, maxLength: 20 }),
    fc.nat(), fc.nat({ max: 30 }), sizes, (packets, at, count, sizes) => {
    const whole = Buffer.concat(packets), from = at % whole.length
    const damaged = Buffer.concat([whole.subarray(0, from), whole.subarray(from + count)])
    return damaged.includes('RTSP/') || walked(cut(damaged, sizes)).passed.equals(damaged)
  }), { numRuns: 1000 })
})

t.test('an answer without an end is passed on as it is', async t => {
  const endless = Buffer.from(`RTSP/1.0 200 OK\r\n${'x'.repeat(40_000)}`)
  t.ok(walked([endless]).passed.equals(endless))
})

t.test('beginnings of answers without an end pass as they are, and an answer among packets behind them is taken out', t => {
  const flood = Buffer.concat(Array.from({ length: 20_000 }, () =>
    Buffer.concat([packet(0, Buffer.from('a')), Buffer.from('RTSP/')])))
  const { passed, answers } = walked(cut(Buffer.concat([flood, Buffer.alloc(40_000), packet(0, Buffer.from('b')),
    Buffer.from(ANSWER), packet(0, Buffer.from('c'))]), [65_536]))
  t.strictSame(answers, [ANSWER])
  t.ok(passed.equals(Buffer.concat([flood, Buffer.alloc(40_000), packet(0, Buffer.from('b')),
    packet(0, Buffer.from('c'))])))
  t.end()
})

t.test('where the count of a source goes on elsewhere, a packet without payload is put before its first', t => {
  const numbered = (sequence: number, source = 7): Buffer => {
    const bytes = Buffer.alloc(20, 1)
    bytes.set([0x80, 96])
    bytes.writeUInt16BE(sequence, 2)
    bytes.writeUInt32BE(source, 8)
    return packet(0, bytes)
  }
  const before = [numbered(100), numbered(101)], behind = [numbered(30_000, 8), numbered(30_001, 8)]
  const lead = Buffer.from([0x24, 0, 0, 12, 0x80, 96, 29_999 >> 8, 29_999 & 0xff, 1, 1, 1, 1, 0, 0, 0, 8])
  for (const size of [1, 7, 1000]) {
    const { passed, damages } = walked(cut(Buffer.concat([...before, ...behind]), [size]))
    t.ok(passed.equals(Buffer.concat([...before, lead, ...behind])), `in pieces of ${size}`)
    t.equal(damages, 0)
  }
  t.ok(walked([Buffer.concat([...before, numbered(102, 8)])]).passed.equals(Buffer.concat([...before, numbered(102, 8)])),
    'another source that counts on')
  t.end()
})

/** An RTP packet of 60 bytes. */
function numbered(sequence: number, channel = 0, source = 7): Buffer {
  const bytes = Buffer.alloc(64, 1)
  bytes.set([0x24, channel, 0, 60, 0x80, 96])
  bytes.writeUInt16BE(sequence, 6)
  bytes.writeUInt32BE(source, 12)
  return bytes
}
const many = (from: number, count: number, channel = 0, source = 7): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => numbered(from + i, channel, source)))
const OPTIONS = 'OPTIONS rtsp://10.0.0.2/ RTSP/1.0\r\nCSeq: 1\r\n\r\n'

t.test('what stands between packets and is no picture is no loss, however the stream is cut', t => {
  for (const [what, between, passes] of [['an empty packet', [0x24, 0, 0, 0], true], ['two bytes of a report', [0x24, 1, 0, 2, 0x61, 0x62], true],
    ['line ends', [0x0d, 0x0a, 0x0d, 0x0a], false], ['a request', [...Buffer.from(OPTIONS)], false],
    ['a request with a body', [...Buffer.from('SET_PARAMETER * RTSP/1.0\r\nContent-Length: 3\r\n\r\na: ')], false]] as const) {
    const stream = Buffer.concat([many(0, 50), Buffer.from(between), many(50, 20), Buffer.from(between), Buffer.from(between), many(70, 30)])
    const one = passes ? Buffer.from(between) : Buffer.alloc(0)
    const expected = Buffer.concat([many(0, 50), one, many(50, 20), one, one, many(70, 30)])
    for (const size of [1, 2, 3, 7, 64, 4096]) {
      const { passed, damages, answers } = walked(cut(stream, [size]))
      t.equal(damages, 0, `${what}, in pieces of ${size}`)
      t.ok(passed.equals(expected), `${what}, in pieces of ${size}`)
      t.equal(answers.length, what.startsWith('a request') ? 3 : 0)
    }
  }
  t.end()
})

t.test('what looks like a request and is none is a loss', t => {
  for (const text of ['OPTIONS', 'OPTIONS rtsp://', 'A b HTTP/1.1\r\n\r\n', `A ${'b'.repeat(2_000)} RTSP/1.0\r\n\r\n`, `${'A'.repeat(30)} b RTSP/1.0\r\n\r\n`]) {
    const { passed, damages } = walked([Buffer.concat([many(0, 50), Buffer.from(text), many(50, 50)])])
    t.equal(damages, 1, text.slice(0, 20))
    t.ok(passed.equals(many(0, 100)))
  }
  t.end()
})

t.test('packets that are missing are told on the channel of the pictures alone', t => {
  const damages = (walk: PacketWalk, ...pieces: Buffer[]): boolean => walk.walk(Buffer.concat(pieces)).isDamaged
  const holed = (channel: number): Buffer => Buffer.concat([many(0, 50, channel), many(55, 5, channel)])
  t.notOk(damages(new PacketWalk(), many(0, 50), holed(2), many(50, 50)), 'of the first one that brings any')
  t.ok(damages(new PacketWalk(), many(0, 50), many(55, 5)))
  t.notOk(damages(new PacketWalk(2), holed(0), many(0, 50, 2)), 'of the one that was set up')
  t.ok(damages(new PacketWalk(2), many(0, 5), holed(2)))
  t.end()
})

t.test('messages without end are a flood, and no more of them are looked at', t => {
  for (const text of ['RTSP/1.0 200 OK\r\n\r\n', 'RTSP/1.0 200 OK\n\n', 'A / RTSP/1.0\r\n\r\n', 'A / RTSP/1.0\n\n']) {
    for (const known of [Buffer.alloc(0), many(0, 5)]) {
      const { messages, isFlooded } = new PacketWalk().walk(Buffer.concat([known, Buffer.from(text.repeat(25_000))]))
      t.ok(isFlooded)
      t.ok(messages.length < 100)
      const few = new PacketWalk().walk(Buffer.concat([known, Buffer.from(text.repeat(64)), many(5, 5)]))
      t.notOk(few.isFlooded)
      t.ok(Buffer.concat([...few.parts]).equals(Buffer.concat([known, many(5, 5)])))
    }
  }
  t.end()
})

t.test('whatever fills a look is walked through in no time', t => {
  const LOOK_BYTES = 512 * 1024
  const jumping = Buffer.concat(Array.from({ length: 64 }, (_, n) => numbered(n % 2 * 30_000).subarray(0, 16)))
  for (let at = 0; at < jumping.length; at += 16) jumping.writeUInt16BE(12, at + 2)
  for (const [what, bytes] of [['empty packets', Buffer.from([0x24, 0, 0, 0])], ['empty packets and line ends', Buffer.from([0x24, 0, 0, 0, 0x0d, 0x0a])],
    ['counts that go on elsewhere', jumping], ['dollar signs', Buffer.from('$')], ['capitals', Buffer.from('A')], ['beginnings of requests', Buffer.from('A b')],
    ['beginnings of answers', Buffer.from('RTSP/')], ['line ends', Buffer.from('\r\n')], ['long heads', Buffer.from(`RTSP/1.0 200 OK\r\n${'a\n'.repeat(16_000)}`)]] as const) {
    for (const known of [Buffer.alloc(0), many(0, 5)]) {
      const whole = Buffer.concat([known, Buffer.alloc(LOOK_BYTES, bytes)]), startedAt = performance.now()
      new PacketWalk().walk(whole)
      const ms = Math.round(performance.now() - startedAt)
      t.ok(ms < 300, `${what}, ${ms} ms`)
    }
  }
  t.end()
})

t.test('a picture begins with another stamp, or behind the mark where stamps stand still, on its own channel', t => {
  const packet = (stamp: number, isLast: boolean, channel = 0): Buffer => {
    const bytes = Buffer.from(numbered(stamp, channel, 7))
    bytes.writeUInt32BE(stamp, 8)
    bytes[5] = (isLast ? 0x80 : 0) | 96
    return bytes
  }
  const walk = new PacketWalk(0), sign = (...packets: Buffer[]) => walk.walk(Buffer.concat(packets)).picture
  t.equal(sign(packet(1, false)), 'new')
  t.equal(sign(packet(1, false)), 'more')
  t.equal(sign(packet(1, false), packet(2, true)), 'new')
  t.equal(sign(packet(2, true)), 'new', 'the same stamp, behind a mark')
  t.equal(sign(packet(3, true, 2), packet(4, true, 1)), 'none', 'sound and reports')
  t.end()
})
