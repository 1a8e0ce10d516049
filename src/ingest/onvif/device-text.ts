import { redact } from '../../platform/redact.ts'
import type { Credential } from '../../domain/index.ts'

/** Longest text of a device that is shown or kept; names in the field stay under 64. */
const MAX_SHOWN_LENGTH = 128
/** Beyond it a text is only counted: nobody reads so much, and a cut text could hold half a secret. */
const MAX_READ_LENGTH = 1024
/** Of a value that is good for one request. */
const MIN_SECRET_LENGTH = 6
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]+/gu

/** Makes text that came from a device fit to show: a device may echo what we sent it. */
export class DeviceText {
  readonly #password: readonly string[]
  readonly #secrets: Set<string>

  constructor(credential: Credential | null) {
    this.#password = credential === null ? [] : [credential.password]
    this.#secrets = new Set(credential === null ? [] : [credential.password, credential.username])
  }

  /**
   * Digests and nonces that go out are kept out of error texts too. Bounded by the few requests of a session.
   * A nonce of a few letters, which the device chooses, is none and would be taken out of every word.
   */
  addSecrets(secrets: Iterable<string>): void {
    for (const secret of secrets) if (secret.length >= MIN_SECRET_LENGTH) this.#secrets.add(secret)
  }

  /** For error texts and log lines: without any secret of the session. */
  forError(text: string): string { return shown(text, longestFirst(this.#secrets)) }

  /** For facts such as a model name, where the word `admin` may stand for itself: without the password. */
  forFact(text: string): string { return shown(text, this.#password) }

  /** Without any secret, whole: for an address, whose length is bounded already. */
  forAddress(text: string): string { return redact(text, longestFirst(this.#secrets)) }
}

/** A user `admin` must not turn the password `admin123` into `[redacted]123`. */
const longestFirst = (secrets: Iterable<string>): string[] => [...secrets].sort((a, b) => b.length - a.length)

function shown(text: string, secrets: readonly string[]): string {
  if (text.length > MAX_READ_LENGTH) return `(${text.length} characters)`
  const printable = redact(text, secrets).replace(UNPRINTABLE, ' ').trim()
  return printable.length <= MAX_SHOWN_LENGTH ? printable
    : `${printable.slice(0, MAX_SHOWN_LENGTH).toWellFormed()}…`
}
