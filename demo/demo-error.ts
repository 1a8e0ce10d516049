/** What kept the demo from running, with what to do about it. */
export class DemoError extends Error {
  readonly remedy: string
  constructor(message: string, remedy: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'DemoError'
    this.remedy = remedy
  }
}
