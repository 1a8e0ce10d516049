import { hexDigit } from '../hex-digit.ts'

const PERCENT = 0x25
/** A camera may escape once more what we escaped. */
const MOST_LEVELS = 2

/** Bytes, perhaps unescaped, and where each began; one more for the end. */
interface Units { readonly values: Uint8Array, readonly starts: Uint32Array }

interface Pattern { readonly bytes: Buffer, readonly steps: Uint32Array }

/** A stretch of bytes. */
export interface Found { readonly from: number, readonly to: number }

/** Finds a password wherever it stands, with any of its bytes escaped, in time linear in the bytes. */
export class PasswordScan {
  readonly #patterns: readonly Pattern[]

  constructor(password: string) {
    const forms = new Set([password, password.replaceAll(' ', '+')]) // as forms write a blank
    this.#patterns = password === '' ? [] : [...forms].map(form => {
      const bytes = Buffer.from(form)
      return { bytes, steps: stepsOf(bytes) }
    })
  }

  /** In order; what overlaps is one. More than `most` where there are more, but not all of them. */
  find(bytes: Buffer, most: number): Found[] {
    const found: Found[] = []
    let units: Units | null = { values: bytes, starts: new Uint32Array(bytes.length + 1) }
    for (let i = 0; i <= bytes.length; i++) units.starts[i] = i
    for (let level = 0; level <= MOST_LEVELS && units !== null; level++, units = unescaped(units!)) {
      for (const pattern of this.#patterns) {
        const { starts } = units
        const places = placesOf(pattern, units.values, most).map(at =>
          ({ from: starts[at]!, to: starts[at + pattern.bytes.length]! }))
        if (places.length > most) return places
        found.push(...places)
      }
    }
    return joined(found)
  }
}

function joined(found: Found[]): Found[] {
  const result: Found[] = []
  for (const each of found.toSorted((a, b) => a.from - b.from || a.to - b.to)) {
    const last = result.at(-1)
    if (last === undefined || each.from >= last.to) result.push(each)
    else if (each.to > last.to) result[result.length - 1] = { from: last.from, to: each.to }
  }
  return result
}

/** Null where nothing is escaped. */
function unescaped({ values, starts }: Units): Units | null {
  if (!values.includes(PERCENT)) return null
  const result = { values: new Uint8Array(values.length), starts: new Uint32Array(values.length + 1) }
  let length = 0
  for (let i = 0; i < values.length; length++) {
    const high = values[i] === PERCENT ? hexDigit(values[i + 1]) : -1
    const low = high < 0 ? -1 : hexDigit(values[i + 2])
    result.values[length] = low < 0 ? values[i]! : high * 16 + low
    result.starts[length] = starts[i]!
    i += low < 0 ? 1 : 3
  }
  result.starts[length] = starts[values.length]!
  return length === values.length ? null
    : { values: result.values.subarray(0, length), starts: result.starts.subarray(0, length + 1) }
}

/** For each length that fits, the next shorter one that still does (Knuth, Morris and Pratt). */
function stepsOf(bytes: Buffer): Uint32Array {
  const steps = new Uint32Array(bytes.length)
  for (let i = 1, fits = 0; i < bytes.length; i++) {
    while (fits > 0 && bytes[i] !== bytes[fits]) fits = steps[fits - 1]!
    if (bytes[i] === bytes[fits]) fits++
    steps[i] = fits
  }
  return steps
}

/** Places that do not overlap, up to one more than `most`. */
function placesOf({ bytes, steps }: Pattern, values: Uint8Array, most: number): number[] {
  const places: number[] = []
  for (let i = 0, fits = 0; i < values.length && places.length <= most; i++) {
    while (fits > 0 && values[i] !== bytes[fits]) fits = steps[fits - 1]!
    if (values[i] === bytes[fits]) fits++
    if (fits < bytes.length) continue
    places.push(i + 1 - fits)
    fits = 0
  }
  return places
}
