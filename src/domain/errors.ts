/**
 * A failure with a name an operator can look up (docs/operating/runbook.md) and the next step in words.
 * `code` is stable; `message` says what happened and what it means; `remedy` what to do.
 */
export abstract class CustosError extends Error {
  readonly code: string
  readonly remedy: string
  constructor(code: string, message: string, options: { remedy: string, cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.code = code
    this.remedy = options.remedy
  }
}

/** May succeed when tried again without a person. */
export class RetryableError extends CustosError {}
/** Stays as it is until a person acts. */
export class FatalError extends CustosError {}

/** Closes a switch over a tagged union: a missing case is a type error, a forged one an assertion. */
export function assertNever(value: never): never {
  throw new TypeError(`unexpected variant ${JSON.stringify(value)}`)
}
