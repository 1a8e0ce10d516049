import {
  connectLink, LinkClosedError, LinkTimeoutError, REQUESTS, type Answer, type Ask, type LinkPeer, type RequestName,
} from '../link/index.ts'
import { systemClock } from '../platform/clock.ts'
import { createLogger } from '../platform/logger.ts'
import { PROGRAM_VERSION } from '../platform/program-version.ts'

type Answers<N extends RequestName> = { readonly [Name in N]: (body: Ask<Name>) => Promise<Answer<Name>> }

const MOST_TRIES = 3

export interface RecorderLinkOptions<N extends RequestName> {
  readonly stateDir: string
  /** What answers where no recorder can be asked; opened when it is needed, at most once. */
  readonly alone: () => Promise<Answers<N>>
}

/** Asks the running recorder; where none runs, or none that can be asked, the state folder itself. */
export class RecorderLink<N extends RequestName> implements AsyncDisposable {
  readonly #options: RecorderLinkOptions<N>
  #link: LinkPeer | null = null
  #alone: Answers<N> | null = null
  constructor(options: RecorderLinkOptions<N>) { this.#options = options }

  /** A keyed request is asked again when its answer is lost. Rejects as what answers does. */
  async ask<Name extends N>(name: Name, body: Ask<Name>): Promise<Answer<Name>> {
    const { isKeyed } = REQUESTS[name]
    for (let tries = 1; ; tries++) {
      const link = await this.#recorder()
      if (link === null) return await (this.#alone ??= await this.#options.alone())[name](body)
      try { return await link.ask(name, body) } catch (error) {
        const isLost = error instanceof LinkClosedError || error instanceof LinkTimeoutError
        if (!isLost || !isKeyed || tries === MOST_TRIES) throw error
      }
    }
  }

  /** Null: none runs, or it speaks another version, or lets nobody in. */
  async #recorder(): Promise<LinkPeer | null> {
    if (this.#alone !== null) return null
    if (this.#link?.isClosed === false) return this.#link
    await this.#link?.[Symbol.asyncDispose]()
    this.#link = await connectLink({
      folder: this.#options.stateDir, role: 'command', version: PROGRAM_VERSION, clock: systemClock,
      log: createLogger({ level: 'silent' }),
    }).catch(() => null)
    return this.#link
  }

  async [Symbol.asyncDispose](): Promise<void> { await this.#link?.[Symbol.asyncDispose]() }
}
