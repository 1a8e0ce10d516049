import { setImmediate as turn } from 'node:timers/promises'

/** One element of a device's answer. Names are without prefix, text is trimmed, namespace declarations are left out. */
export interface XmlElement {
  readonly name: string
  readonly attributes: ReadonlyMap<string, string>
  readonly children: readonly XmlElement[]
  readonly text: string
}

/** The text is not XML that an ONVIF device has a reason to send. The message holds nothing of the text. */
export class XmlError extends Error {
  override readonly name = 'XmlError'
}

/** Deepest seen in an ONVIF answer is 11. */
const MAX_DEPTH = 48

/** What one document may hold; each of these costs memory or a call. */
export interface XmlBounds {
  readonly elements: number
  /** Namespaces too. */
  readonly attributes: number
  /** Such as `&amp;`, and every other `&`. */
  readonly references: number
}

/** Of an answer: a recorder with 128 channels lists 30,000 elements; some references stand in addresses. */
const ANSWER_BOUNDS: XmlBounds = { elements: 100_000, attributes: 60_000, references: 20_000 }
/** Devices declare up to a hundred namespaces in their envelope. */
const MAX_ATTRIBUTES_OF_ONE = 400
/** Tags and attributes that are read in about a millisecond. */
const SLICE_STEPS = 1_000

const NO_ATTRIBUTES: ReadonlyMap<string, string> = new Map()
const NAME = /[A-Za-z_][\w.:-]{0,127}/y
const ATTRIBUTE = /\s+([A-Za-z_][\w.:-]{0,127})\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/y
const OPENING_END = /\s*(\/?)>/y
const CLOSING_END = /\s*>/y
const REFERENCE = /&(?:#x([0-9a-fA-F]{1,6})|#([0-9]{1,7})|(amp|lt|gt|quot|apos));/y
const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

interface OpenElement { readonly rawName: string, readonly attributes: ReadonlyMap<string, string>, readonly children: XmlElement[], text: string }

/**
 * Reads one document in time linear to its length (a device must not be able to stall the recorder), to the
 * end of the root element. Document types are refused, so there are no entities to expand. Throws XmlError.
 */
export function readXml(source: string, bounds = ANSWER_BOUNDS): XmlElement {
  const reader = new XmlReader(source, bounds)
  for (;;) {
    const root = reader.read()
    if (root !== null) return root
  }
}

/** The same, with a turn for everybody else between two slices: the longest lists take 0.1 s. */
export async function readXmlInSlices(source: string): Promise<XmlElement> {
  const reader = new XmlReader(source, ANSWER_BOUNDS)
  for (;;) {
    await turn()
    const root = reader.read()
    if (root !== null) return root
  }
}

class XmlReader {
  readonly #source: string
  readonly #bounds: XmlBounds
  readonly #open: OpenElement[] = []
  #at = 0
  #elements = 0
  #attributes = 0
  #references = 0
  #steps = 0

  constructor(source: string, bounds: XmlBounds) {
    this.#source = source
    this.#bounds = bounds
  }

  /** Goes on for one slice. Null while the root is not whole. */
  read(): XmlElement | null {
    const source = this.#source
    for (this.#steps = 0; this.#steps < SLICE_STEPS; this.#steps++) {
      const tagAt = source.indexOf('<', this.#at)
      if (tagAt < 0) throw new XmlError(this.#open.length === 0 ? 'no element' : 'ends inside an element')
      if (tagAt > this.#at) this.#addText(source.slice(this.#at, tagAt))
      this.#at = tagAt + 1
      const mark = source[this.#at]
      if (mark === '?') this.#skipPast('?>')
      else if (mark === '!') this.#readMarkup()
      else {
        const element = mark === '/' ? this.#closeElement() : this.#openElement()
        const parent = this.#open.at(-1)
        if (element && !parent) return element
        if (element && parent) parent.children.push(element)
      }
    }
    return null
  }

  #addText(text: string): void {
    const parent = this.#open.at(-1)
    if (parent) parent.text += this.#decoded(text)
    else if (!/^[\s\0\uFEFF]*$/.test(text)) throw new XmlError('text before the first element')
  }

  /** Comment or CDATA; `#at` is on the exclamation mark. */
  #readMarkup(): void {
    const from = this.#at
    const parent = this.#open.at(-1)
    if (this.#source.startsWith('!--', from)) { this.#at = from + 3; this.#skipPast('-->'); return }
    if (!parent || !this.#source.startsWith('![CDATA[', from)) throw new XmlError('declares a document type')
    this.#skipPast(']]>')
    parent.text += this.#source.slice(from + '![CDATA['.length, this.#at - ']]>'.length)
  }

  /** The element if it is empty, else it stays open. */
  #openElement(): XmlElement | null {
    const rawName = this.#match(NAME)?.[0]
    if (rawName === undefined) throw new XmlError('not an element name')
    const { elements } = this.#bounds
    if (++this.#elements > elements) throw new XmlError(`more than ${elements} elements`)
    const attributes = this.#source[this.#at] === '>' ? NO_ATTRIBUTES : this.#readAttributes()
    const end = this.#match(OPENING_END)
    if (!end) throw new XmlError('an element is not well formed')
    const element: OpenElement = { rawName, attributes, children: [], text: '' }
    if (end[1] !== '') return finished(element)
    if (this.#open.push(element) > MAX_DEPTH) throw new XmlError(`deeper than ${MAX_DEPTH} elements`)
    return null
  }

  #readAttributes(): ReadonlyMap<string, string> {
    const attributes = new Map<string, string>(), most = this.#bounds.attributes
    let count = 0
    for (let found; (found = this.#match(ATTRIBUTE)); this.#steps++) {
      const isBeyond = ++count > MAX_ATTRIBUTES_OF_ONE || ++this.#attributes > most
      if (isBeyond) throw new XmlError('too many attributes')
      const [, name = '', quoted, apostrophed] = found
      if (!name.startsWith('xmlns')) attributes.set(localName(name), this.#decoded(quoted ?? apostrophed ?? ''))
    }
    return attributes.size === 0 ? NO_ATTRIBUTES : attributes
  }

  #closeElement(): XmlElement {
    const element = this.#open.pop()
    this.#at += 1
    if (!element || !this.#source.startsWith(element.rawName, this.#at)) throw new XmlError('closes an element that is not open')
    this.#at += element.rawName.length
    if (!this.#match(CLOSING_END)) throw new XmlError('closes an element that is not open')
    return finished(element)
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#source)
    if (found) this.#at = pattern.lastIndex
    return found
  }

  #skipPast(mark: string): void {
    const found = this.#source.indexOf(mark, this.#at)
    if (found < 0) throw new XmlError(`no ${mark}`)
    this.#at = found + mark.length
  }

  /** A bare `&` stays as it is: cameras send stream URIs with an unescaped query. */
  #decoded(text: string): string {
    const { references } = this.#bounds
    let out = ''
    let from = 0
    for (let at; (at = text.indexOf('&', from)) >= 0;) {
      if (++this.#references > references) throw new XmlError(`more than ${references} character references`)
      REFERENCE.lastIndex = at
      const [whole = '&', hex, decimal, name] = REFERENCE.exec(text) ?? []
      out += text.slice(from, at) + (name === undefined ? characterOf(hex, decimal) : NAMED[name] ?? '')
      from = at + whole.length
    }
    return from === 0 ? text : out + text.slice(from)
  }
}

function characterOf(hex: string | undefined, decimal: string | undefined): string {
  if (hex === undefined && decimal === undefined) return '&'
  const codePoint = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
  const allowed = codePoint > 0 && codePoint <= 0x10FFFF && !(codePoint >= 0xD800 && codePoint <= 0xDFFF)
  return allowed ? String.fromCodePoint(codePoint) : '\uFFFD'
}

const localName = (name: string): string => name.slice(name.lastIndexOf(':') + 1)

const finished = ({ rawName, attributes, children, text }: OpenElement): XmlElement =>
  ({ name: localName(rawName), attributes, children, text: text.trim() })

/** First child of that name, step by step; undefined where a step is missing. */
export function descend(element: XmlElement | undefined, ...path: readonly string[]): XmlElement | undefined {
  let here = element
  for (const name of path) here = here?.children.find(child => child.name === name)
  return here
}

/** Its text, undefined where the element is missing or empty. */
export const textAt = (element: XmlElement | undefined, ...path: readonly string[]): string | undefined =>
  descend(element, ...path)?.text || undefined
