import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { Static, TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { CustosError, FatalError, RetryableError } from '../domain/index.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import { LinkClosedError, LinkTimeoutError, LinkVersionError, LinkViolation } from './errors.ts'
import { FRAME_HEAD_BYTES, FrameError, frameHead, FrameReader, type Frame, type FrameKind } from './frame.ts'
import {
  EnvelopeSchema, LINK_VERSION, REQUESTS, type Answer, type Ask, type Envelope, type RequestName,
} from './messages.ts'

export type LinkRole = 'recorder' | 'office' | 'command'

/** `signal` is aborted once nobody waits for the answer. */
type Handler<N extends RequestName> = (body: Ask<N>, signal: AbortSignal) => Promise<Answer<N>>
type AnyHandler = (body: unknown, signal: AbortSignal) => Promise<unknown>
export type Handlers = { readonly [N in RequestName]?: Handler<N> }

/** The other side of a connection, as those see it who answer it. */
export interface Asker {
  readonly role: LinkRole
  /** Aborted when the connection is over. */
  readonly gone: AbortSignal
  /** Media that the other side has not taken yet. */
  waiting(): { readonly frames: number, readonly bytes: number }
  /**
   * One media frame of these parts, none of which is copied or may change until it is taken. Never waits: who
   * calls asks `waiting` before. After the end it does nothing. Throws FrameError for one that is too long.
   */
  sendMedia(parts: readonly Buffer[]): void
}
/** Called once for each connection, when it has greeted: its handlers may keep what belongs to it. */
export type HandlersFor = (asker: Asker) => Handlers

export interface LinkPeerOptions {
  readonly socket: Socket
  readonly own: { readonly role: LinkRole, readonly version: string }
  readonly takesRoles: readonly LinkRole[]
  readonly takesFrames: readonly FrameKind[]
  readonly handlers: HandlersFor
  /** Each media frame, as it comes; what it throws ends the connection. */
  readonly onMedia?: ((payload: Buffer) => void) | undefined
  readonly clock: Clock
  readonly log: Logger
}

/** Requests of the other side that are being answered. */
export const MOST_AT_ONCE = 64
/** A second, on average over four. */
export const MOST_FRAMES_PER_S = 250
const FRAMES_SAVED = 4 * MOST_FRAMES_PER_S
/** Of what the other side has not read yet. */
export const MOST_WAITING_BYTES = 8 * 2 ** 20
/** Of one turn of the event loop, which belongs to the cameras. */
const TURN_MS = 2
/** The greeting, or the rest of a frame that has begun. */
export const FRAME_WITHIN_MS = 10_000
const LOOK_EVERY_MS = 1_000

interface Waiting {
  readonly name: RequestName
  readonly resolve: (body: unknown) => void
  readonly reject: (error: unknown) => void
}

/**
 * One connection, seen from either side: greets, asks, answers. Whoever sends what is not of the
 * protocol, too much of it, halves of it, or does not read, is closed.
 */
export class LinkPeer implements AsyncDisposable {
  readonly #options: LinkPeerOptions
  readonly #reader: FrameReader
  readonly #waiting = new Map<number, Waiting>()
  readonly #answering = new Set<Promise<void>>()
  readonly #gone = new AbortController()
  readonly #greeted = Promise.withResolvers<LinkRole>()
  readonly #closed = Promise.withResolvers<void>()
  #lastId = 0
  #isGreeted = false
  #handlers: Handlers = {}
  #waitingFrames = 0
  #waitingBytes = 0
  #isPumping = false
  #framesLeft = FRAMES_SAVED
  #framesAt: number
  /** Since when a frame has not come to its end. */
  #midwaySince: number

  constructor(options: LinkPeerOptions) {
    this.#options = options
    this.#reader = new FrameReader(options.takesFrames)
    const { socket, clock } = options
    this.#framesAt = this.#midwaySince = clock.monoNow()
    this.#greeted.promise.catch(() => undefined) // who waits for it is told
    socket.on('data', (chunk: Buffer) => { this.#reader.push(chunk); this.#pump() })
    socket.on('end', () => { this.#end(new LinkClosedError('the other side closed it')) })
    socket.on('error', error => { this.#end(new LinkClosedError(error.message)) })
    socket.on('close', () => { this.#end(new LinkClosedError('the other side is gone')) })
    this.#send({ hello: { protocol: LINK_VERSION, ...options.own } })
    void this.#watch()
  }

  /** The role of the other side, once it greeted. Rejects with LinkClosedError or LinkVersionError. */
  get greeted(): Promise<LinkRole> { return this.#greeted.promise }
  /** Resolves when the connection is over, whatever ended it. */
  get closed(): Promise<void> { return this.#closed.promise }
  get isClosed(): boolean { return this.#gone.signal.aborted }

  /**
   * Rejects with the error that the other side answered, LinkTimeoutError, or LinkClosedError: then it has
   * happened or not. TypeError for what is no such request.
   */
  async ask<N extends RequestName>(name: N, body: Ask<N>): Promise<Answer<N>> {
    const { body: shape, withinMs } = REQUESTS[name]
    if (!fits(shape, body)) throw new TypeError(`what is asked as ${name} does not fit it`)
    if (this.isClosed) throw new LinkClosedError('it is closed')
    const id = ++this.#lastId, { promise, resolve, reject } = Promise.withResolvers<unknown>()
    this.#waiting.set(id, { name, resolve, reject })
    const over = new AbortController()
    try {
      this.#send({ ask: name, id, body })
      void this.#options.clock.wait(withinMs, over.signal)
        .then(() => { reject(new LinkTimeoutError(name, withinMs)) })
      return await promise as Answer<N>
    } finally {
      over.abort()
      this.#waiting.delete(id)
    }
  }

  #send(envelope: Envelope): void {
    if (this.isClosed) return
    const { socket } = this.#options, payload = Buffer.from(JSON.stringify(envelope))
    let head: Buffer
    try { head = frameHead('json', payload.length) } catch (error) {
      if (!('answer' in envelope)) throw error
      this.#send({ answer: envelope.answer, error: failureOf(error) })
      return
    }
    socket.write(Buffer.concat([head, payload]))
    if (socket.writableLength - this.#waitingBytes <= MOST_WAITING_BYTES) return
    this.#end(new LinkViolation('it does not read what it is sent'))
  }

  #sendMedia(parts: readonly Buffer[]): void {
    if (this.isClosed) return
    const { socket } = this.#options, bytes = parts.reduce((sum, part) => sum + part.length, 0)
    const frame = [frameHead('media', bytes), ...parts], last = frame.pop()!
    this.#waitingFrames++
    this.#waitingBytes += bytes + FRAME_HEAD_BYTES
    socket.cork()
    for (const part of frame) socket.write(part)
    socket.write(last, () => {
      this.#waitingFrames--
      this.#waitingBytes -= bytes + FRAME_HEAD_BYTES
    })
    socket.uncork()
  }

  #askerOf(role: LinkRole): Asker {
    return {
      role, gone: this.#gone.signal,
      waiting: () => ({ frames: this.#waitingFrames, bytes: this.#waitingBytes }),
      sendMedia: parts => { this.#sendMedia(parts) },
    }
  }

  // ---- what comes

  /** Takes frames as long as this turn of the loop may last, and goes on in the next. */
  #pump(): void {
    if (this.#isPumping) return
    const { clock, socket } = this.#options, until = clock.monoNow() + TURN_MS
    try {
      for (let frame = this.#reader.next(); frame !== null; frame = this.#reader.next()) {
        this.#countFrame()
        this.#midwaySince = clock.monoNow()
        this.#take(frame)
        if (this.isClosed) return
        if (clock.monoNow() < until) continue
        this.#isPumping = true
        socket.pause()
        setImmediate(() => {
          this.#isPumping = false
          if (this.isClosed) return
          this.#pump()
          if (!this.#isPumping && !this.isClosed) socket.resume()
        })
        return
      }
    } catch (error) {
      const isTold = [FrameError, LinkViolation, LinkVersionError].some(known => error instanceof known)
      this.#end(isTold ? error as Error : new LinkViolation(`it could not be read: ${(error as Error).message}`))
    }
  }

  #countFrame(): void {
    const now = this.#options.clock.monoNow()
    const since = (now - this.#framesAt) / 1000 * MOST_FRAMES_PER_S
    this.#framesLeft = Math.min(FRAMES_SAVED, this.#framesLeft + since)
    this.#framesAt = now
    if (--this.#framesLeft < 0) throw new LinkViolation(`it sends more than ${MOST_FRAMES_PER_S} frames a second`)
  }

  #take({ kind, payload }: Frame): void {
    if (kind === 'media') {
      if (!this.#isGreeted) throw new LinkViolation('it did not greet')
      this.#options.onMedia?.(payload)
      return
    }
    const said: unknown = JSON.parse(payload.toString('utf8'))
    if (!fits(EnvelopeSchema, said)) throw new LinkViolation('a message has a shape of its own')
    if ('hello' in said) { this.#greet(said.hello); return }
    if (!this.#isGreeted) throw new LinkViolation('it did not greet')
    if ('ask' in said) this.#answer(said)
    else this.#settle(said)
  }

  #greet({ protocol, role, version }: Extract<Envelope, { hello: unknown }>['hello']): void {
    const { own, takesRoles } = this.#options
    if (this.#isGreeted) throw new LinkViolation('it greeted twice')
    if (protocol !== LINK_VERSION) {
      throw new LinkVersionError(`link ${LINK_VERSION} (${own.version})`, `link ${protocol} (${version})`)
    }
    const known = takesRoles.find(each => each === role)
    if (known === undefined) throw new LinkViolation(`nobody of the role ${role} is expected`)
    this.#isGreeted = true
    this.#handlers = this.#options.handlers(this.#askerOf(known))
    this.#greeted.resolve(known)
  }

  #answer({ ask, id, body }: Extract<Envelope, { ask: string }>): void {
    if (this.#answering.size >= MOST_AT_ONCE) {
      throw new LinkViolation(`it asks more than ${MOST_AT_ONCE} things at once`)
    }
    const shape = (REQUESTS as Record<string, (typeof REQUESTS)[RequestName] | undefined>)[ask]
    if (shape === undefined || !fits(shape.body, body)) {
      throw new LinkViolation(`it asked ${ask} in a way of its own`)
    }
    const handler = this.#handlers[ask as RequestName] as AnyHandler | undefined
    const answering = this.#work(ask, id, body, shape.answer, handler)
      .finally(() => { this.#answering.delete(answering) })
    this.#answering.add(answering)
  }

  async #work(
    name: string, id: number, body: unknown, shape: TSchema, handler: AnyHandler | undefined,
  ): Promise<void> {
    try {
      if (handler === undefined) throw new LinkViolation(`${name} is not answered here`)
      const answer = await handler(body, this.#gone.signal)
      if (!fits(shape, answer)) throw new TypeError(`the answer to ${name} does not fit it`)
      this.#send({ answer: id, body: answer })
    } catch (error) {
      if (!(error instanceof CustosError) && !this.isClosed) {
        this.#options.log.error({ err: error, request: name }, 'a request could not be answered')
      }
      this.#send({ answer: id, error: failureOf(error) })
    }
  }

  #settle(said: Extract<Envelope, { answer: number }>): void {
    const waiting = this.#waiting.get(said.answer)
    if (waiting === undefined) {
      if (said.answer > this.#lastId) throw new LinkViolation('it answered what was not asked')
      return // too late
    }
    this.#waiting.delete(said.answer)
    if ('error' in said) waiting.reject(errorOf(said.error))
    else if (fits(REQUESTS[waiting.name].answer, said.body)) waiting.resolve(said.body)
    else throw new LinkViolation(`it answered ${waiting.name} in a way of its own`)
  }

  // ---- the end

  /** A greeting or a frame that never comes to its end. */
  async #watch(): Promise<void> {
    const { clock } = this.#options, { signal } = this.#gone
    while (!signal.aborted) {
      await clock.wait(LOOK_EVERY_MS, signal)
      const now = clock.monoNow()
      if (this.#isGreeted && !this.#reader.isMidway) this.#midwaySince = now
      if (now - this.#midwaySince <= FRAME_WITHIN_MS) continue
      this.#end(new LinkViolation('a message did not come to its end'))
    }
  }

  #end(why: Error): void {
    if (this.isClosed) return
    const { socket, log } = this.#options
    if (why instanceof LinkClosedError) log.debug({ why: why.message }, 'a connection of the link ended')
    else log.warn({ why: why.message }, 'a connection of the link was closed for what it did')
    this.#gone.abort()
    const error = why instanceof CustosError ? why : new LinkClosedError(why.message)
    this.#greeted.reject(error)
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
    // What was sent last says why; who does not read it in time is cut off.
    socket.end()
    socket.destroySoon()
    void this.#finish()
  }

  async #finish(): Promise<void> {
    const { socket, clock } = this.#options, over = new AbortController()
    if (!socket.closed) {
      const closed = once(socket, 'close', { signal: over.signal }).catch(() => undefined)
      await Promise.race([closed, clock.wait(LOOK_EVERY_MS, over.signal)])
      over.abort()
      socket.destroy()
    }
    await Promise.allSettled([...this.#answering])
    this.#closed.resolve()
  }

  /** Waits for what is being answered. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end(new LinkClosedError('this side closed it'))
    await this.closed
  }
}

const compiled = new WeakMap<TSchema, { Check(value: unknown): boolean }>()
function fits<S extends TSchema>(schema: S, value: unknown): value is Static<S> {
  let check = compiled.get(schema)
  if (check === undefined) compiled.set(schema, check = Compile(schema))
  return check.Check(value)
}

const FAILED = {
  code: 'CUSTOS_LINK_FAILED', isRetryable: true,
  message: '錄影程式無法完成這項要求，原因在其紀錄中。/ the recorder could not do this; its log says why',
  remedy: '請再試一次；若仍失敗，請看錄影程式的紀錄。/ Try again; if it fails again, read the log of the recorder.',
}
function failureOf(error: unknown): typeof FAILED {
  if (!(error instanceof CustosError)) return FAILED
  const { code, message, remedy } = error
  return { code, message, remedy, isRetryable: error instanceof RetryableError }
}

const errorOf = ({ code, message, remedy, isRetryable }: typeof FAILED): CustosError =>
  isRetryable ? new RetryableError(code, message, { remedy }) : new FatalError(code, message, { remedy })
