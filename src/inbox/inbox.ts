import { createHash } from 'node:crypto'
import { watch, type FSWatcher } from 'chokidar'
import type { AuditBook } from '../access/index.ts'
import { epochMs, isoOf, SYSTEM, type AuditValue, type EpochMs } from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import { actorOfSystem, RequestKeyError, type PaperAnswer, type RequestDesk } from '../requests/index.ts'
import { RuleSetError } from '../rules/index.ts'
import type { InboxFolder, Look } from './folder.ts'
import type { InboxKeys } from './keys.ts'
import { INBOX_LIMITS } from './limits.ts'
import { paperOf, readMessage, type SignedMessage } from './read-message.ts'
import { reasonText, type Rejection } from './reasons.ts'
import { inboxFileTables, type DecidedFile } from './tables/files.ts'

export interface InboxOptions {
  readonly db: Db
  readonly audit: AuditBook
  readonly keys: Pick<InboxKeys, 'signerOf'>
  readonly desk: Pick<RequestDesk, 'takeApproved'>
  readonly folder: Pick<InboxFolder, 'open' | 'names' | 'look' | 'read' | 'target' | 'writeReason' | 'move' | 'rejected' | 'tidy' | 'dir'>
  readonly clock: Clock
  readonly log: Logger
}
export interface InboxStatus { readonly state: 'ok' | 'failed', readonly waiting: number, readonly rejected: number, readonly rejectedAt: EpochMs | null }

const UNREAD: InboxStatus = { state: 'ok', waiting: 0, rejected: 0, rejectedAt: null }
/** Events are hints; without any the folder is looked at this often. */
const LOOK_EACH_MS = 30_000

/**
 * Takes approved requests that the office's document system leaves as signed files. What is decided about a file is written down with what it does, in one transaction; then it is moved.
 * A kill between any two steps leaves a file that is decided anew, or one whose move is finished by the next pass.
 */
export class Inbox {
  readonly #options: InboxOptions
  readonly #files: ReturnType<typeof inboxFileTables>
  /** How each file looked when it was first seen like that. */
  readonly #seen = new Map<string, { readonly look: Look, readonly sinceMs: number }>()
  #status = UNREAD
  #running: Promise<void> | null = null

  constructor(options: InboxOptions) {
    this.#options = options
    this.#files = inboxFileTables(options.db)
  }

  status(): InboxStatus { return this.#status }

  /** Works off what lies there, as much as may be in one go. Idempotent; never two at once. Throws what is wrong with the folder itself. */
  async pass(): Promise<void> {
    this.#running ??= this.#pass().finally(() => { this.#running = null })
    return this.#running
  }

  /** Looks whenever something seems to have happened, until it is disposed of. */
  watch(): AsyncDisposable {
    const { folder, clock, log } = this.#options
    const end = new AbortController()
    let hint = new AbortController()
    let watcher: FSWatcher | null = null
    const begin = (): FSWatcher => watch(folder.dir, { ignoreInitial: true, depth: 0, followSymlinks: false })
      .on('all', () => { hint.abort() }).on('error', error => { log.warn({ err: error }, 'the inbox cannot be watched') })
    const run = async (): Promise<void> => {
      while (!end.signal.aborted) {
        hint = new AbortController()
        await this.pass().then(() => { watcher ??= begin() }, (error: unknown) => { log.error({ err: error }, 'the inbox could not be worked off') }) // a folder that is not there cannot be watched
        if (this.#status.waiting > 0) await clock.wait(INBOX_LIMITS.settledMs, end.signal)
        else await clock.wait(LOOK_EACH_MS, AbortSignal.any([end.signal, hint.signal]))
      }
    }
    const running = run()
    return { [Symbol.asyncDispose]: async () => { end.abort(); await running; await watcher?.close() } }
  }

  async #pass(): Promise<void> {
    const { folder } = this.#options
    try {
      await folder.open()
      await folder.tidy()
      await this.#settle()
      const names = await folder.names()
      for (const name of this.#seen.keys()) if (!names.includes(name)) this.#seen.delete(name)
      let waiting = 0, done = 0, state: InboxStatus['state'] = 'ok'
      for (const name of names) {
        // One file that meets a fault holds up no other; it is tried again.
        const isOver = done < INBOX_LIMITS.filesAPass && await this.#take(name).catch((error: unknown) => {
          if (error instanceof RuleSetError) return false // the office is closed, and says so itself
          this.#options.log.error({ err: error }, 'an inbox file could not be worked off now')
          state = 'failed'
          return false
        })
        if (isOver) done += 1
        else waiting += 1
      }
      const { count, oldestMs } = await folder.rejected()
      this.#status = { state, waiting, rejected: count, rejectedAt: oldestMs === null ? null : epochMs(Math.floor(oldestMs)) }
    } catch (error) {
      this.#status = { ...this.#status, state: 'failed' }
      throw error
    }
  }

  /** Finishes what a kill left between deciding and moving. */
  async #settle(): Promise<void> {
    const { folder } = this.#options
    for (const file of this.#files.pending()) {
      const look = await folder.look(file.name)
      const read = look?.isFile === true ? await folder.read(file.name) : null
      const isSame = look !== null && file.sha256 === (read === null ? specialHash(file.name) : hashOf(read.bytes))
      if (isSame) await this.#move(file, look)
      else this.#files.moved(file.fileId, this.#now()) // moved before the kill, or another file has its name by now
    }
  }

  /** False while it has to wait. */
  async #take(name: string): Promise<boolean> {
    const { folder } = this.#options
    const look = await folder.look(name)
    if (look === null) return true
    if (!look.isFile) return this.#reject(name, look, specialHash(name), { reason: 'not-a-file', faults: [] }, null)
    const stoodMs = this.#stoodMs(name, look)
    if (stoodMs < INBOX_LIMITS.settledMs) return false
    const read = await folder.read(name)
    if (read === null && stoodMs >= INBOX_LIMITS.brokenOffMs) return this.#reject(name, look, specialHash(name), { reason: 'unreadable', faults: [] }, null)
    if (read === null || !isSameLook(read, look)) return false // changed under our eyes; the next look tells
    const sha256 = hashOf(read.bytes)
    const result = readMessage(read.bytes, this.#options.keys, this.#now())
    if (!result.ok) {
      if (result.rejection.reason === 'not-json' && result.keyId === null && stoodMs < INBOX_LIMITS.brokenOffMs) return false // half-written, perhaps
      return this.#reject(name, read, sha256, result.rejection, result.keyId)
    }
    return this.#offer(name, read, sha256, result)
  }

  async #offer(name: string, look: Look, sha256: string, { message, system, keyId, messageSha256 }: SignedMessage): Promise<boolean> {
    const { audit, desk } = this.#options
    const accept = (application: string, isRepeated: boolean): DecidedFile => {
      audit.append({ action: 'inbox.accepted', actor: actorOfSystem({ name: system, keyId }), object: message.id, application, result: 'done', detail: { sha256, isRepeated } })
      return this.#files.decided({ name, sha256, outcome: 'accepted', reason: null, detail: null }, this.#now())
    }
    const before = this.#files.message(system, message.id)
    if (before !== null) {
      if (before.messageSha256 !== messageSha256) return this.#reject(name, look, sha256, { reason: 'id-reused', faults: [] }, keyId)
      return this.#move(audit.transaction(() => accept(before.application, true)), look)
    }
    const now = this.#now(), paper = paperOf(message, now)
    if ('reason' in paper) return this.#reject(name, look, sha256, paper, keyId)
    let decided: DecidedFile | null = null
    const answer = await desk.takeApproved({ name: system, keyId }, paper, ({ number }) => {
      decided = accept(number, false)
      this.#files.take({ system, messageId: message.id, messageSha256, keyId, application: number, takenAt: now })
    }).catch((error: unknown): 'id-reused' => { if (error instanceof RequestKeyError) return 'id-reused'; throw error })
    if (answer === 'id-reused') return this.#reject(name, look, sha256, { reason: 'id-reused', faults: [] }, keyId)
    if (!answer.ok) return this.#reject(name, look, sha256, rejectionOf(answer), keyId)
    const { application: { number }, holding } = answer
    if (holding.state !== 'held') this.#options.log.warn({ application: number, ...holding }, 'holds of an inbox request are not confirmed by the recorder yet')
    if (decided === null) throw new TypeError('a paper was taken and nothing written down')
    return this.#move(decided, look)
  }

  async #reject(name: string, look: Look, sha256: string, rejection: Rejection, keyId: string | null): Promise<boolean> {
    const { audit } = this.#options
    const at = this.#now(), detail = reasonText(rejection, { name, sha256, at: isoOf(at) })
    const where: AuditValue = rejection.faults.slice(0, 20).map(fault => fault.where.slice(0, 100))
    const file = audit.transaction(() => {
      audit.append({ action: 'inbox.rejected', actor: SYSTEM, object: sha256, application: null, result: 'refused', detail: { code: rejection.reason, where, key: keyId } })
      return this.#files.decided({ name, sha256, outcome: 'rejected', reason: rejection.reason, detail }, at)
    })
    this.#options.log.warn({ sha256, reason: rejection.reason }, 'inbox file rejected')
    return this.#move(file, look)
  }

  async #move(file: DecidedFile, look: Look): Promise<boolean> {
    const { folder } = this.#options
    const now = await folder.look(file.name)
    if (now !== null && isSameLook(now, look)) {
      const target = await folder.target(file.name, file.outcome, file.sha256)
      if (file.detail !== null) await folder.writeReason(target, file.detail)
      await folder.move(file.name, file.outcome, target)
    }
    this.#files.moved(file.fileId, this.#now())
    this.#seen.delete(file.name)
    return true
  }

  /** How long it has looked like this. */
  #stoodMs(name: string, look: Look): number {
    const now = this.#options.clock.monoNow(), known = this.#seen.get(name)
    if (known !== undefined && isSameLook(known.look, look)) return now - known.sinceMs
    this.#seen.set(name, { look, sinceMs: now })
    return 0
  }

  #now(): EpochMs { return this.#options.clock.wallNow() }
}

const hashOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
const specialHash = (name: string): string => hashOf(Buffer.from(`no regular file: ${name}`))
const isSameLook = (a: Look, b: Look): boolean => a.isFile === b.isFile && a.ino === b.ino && a.sizeBytes === b.sizeBytes && a.mtimeMs === b.mtimeMs

function rejectionOf({ refusal, step }: Extract<PaperAnswer, { ok: false }>): Rejection {
  const where = step === null ? '(全案 / the whole)' : `steps[${step}]`
  return { reason: 'refused', faults: [{ where: `${where} ${refusal.code}`, ...refusal.message }, ...refusal.problems.map(problem => ({ ...problem, where: `content.${problem.where}` }))] }
}
