import { randomBytes } from 'node:crypto'
import type { Credential } from '../../domain/index.ts'
import { PasswordScan } from './password-scan.ts'
import { RelayFault } from './relay-fault.ts'

/** Of one answer: a password of one letter stands in each word. */
const MOST_HIDDEN = 512
/** Ways of writing it that are remembered: a camera has one or two. */
const MOST_FORMS = 64
const STAND_IN_BYTES = 8
/** Scheme, account, host and port of an address; none of a relative one. */
const ORIGIN = /^(\s*[a-z][a-z0-9+.-]{0,15}:\/\/)(?:[^/?#\s]*@)?((?:\[[^\]\s]*\]|[^/:?#\s@]*)(?::\d+)?)/i
const MAX_ORIGIN_CHARS = 1024
/** What may not stand in the line of a request. */
const UNFIT = /[^\x21-\x7e\x80-\u{10ffff}]|["<>]/u

/**
 * A camera that has the account in its address repeats it in what it answers: ffmpeg gets a stand-in, which
 * its requests are given the password back for. Texts are of latin1, a character for a byte.
 */
export class HiddenPassword {
  readonly #password: string
  readonly #scan: PasswordScan
  /** As a camera writes it, and what stands for it. */
  readonly #standIns = new Map<string, string>()
  #hidden = 0

  constructor(account: Credential | null) {
    this.#password = account?.password ?? ''
    this.#scan = new PasswordScan(this.#password)
  }

  /** Before each answer. */
  restart(): void { this.#hidden = 0 }

  isIn(text: string): boolean {
    return this.#password !== '' && this.#scan.find(Buffer.from(text, 'latin1'), 0).length > 0
  }

  /**
   * In an address, behind its host: all that ffmpeg does with that is to give it back. Throws RelayFault when
   * there is no end of it.
   */
  hide(address: string): string {
    if (this.#password === '') return address
    const [origin = '', scheme = '', host = ''] = ORIGIN.exec(address.slice(0, MAX_ORIGIN_CHARS)) ?? []
    const rest = address.slice(origin.length), parts = [scheme, host]
    let at = 0
    for (const { from, to } of this.#scan.find(Buffer.from(rest, 'latin1'), MOST_HIDDEN)) {
      if (++this.#hidden > MOST_HIDDEN) throw new RelayFault('bad-stream',
        'the camera repeats its password without end')
      const form = Buffer.from(rest.slice(from, to), 'latin1').toString('utf8')
      parts.push(rest.slice(at, from), this.#standInOf(form))
      at = to
    }
    return [...parts, rest.slice(at)].join('')
  }

  #standInOf(form: string): string {
    const isNew = !this.#standIns.has(form) && !UNFIT.test(form) && this.#standIns.size < MOST_FORMS
    const known = isNew || this.#standIns.has(form) ? form : encodeURIComponent(this.#password.toWellFormed())
    const standIn = this.#standIns.get(known) ?? randomBytes(STAND_IN_BYTES).toString('hex')
    this.#standIns.set(known, standIn)
    return standIn
  }

  /** For the camera, as it wrote it itself. */
  reveal(uri: string): string {
    return [...this.#standIns].reduce((left, [form, standIn]) => left.replaceAll(standIn, () => form), uri)
  }
}
