import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'

const KEY_BYTES = 32, NONCE_BYTES = 12, TAG_BYTES = 16
const derived = (key: Buffer, purpose: string): Buffer => Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), purpose, KEY_BYTES))

/** Small secrets at rest: AES-256-GCM under a key of its own purpose. `of` says where a secret stands, and binds it there. */
export interface Sealing {
  seal(of: string, secret: Buffer): Buffer
  /** Throws the cipher's error when it was sealed under another key, for another place, or changed since. */
  open(of: string, sealed: Buffer): Buffer
}

export function sealingFor(key: Buffer, purpose: string): Sealing {
  const sealing = derived(key, purpose)
  return {
    seal(of, secret) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', sealing, nonce).setAAD(Buffer.from(of))
      return Buffer.concat([nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag()])
    },
    open(of, sealed) {
      const decipher = createDecipheriv('aes-256-gcm', sealing, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES }).setAAD(Buffer.from(of)).setAuthTag(sealed.subarray(-TAG_BYTES))
      return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()])
    },
  }
}

/** For what has too few bits for a plain hash: HMAC-SHA-256 under a key of its own purpose, 32 bytes. */
export function markingFor(key: Buffer, purpose: string): (text: string) => Buffer {
  const marking = derived(key, purpose)
  return text => createHmac('sha256', marking).update(text).digest()
}
