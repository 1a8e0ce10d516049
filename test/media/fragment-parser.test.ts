import fc from 'fast-check'
import t from 'tap'
import { boxesIn, makeBox, MalformedMediaError, writeBoxHeader } from '../../src/media/box.ts'
import { FragmentParser, type Parsed } from '../../src/media/fragment-parser.ts'
import { realMedia } from '../support/recorder/real-media.ts'
import { seeded } from '../support/recorder/seeded.ts'

const OPTIONS = { headRoomBytes: 96, tailRoomBytes: 8, maxFragmentBytes: 1 << 20 }
const runs = seeded(t, 150)
const media = await realMedia({ codec: 'libx264', audio: true })

/** All that came out, as bytes that can be compared. */
const facts = (parsed: readonly Parsed[]) => parsed.map(each => each.kind === 'init'
  ? { kind: each.kind, bytes: Buffer.concat([each.init.ftyp, each.init.moov]).toString('base64') }
  : { kind: each.kind, moofBytes: each.fragment.moofBytes, bytes: each.fragment.buffer.subarray(each.fragment.moofAt, each.fragment.endAt).toString('base64'), tracks: each.fragment.tracks.map(track => [track.trackId, track.decodeTimeTicks.toString(), track.samples.length]) })

const parseAll = (chunks: readonly Buffer[], options = OPTIONS): Parsed[] => {
  const parser = new FragmentParser(options)
  return chunks.flatMap(chunk => parser.push(chunk))
}

const cutAt = (bytes: Buffer, places: readonly number[]): Buffer[] => {
  const edges = [0, ...[...new Set(places)].sort((a, b) => a - b), bytes.length]
  return edges.slice(1).map((edge, i) => bytes.subarray(edges[i], edge))
}

const boxTypes = [...boxesIn(media, 0, media.length)].map(box => box.type)
const whole = facts(parseAll([media]))

t.test('gives the init segment first and then every fragment, byte for byte', async t => {
  t.equal(whole[0]?.kind, 'init')
  t.equal(whole.length - 1, boxTypes.filter(type => type === 'moof').length)
  const pairs = [...boxesIn(media, 0, media.length)].filter(box => ['ftyp', 'moov', 'moof', 'mdat'].includes(box.type)).map(box => media.subarray(box.at, box.endAt))
  t.equal(Buffer.concat(whole.map(each => Buffer.from(each.bytes, 'base64'))).compare(Buffer.concat(pairs)), 0)
})

t.test('leaves the room asked for before and behind each fragment', async t => {
  const fragments = parseAll([media]).flatMap(each => each.kind === 'fragment' ? [each.fragment] : [])
  for (const { buffer, moofAt, endAt } of fragments) t.strictSame([moofAt, buffer.length - endAt], [OPTIONS.headRoomBytes, OPTIONS.tailRoomBytes])
})

t.test('gives the same one byte at a time', async t => {
  t.strictSame(facts(parseAll([...media].map(byte => Buffer.from([byte])))), whole)
})

t.test('gives the same whatever the chunks are', async () => {
  fc.assert(fc.property(fc.array(fc.nat(media.length), { maxLength: 60 }), places =>
    JSON.stringify(facts(parseAll(cutAt(media, places)))) === JSON.stringify(whole)), runs)
})

t.test('is midway from the first byte of a box to its last, and from moof to the end of its mdat', async t => {
  const parser = new FragmentParser(OPTIONS)
  const ends = new Set([...boxesIn(media, 0, media.length)].filter(box => box.type !== 'moof').map(box => box.endAt))
  t.notOk(parser.isMidway)
  for (const [i, byte] of media.entries()) {
    parser.push(Buffer.from([byte]))
    if (parser.isMidway === ends.has(i + 1)) t.fail(`after byte ${i + 1}`)
  }
})

t.test('keeps nothing of the chunks it was given', async t => {
  const chunks = cutAt(media, [100, 5000, 20_000]).map(chunk => Buffer.from(chunk))
  const parser = new FragmentParser(OPTIONS)
  const parsed = chunks.flatMap(chunk => { const out = parser.push(chunk); chunk.fill(0xee); return out })
  t.strictSame(facts(parsed), whole)
})

t.test('passes over boxes that carry no picture, wherever a muxer puts them', async t => {
  const extra = (['styp', 'sidx', 'free', 'skip', 'emsg', 'prft'] as const).map(type => makeBox(type, Buffer.alloc(37, 1)))
  const spread = [...boxesIn(media, 0, media.length)].flatMap((box, i) => box.type === 'moof' ? [extra[i % extra.length]!, media.subarray(box.at, box.endAt)] : [media.subarray(box.at, box.endAt)])
  t.strictSame(facts(parseAll([Buffer.concat(spread)])), whole)
  t.strictSame(facts(parseAll([...Buffer.concat(spread)].map(byte => Buffer.from([byte])))), whole)
})

const box = (type: string) => { const [found] = [...boxesIn(media, 0, media.length)].filter(each => each.type === type); return media.subarray(found!.at, found!.endAt) }
const headerOnly = (type: string, sizeBytes: number) => { const header = Buffer.alloc(8); writeBoxHeader(header, 0, type, sizeBytes); return header }
const large = (type: string, sizeBytes: bigint) => { const header = Buffer.alloc(16); writeBoxHeader(header, 0, type, 1); header.writeBigUInt64BE(sizeBytes, 8); return header }

const REFUSED: Record<string, () => Buffer[]> = {
  'a fragment before the init segment': () => [box('moof'), box('mdat')],
  'a moov without ftyp': () => [box('moov')],
  'a second moov': () => [box('ftyp'), box('moov'), box('moov')],
  'data without moof': () => [box('ftyp'), box('moov'), box('mdat')],
  'two moofs in a row': () => [box('ftyp'), box('moov'), box('moof'), box('moof')],
  'a box no muxer writes there': () => [box('ftyp'), box('moov'), makeBox('abcd')],
  'an open-ended box': () => [headerOnly('mdat', 0)],
  'a box smaller than its header': () => [headerOnly('ftyp', 7)],
  'data over the bound': () => [box('ftyp'), box('moov'), box('moof'), headerOnly('mdat', OPTIONS.maxFragmentBytes + 1)],
  'data with a giant size': () => [box('ftyp'), box('moov'), box('moof'), large('mdat', 2n ** 63n)],
  'data with a 64-bit size': () => [box('ftyp'), box('moov'), box('moof'), large('mdat', 500n)],
  'data with nothing in it': () => [box('ftyp'), box('moov'), box('moof'), headerOnly('mdat', 8)],
  'a giant moof': () => [box('ftyp'), box('moov'), headerOnly('moof', 0xffffffff)],
  'a giant moov': () => [box('ftyp'), headerOnly('moov', 0x7fffffff)],
  'a giant box to pass over': () => [large('free', 2n ** 40n)],
}

for (const [what, chunks] of Object.entries(REFUSED)) {
  t.test(`refuses ${what}`, async t => {
    t.throws(() => parseAll(chunks()), { name: 'MalformedMediaError' })
    t.throws(() => parseAll([...Buffer.concat(chunks())].map(byte => Buffer.from([byte]))), { name: 'MalformedMediaError' }, 'a byte at a time too')
  })
}

/** Null: parsed or refused as it should be. Else what went wrong. */
function troubleWith(bytes: Buffer, chunkBytes: number): unknown {
  const parser = new FragmentParser(OPTIONS)
  try {
    for (let at = 0; at < bytes.length; at += chunkBytes) parser.push(bytes.subarray(at, at + chunkBytes))
  } catch (error) { return error instanceof MalformedMediaError ? null : error }
  return null
}

const damage = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), flips: fc.array(fc.record({ at: fc.nat(), bit: fc.nat(7) }), { minLength: 1, maxLength: 8 }) }),
  fc.record({ kind: fc.constant('truncate' as const), at: fc.nat() }),
  fc.record({ kind: fc.constant('splice' as const), at: fc.nat(), bytes: fc.uint8Array({ maxLength: 64 }) }),
  fc.record({ kind: fc.constant('size' as const), which: fc.nat(), sizeBytes: fc.oneof(fc.nat(0xffffffff), fc.constantFrom(0, 1, 7, 8, 0xffffffff)) }),
)

function damaged(how: typeof damage extends fc.Arbitrary<infer Damage> ? Damage : never): Buffer {
  const bytes = Buffer.from(media)
  switch (how.kind) {
    case 'flip': {
      // Most hits on the headers, where they hurt: the pictures are only copied.
      for (const { at, bit } of how.flips) { const place = at % (at % 3 === 0 ? bytes.length : 3000); bytes[place] = (bytes[place] ?? 0) ^ (1 << bit) }
      return bytes
    }
    case 'truncate': return bytes.subarray(0, how.at % bytes.length)
    case 'splice': { const at = how.at % 3000; return Buffer.concat([bytes.subarray(0, at), how.bytes, bytes.subarray(at)]) }
    case 'size': {
      const boxes = [...nested(bytes, 0, bytes.length)]
      bytes.writeUInt32BE(how.sizeBytes >>> 0, boxes[how.which % boxes.length]!)
      return bytes
    }
  }
}

/** Where every box of the file begins, those inside others too. */
function* nested(bytes: Buffer, from: number, to: number): Generator<number> {
  for (const each of boxesIn(bytes, from, to)) {
    yield each.at
    if (['moov', 'trak', 'mdia', 'minf', 'stbl', 'moof', 'traf', 'mvex'].includes(each.type)) yield* nested(bytes, each.bodyAt, each.endAt)
  }
}

t.test('a damaged stream is read or refused as malformed, never anything else', async () => {
  fc.assert(fc.property(damage, fc.constantFrom(1 << 20, 65_536, 1000), (how, chunkBytes) => {
    const trouble = troubleWith(damaged(how), chunkBytes)
    if (trouble !== null) throw trouble
  }), { ...runs, numRuns: runs.numRuns * 4 })
})

t.test('random bytes are refused as malformed, never anything else', async () => {
  const after = fc.constantFrom([] as Buffer[], [box('ftyp')], [box('ftyp'), box('moov')], [box('ftyp'), box('moov'), box('moof')])
  const type = fc.constantFrom('moov', 'moof', 'mdat', 'free', 'ftyp', 'uuid')
  fc.assert(fc.property(after, type, fc.uint8Array({ maxLength: 300 }), fc.boolean(), (before, kind, random, framed) => {
    const trouble = troubleWith(Buffer.concat([...before, framed ? makeBox(kind, Buffer.from(random)) : Buffer.from(random)]), 97)
    if (trouble !== null) throw trouble
  }), { ...runs, numRuns: runs.numRuns * 4 })
})

t.test('a stream that promises much and sends little costs no more memory than one fragment', async t => {
  const grown = (chunks: readonly Buffer[]): number => {
    const parser = new FragmentParser(OPTIONS)
    const before = process.memoryUsage().arrayBuffers
    for (const chunk of chunks) try { parser.push(chunk) } catch (error) { if (!(error instanceof MalformedMediaError)) throw error }
    return process.memoryUsage().arrayBuffers - before
  }
  const start = [box('ftyp'), box('moov'), box('moof')]
  t.ok(grown([...start, headerOnly('mdat', OPTIONS.maxFragmentBytes)]) <= OPTIONS.maxFragmentBytes + 200_000)
  t.ok(grown([...start, headerOnly('mdat', 0x7fffffff)]) < 200_000)
  t.ok(grown([box('ftyp'), headerOnly('moov', 0x7fffffff)]) < 200_000)
})
