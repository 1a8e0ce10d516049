import type { RecorderConnection } from './recorder-connection.ts'

/** What runs as long as each connection lasts, and not beyond its owner. */
export class ConnectedLoop implements AsyncDisposable {
  readonly #runs = new Map<Promise<void>, AbortController>()
  readonly #unhook: () => void

  /** `run` must not reject; it begins at once where there is a connection. */
  constructor(
    connection: Pick<RecorderConnection, 'onConnected'>, run: (signal: AbortSignal) => Promise<void>,
  ) {
    this.#unhook = connection.onConnected(over => {
      const own = new AbortController(), end = (): void => { own.abort() }
      over.addEventListener('abort', end, { once: true })
      const running: Promise<void> = run(own.signal).finally(() => {
        over.removeEventListener('abort', end)
        this.#runs.delete(running)
      })
      this.#runs.set(running, own)
    })
  }

  get runs(): number { return this.#runs.size }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unhook()
    for (const own of this.#runs.values()) own.abort()
    await Promise.all(this.#runs.keys())
  }
}
