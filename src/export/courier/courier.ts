import type { ChildProcess } from 'node:child_process'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { startChild } from '../../platform/child-process.ts'
import { CopyTargetError, type TargetFault } from '../package/target-error.ts'
import type { Verdict } from '../package/verify.ts'
import type { Delivery, Named, Offered } from './destination.ts'
import type { Errand } from './errand.ts'

/** All that is done with a sealed package: hashing it behind recording, and whatever happens at a place outside the recorder, which may be slow, lie or never answer. Throws CopyTargetError. */
export interface Destinations {
  /** Of a package that was sealed here; asked for by its key. */
  verify(folder: string, fingerprint: string): Promise<Verdict>
  /** As `destination.ts` says of each. */
  deliver(delivery: Delivery): Promise<Verdict>
  deliverSheets(delivery: Delivery, folder: string): Promise<void>
  publish(delivery: Named): Promise<void>
  /** Takes away what is not released; never throws. */
  withdraw(delivery: Offered): Promise<void>
}

export type CourierLine = { readonly kind: 'alive' } | { readonly kind: 'done', readonly verdict: Verdict | null } | { readonly kind: 'failed', readonly fault: TargetFault } | { readonly kind: 'broken', readonly why: string }

const PROGRAM = path.join(import.meta.dirname, 'courier-main.ts')
/** A place that takes not 32 MiB in so long does not answer. */
const QUIET_MS = 120_000
const PASSED_ON = ['PATH', 'TMPDIR', 'NODE_COMPILE_CACHE', 'MALLOC_ARENA_MAX'] as const
const KEPT_STDERR_CHARS = 500

/**
 * A process for each errand, behind recording in processor and disk, dead with the recorder. The recorder itself never touches a destination: a call into one that hangs cannot be taken back, not even by SIGKILL,
 * and would hold a thread that recording needs, and the recorder's own end, until somebody pulls the medium out.
 */
export class Courier implements Destinations {
  readonly #quietMs: number
  /** Couriers that were given up and are not gone, by place: nobody else is sent there. */
  readonly #stuck = new Map<string, Set<ChildProcess>>()
  constructor({ quietMs = QUIET_MS }: { readonly quietMs?: number } = {}) { this.#quietMs = quietMs }

  async verify(folder: string, fingerprint: string): Promise<Verdict> { return withVerdict(await this.#send({ act: 'verify', folder, fingerprint })) }
  async deliver(delivery: Delivery): Promise<Verdict> { return withVerdict(await this.#send({ act: 'deliver', delivery })) }
  async deliverSheets(delivery: Delivery, folder: string): Promise<void> { await this.#send({ act: 'deliver-sheets', delivery, folder }) }
  async publish(delivery: Named): Promise<void> { await this.#send({ act: 'publish', delivery }) }
  async withdraw({ copyId, target }: Offered): Promise<void> { await this.#send({ act: 'withdraw', delivery: { copyId, target } }).catch(() => undefined) } // what is left there is looked for again

  async #send(errand: Errand): Promise<Verdict | null> {
    const place = errand.act === 'verify' ? errand.folder : errand.delivery.target.path
    if ((this.#stuck.get(place)?.size ?? 0) > 0) throw new CopyTargetError('hung')
    const child = await startChild('setpriv', ['--pdeathsig', 'KILL', '--', 'ionice', '-t', '-c', '2', '-n', '7', 'nice', '-n', '10', process.execPath, PROGRAM], { stdio: ['pipe', 'pipe', 'pipe'], env: environment(), cwd: '/' })
    const { promise, resolve, reject } = Promise.withResolvers<Verdict | null>()
    let said = '', timer: NodeJS.Timeout | null = null, last: CourierLine = { kind: 'broken', why: 'it ended without a word' }
    const giveUp = (): void => {
      this.#abandon(place, child)
      reject(new CopyTargetError('hung'))
    }
    const wait = (): void => {
      if (timer !== null) clearTimeout(timer)
      timer = setTimeout(giveUp, this.#quietMs)
    }
    wait()
    createInterface({ input: child.stdout }).on('line', line => {
      wait()
      try { last = JSON.parse(line) as CourierLine } catch { last = { kind: 'broken', why: 'it ended in the middle of a word' } }
    })
    child.stderr.on('data', (bytes: Buffer) => { if (said.length < KEPT_STDERR_CHARS) said += bytes.toString('utf8') })
    child.stdin.on('error', () => undefined) // told by its end
    child.once('close', () => {
      if (timer !== null) clearTimeout(timer)
      switch (last.kind) {
        case 'done': resolve(last.verdict); break
        case 'failed': reject(new CopyTargetError(last.fault)); break
        default: reject(new Error(`the courier broke off: ${last.kind === 'broken' ? last.why : 'in the middle'} ${said}`.slice(0, KEPT_STDERR_CHARS)))
      }
    })
    child.stdin.end(JSON.stringify(errand))
    return await promise
  }

  /** Dead as soon as the kernel lets it go. */
  #abandon(place: string, child: ChildProcess): void {
    child.kill('SIGKILL')
    child.unref()
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy()
    if (child.exitCode !== null || child.signalCode !== null) return
    const stuck = this.#stuck.get(place) ?? new Set()
    this.#stuck.set(place, stuck.add(child))
    child.once('exit', () => { if (stuck.delete(child) && stuck.size === 0) this.#stuck.delete(place) })
  }
}

function withVerdict(verdict: Verdict | null): Verdict {
  if (verdict === null) throw new TypeError('a courier came back without its verdict')
  return verdict
}

/** Nothing of ours that it does not need: there may be credentials in it. */
const environment = (): NodeJS.ProcessEnv => ({ LANG: 'C.UTF-8', ...Object.fromEntries(PASSED_ON.flatMap(name => process.env[name] === undefined ? [] : [[name, process.env[name]]])) })
