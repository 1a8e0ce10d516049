const AUTH_HEADER = /((?:authorization|proxy-authorization)\s*:\s*)[^\r\n]+/gi
const SCHEME_END = '://'
/** Where a user part ends; behind a colon it goes on, for passwords that were not encoded. */
const PART_STOP = /[\s/@'"]/g
const HOST_STOP = /[\s@'"]/g
const HOST_END = /[/?,:;)]/

/** Every secret handed in is taken out of `text`, raw or percent-encoded, and so is the user part of any URL. */
export function redact(text: string, secrets: readonly string[] = []): string {
  let out = text
  for (const secret of secrets) {
    if (secret.length === 0) continue
    for (const form of formsOf(secret)) out = out.replaceAll(form, '[redacted]')
  }
  return withoutUserParts(out).replace(AUTH_HEADER, '$1[redacted]')
}

/** Half a character cannot be encoded; whatever sends it sends the sign for one that cannot be shown. */
function formsOf(secret: string): Set<string> {
  const sent = secret.toWellFormed()
  return new Set([secret, sent, encodeURIComponent(sent), encodeURI(sent)])
}

/**
 * Takes what stands between `scheme://` and `@` out. In time linear to the length: each position is looked at
 * a fixed number of times, whatever the text, for a camera may write it.
 */
function withoutUserParts(text: string): string {
  if (!text.includes('@')) return text
  const signs = new AccountSigns(text)
  let out = '', done = 0
  for (let colon = -1; (colon = text.indexOf(SCHEME_END, Math.max(done, colon + 1))) >= 0;) {
    if (!isScheme(text, done, colon)) continue
    const from = colon + SCHEME_END.length, stop = next(text, PART_STOP, from)
    const sign = signs.firstFrom(stop)
    if (sign === null || (sign !== stop && !text.slice(from, stop).includes(':'))) continue
    out += `${text.slice(done, from)}[redacted]@`
    done = sign + 1
  }
  return done === 0 ? text : out + text.slice(done)
}

/** Whether a letter stands in the run of scheme characters that ends before `end`. */
function isScheme(text: string, start: number, end: number): boolean {
  for (let at = end - 1; at >= start; at--) {
    const code = text.charCodeAt(at)
    if ((code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a) return true
    const mayStand = (code >= 0x30 && code <= 0x39) || code === 0x2b || code === 0x2d || code === 0x2e
    if (!mayStand) return false
  }
  return false
}

/** The signs that a host may follow. Asked from left to right. */
class AccountSigns {
  readonly #text: string
  #askedFrom = 0
  /** The first sign from there on, or where its URL ends without one. */
  #at = -1
  #isSign = false

  constructor(text: string) { this.#text = text }

  /** Within the URL that `from` is in. */
  firstFrom(from: number): number | null {
    if (from < this.#askedFrom || from > this.#at) this.#look(from)
    return this.#isSign ? this.#at : null
  }

  #look(from: number): void {
    const text = this.#text
    this.#askedFrom = from
    this.#isSign = false
    for (this.#at = next(text, HOST_STOP, from); text[this.#at] === '@';) {
      const stop = next(text, HOST_STOP, this.#at + 1)
      this.#isSign = text[stop] !== '@' || HOST_END.test(text.slice(this.#at + 1, stop))
      if (this.#isSign) return
      this.#at = stop
    }
  }
}

function next(text: string, pattern: RegExp, from: number): number {
  pattern.lastIndex = from
  return pattern.exec(text)?.index ?? text.length
}
