import { makeBox, requireBox, type InitSegment } from '../../media/index.ts'

/** What the boxes of the ONVIF Export File Format say. No network address stands in them: an exported file is to tell nobody the office's wiring. */
export interface ExportFacts {
  readonly unitName: string
  readonly operator: string
  readonly exportedAtMs: number
  readonly sourceName: string
  /** 區位 as the camera register has it; null writes no `loci`. */
  readonly location: string | null
  /** Instant of the file's time zero. */
  readonly startAtMs: number
}

const MS_1601_TO_1970 = 11_644_473_600_000
const text = (words: string): Buffer => Buffer.from(`${words.replaceAll('\0', '')}\0`, 'utf8')
const u64 = (value: bigint): Buffer => { const bytes = Buffer.alloc(8); bytes.writeBigUInt64BE(value); return bytes }
const u32 = (value: number): Buffer => { const bytes = Buffer.alloc(4); bytes.writeUInt32BE(value >>> 0); return bytes }
const u16 = (value: number): Buffer => { const bytes = Buffer.alloc(2); bytes.writeUInt16BE(value); return bytes }
const fullBox = (type: string, ...bodies: readonly Buffer[]): Buffer => makeBox(type, u32(0), ...bodies)

/** 100 ns since 1601, UTC. */
const fileTime = (ms: number): bigint => BigInt(Math.round(ms) + MS_1601_TO_1970) * 10_000n

/** Exporting unit, URL, MAC, start of the export, operator; then each track's source, URL, MAC and line. */
function surveillanceExport({ unitName, operator, exportedAtMs, sourceName }: ExportFacts, init: InitSegment): Buffer {
  const tracks = init.tracks.map(({ trackId }) => Buffer.concat([u32(trackId), text(sourceName), text(''), text(''), text('')]))
  return fullBox('suep', text(unitName), text(''), text(''), u64(fileTime(exportedAtMs)), text(operator), u32(tracks.length), ...tracks)
}

/** The corrected start of each track. */
const correctedStart = ({ startAtMs }: ExportFacts, init: InitSegment): Buffer =>
  fullBox('cstb', u32(init.tracks.length), ...init.tracks.map(({ trackId }) => Buffer.concat([u32(trackId), u64(fileTime(startAtMs))])))

const UNDETERMINED_LANGUAGE = 0x55c4 // "und"
/** 3GPP TS 26.244 §8.10. The format has no word for unknown coordinates, so the notes say that the zeros are none. */
const locationBox = (place: string): Buffer => makeBox('udta', fullBox('loci', u16(UNDETERMINED_LANGUAGE), text(place), Buffer.from([0]), u32(0), u32(0), u32(0), text('earth'), text('coordinates not surveyed')))

/** `moov` with the boxes behind its own, which stay as they were recorded; players pass over what they do not know. */
export function exportedMoov(init: InitSegment, facts: ExportFacts): Buffer {
  const moov = requireBox(init.moov, { bodyAt: 0, endAt: init.moov.length }, 'moov')
  const handler = fullBox('hdlr', u32(0), Buffer.from('suep', 'latin1'), Buffer.alloc(12), text('ONVIF'))
  const meta = fullBox('meta', handler, surveillanceExport(facts, init), correctedStart(facts, init))
  return makeBox('moov', init.moov.subarray(moov.bodyAt, moov.endAt), ...(facts.location === null ? [] : [locationBox(facts.location)]), meta)
}
