import { createHash, createPublicKey, verify } from 'node:crypto'
import { actorOf, personKey, type Acting, type Act, type AuditBook } from '../access/index.ts'
import type { EpochMs } from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'
import { InboxKeyError } from './errors.ts'
import { INBOX_LIMITS } from './limits.ts'
import { inboxKeyTable, type EnrolledKey } from './tables/keys.ts'

export type { EnrolledKey } from './tables/keys.ts'
export interface NewKey {
  readonly system: string
  /** PEM of an Ed25519 public key, as `openssl pkey -pubout` writes it. */
  readonly pem: string
  readonly validFrom: EpochMs
  readonly validUntil: EpochMs
}
export interface KeysOptions {
  readonly db: Db
  readonly audit: AuditBook
  /** `Access.sessions`. */
  readonly rights: { requireRight(acting: Acting, act: Act): void }
  readonly time: { wallNow(): EpochMs }
}

const SYSTEM = /^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,59}$/u
const MOST_PEM_CHARS = 4000

/** Document systems that may speak in the inbox, each by a key with dates. Only public halves are ever here. */
export class InboxKeys {
  readonly #options: KeysOptions
  readonly #table: ReturnType<typeof inboxKeyTable>
  constructor(options: KeysOptions) { this.#options = options; this.#table = inboxKeyTable(options.db) }

  list(): EnrolledKey[] { return this.#table.all() }

  /** Throws InboxKeyError, RightMissingError. */
  add({ system, pem, validFrom, validUntil }: NewKey, acting: Acting): EnrolledKey {
    const { audit, rights, time } = this.#options
    return audit.transaction(() => {
      rights.requireRight(acting, 'config')
      const publicKey = ed25519Of(pem)
      if (!SYSTEM.test(system)) throw new InboxKeyError('系統名稱須為 1 至 60 個文字、數字、空白、點、底線或連字號。', 'the name of the system is 1 to 60 letters, digits, blanks, dots, underscores or hyphens')
      if (!(validFrom < validUntil) || validUntil <= time.wallNow() || validUntil - validFrom > INBOX_LIMITS.keyYearsMs) throw new InboxKeyError('效期有誤：須尚未過去，且不超過三年。', 'the dates are reversed, past or further apart than three years')
      const keyId = keyIdOf(publicKey), all = this.#table.all()
      if (all.some(key => key.keyId === keyId)) throw new InboxKeyError('這把金鑰已登錄過；撤銷的金鑰不得再用。', `the key ${keyId} was enrolled before; one that was revoked is never used again`)
      if (all.length >= INBOX_LIMITS.keys) throw new InboxKeyError('登錄的金鑰過多。', `there are ${INBOX_LIMITS.keys} keys already`)
      const key = { keyId, system, publicKey, validFrom, validUntil, addedAt: time.wallNow(), addedBy: personKey(acting) }
      this.#table.add(key)
      audit.append({ action: 'inbox.key-added', actor: actorOf(acting), object: keyId, application: null, result: 'done', detail: { system, sha256: fingerprintOf(publicKey), from: validFrom, until: validUntil } })
      return { ...key, revoked: null }
    })
  }

  /** From this moment on nothing signed with it is taken. Throws InboxKeyError, RightMissingError. */
  revoke(keyId: string, reason: string, acting: Acting): void {
    const { audit, rights, time } = this.#options
    const why = reason.trim()
    audit.transaction(() => {
      rights.requireRight(acting, 'config')
      if (why === '' || why.length > 500 || /\p{Cc}/u.test(why)) throw new InboxKeyError('請填寫撤銷理由（500 字以內）。', 'a reason of 1 to 500 characters is needed')
      if (!this.#table.revoke(keyId, time.wallNow(), personKey(acting), why)) throw new InboxKeyError('沒有這把金鑰，或已撤銷。', `there is no key ${JSON.stringify(keyId.slice(0, 40))}, or it was revoked before`)
      audit.append({ action: 'inbox.key-revoked', actor: actorOf(acting), object: keyId, application: null, result: 'done', detail: { reason: why } })
    })
  }

  /** Whose signature this is, now; or why it is nobody's. */
  signerOf({ keyId, message, signature }: { readonly keyId: string, readonly message: Buffer, readonly signature: Buffer }, now: EpochMs): EnrolledKey | 'unknown-key' | 'key-ended' | 'bad-signature' {
    const key = this.#table.get(keyId)
    if (key === null) return 'unknown-key'
    if (key.revoked !== null || now < key.validFrom || now >= key.validUntil) return 'key-ended'
    return verify(null, message, { key: key.publicKey, format: 'der', type: 'spki' }, signature) ? key : 'bad-signature'
  }
}

export const fingerprintOf = (publicKey: Buffer): string => createHash('sha256').update(publicKey).digest('hex')
const keyIdOf = (publicKey: Buffer): string => fingerprintOf(publicKey).slice(0, 16)

function ed25519Of(pem: string): Buffer {
  const fault = (): never => { throw new InboxKeyError('檔案不是 Ed25519 公鑰（PEM）。', 'the file is no Ed25519 public key in PEM') }
  if (pem.length > MOST_PEM_CHARS) return fault()
  if (/PRIVATE/.test(pem)) throw new InboxKeyError('這是私鑰，不可交給本系統；請以 openssl pkey -pubout 取出公鑰，並更換這把金鑰。', 'this is a private key, which is never handed over: make a new one and give its public half (openssl pkey -pubout)')
  try {
    const key = createPublicKey(pem)
    return key.asymmetricKeyType === 'ed25519' ? key.export({ format: 'der', type: 'spki' }) : fault()
  } catch (error) {
    if (error instanceof InboxKeyError) throw error
    return fault()
  }
}
