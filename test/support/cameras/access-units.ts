export type VideoCodec = 'h264' | 'h265'

/** One frame in Annex B, with encoder chatter (SEI) and, unless asked for, delimiters left out. */
export type AccessUnit = {
  bytes: Buffer
  key: boolean
  /** Where the start code of the first slice begins. */
  vclOffset: number
  /** The slices without their start codes. */
  vclNals: Buffer[]
}

const START_CODE = Buffer.from([0, 0, 0, 1])
const H264 = { slice: 1, idr: 5, sei: 6, delimiter: 9 } as const
const H265 = { firstNonSlice: 32, firstIrap: 16, lastIrap: 23, delimiter: 35, prefixSei: 39, suffixSei: 40 } as const

type NalKind = 'slice' | 'key-slice' | 'parameters' | 'dropped'

/** Cuts an Annex B byte stream into access units whose slices are the only thing that starts or ends a frame. */
export function readAccessUnits(stream: Buffer, { codec, aud = false }: { codec: VideoCodec, aud?: boolean }): AccessUnit[] {
  const units: AccessUnit[] = []
  let leading: Buffer[] = []
  let slices: Buffer[] = []
  let key = false
  const finish = (): void => {
    if (slices.length === 0) return
    const before = [...(aud ? [delimiter(codec, key)] : []), ...leading].flatMap(nal => [START_CODE, nal])
    const vclOffset = before.reduce((sum, part) => sum + part.length, 0)
    const bytes = Buffer.concat([...before, ...slices.flatMap(nal => [START_CODE, nal])])
    units.push({ bytes, key, vclOffset, vclNals: slices })
    leading = []
    slices = []
  }
  for (const nal of nalUnits(stream)) {
    const kind = kindOf(nal, codec)
    if (kind === 'dropped') continue
    if (kind === 'parameters') {
      finish()
      leading.push(nal)
      continue
    }
    if (isFirstSlice(nal, codec)) finish()
    slices.push(nal)
    key = kind === 'key-slice'
  }
  finish()
  return units
}

function* nalUnits(stream: Buffer): Generator<Buffer> {
  const mark = Buffer.from([0, 0, 1])
  let start = stream.indexOf(mark)
  while (start !== -1) {
    const next = stream.indexOf(mark, start + mark.length)
    let end = next === -1 ? stream.length : next
    // A fourth zero before a start code belongs to the start code, not to the NAL.
    while (stream[end - 1] === 0) end -= 1
    yield stream.subarray(start + mark.length, end)
    start = next
  }
}

function kindOf(nal: Buffer, codec: VideoCodec): NalKind {
  const first = nal[0] ?? 0
  if (codec === 'h264') {
    const type = first & 0x1f
    if (type === H264.idr) return 'key-slice'
    if (type >= H264.slice && type < H264.idr) return 'slice'
    return type === H264.sei || type === H264.delimiter ? 'dropped' : 'parameters'
  }
  const type = (first >> 1) & 0x3f
  if (type >= H265.firstIrap && type <= H265.lastIrap) return 'key-slice'
  if (type < H265.firstNonSlice) return 'slice'
  return type === H265.prefixSei || type === H265.suffixSei || type === H265.delimiter ? 'dropped' : 'parameters'
}

/** first_mb_in_slice is zero, or first_slice_segment_in_pic_flag is set: the first bit after the header in both codecs. */
function isFirstSlice(nal: Buffer, codec: VideoCodec): boolean {
  return ((nal[codec === 'h264' ? 1 : 2] ?? 0) & 0x80) !== 0
}

function delimiter(codec: VideoCodec, key: boolean): Buffer {
  if (codec === 'h264') return Buffer.from([0x09, key ? 0x10 : 0x30])
  return Buffer.from([H265.delimiter << 1, 0x01, key ? 0x10 : 0x30])
}
