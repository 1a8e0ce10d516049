import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { SignInBusyError } from './errors.ts'
import { plainPassword } from './password-rules.ts'

/** argon2id with these costs; stored with each hash, so that they can rise. */
export interface HashCost { readonly memoryKiB: number, readonly passes: number }
/** Measured here: median 116 ms of one core (docs/design/0009). 64 MiB in three passes take 200 ms, and half the recorder's own memory. */
export const DEFAULT_COST: HashCost = { memoryKiB: 32 * 1024, passes: 4 }

const HASH_BYTES = 32
const SALT_BYTES = 16
const FORMAT = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=1\$([A-Za-z0-9+/]{16,64})\$([A-Za-z0-9+/]{22,86})$/
/** One at a time: each takes a core and one of the four threads that also write footage [G9]. */
const MAX_WAITING = 32

/** Makes and checks password hashes off the event loop, one after the other. Throws SignInBusyError when too many wait. */
export class PasswordHasher {
  readonly cost: HashCost
  #queue: Promise<unknown> = Promise.resolve()
  #waiting = 0
  readonly #nobody: string

  constructor(cost: HashCost = DEFAULT_COST) {
    this.cost = cost
    this.#nobody = text(cost, randomBytes(SALT_BYTES), randomBytes(HASH_BYTES))
  }

  async hash(password: string): Promise<string> {
    const salt = randomBytes(SALT_BYTES)
    return text(this.cost, salt, await this.#derive(password, salt, this.cost, HASH_BYTES))
  }

  /** `stored` null stands for nobody's password: the same work, and never true. */
  async matches(password: string, stored: string | null): Promise<boolean> {
    const { cost, salt, hash } = parsed(stored ?? this.#nobody)
    const derived = await this.#derive(password, salt, cost, hash.length)
    return timingSafeEqual(derived, hash) && stored !== null
  }

  /** Made with less than what is asked now: to be made anew when the password is next typed. */
  isWeak(stored: string): boolean {
    const { cost } = parsed(stored)
    return cost.memoryKiB < this.cost.memoryKiB || cost.passes < this.cost.passes
  }

  async #derive(password: string, salt: Buffer, { memoryKiB, passes }: HashCost, bytes: number): Promise<Buffer> {
    if (this.#waiting >= MAX_WAITING) throw new SignInBusyError()
    this.#waiting += 1
    const work = this.#queue.then(() => new Promise<Buffer>((resolve, reject) => {
      argon2('argon2id', { message: plainPassword(password), nonce: salt, parallelism: 1, tagLength: bytes, memory: memoryKiB, passes }, (error, derived) => { if (error) reject(error); else resolve(derived) })
    }))
    this.#queue = work.catch(() => undefined)
    try { return await work } finally { this.#waiting -= 1 }
  }
}

const base64 = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '')
const text = ({ memoryKiB, passes }: HashCost, salt: Buffer, hash: Buffer): string => `$argon2id$v=19$m=${memoryKiB},t=${passes},p=1$${base64(salt)}$${base64(hash)}`

function parsed(stored: string): { cost: HashCost, salt: Buffer, hash: Buffer } {
  const [, memory, passes, salt, hash] = FORMAT.exec(stored) ?? []
  if (memory === undefined || passes === undefined || salt === undefined || hash === undefined) throw new TypeError('a stored password hash is no argon2id string')
  return { cost: { memoryKiB: Number(memory), passes: Number(passes) }, salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') }
}
