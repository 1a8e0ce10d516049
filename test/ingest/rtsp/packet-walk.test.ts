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
    answers.push(...step.answers.map(String))
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
