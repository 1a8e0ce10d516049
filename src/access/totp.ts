import { createHmac, randomBytes } from 'node:crypto'

export const STEP_MS = 30_000
const DIGITS = 6
const SECRET_BYTES = 20
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

export const newSecret = (): Buffer => randomBytes(SECRET_BYTES)

/** The code of a 30-second step (RFC 6238 with HMAC-SHA-1, as every authenticator has it). */
export function codeAt(secret: Buffer, step: number): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(step))
  const mac = createHmac('sha1', secret).update(counter).digest()
  const offset = (mac[mac.length - 1] ?? 0) & 15
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 10 ** DIGITS).padStart(DIGITS, '0')
}

/** The step a code belongs to: this one, the one before or the one after, and later than the last one taken. Null when it is none. Wall time. */
export function stepOf(secret: Buffer, code: string, wallMs: number, lastStep: number): number | null {
  if (!/^\d{6}$/.test(code)) return null
  const present = Math.floor(wallMs / STEP_MS)
  let found: number | null = null
  for (const step of [present - 1, present, present + 1]) if (step >= 0 && codeAt(secret, step) === code && step > lastStep) found ??= step
  return found
}

/** RFC 4648 without padding. */
export function base32(bytes: Buffer): string {
  let bits = 0, value = 0, out = ''
  for (const byte of bytes) {
    value = (value << 8) | byte
    bits += 8
    while (bits >= 5) { bits -= 5; out += ALPHABET[(value >>> bits) & 31] }
    value &= (1 << bits) - 1
  }
  return bits === 0 ? out : out + ALPHABET[(value << (5 - bits)) & 31]
}

/** What an authenticator reads from a QR code. Holds the secret: shown once, never logged. */
export const otpauthUri = ({ secret, issuer, account }: { readonly secret: Buffer, readonly issuer: string, readonly account: string }): string =>
  `otpauth://totp/${encodeURIComponent(`${issuer}:${account}`)}?secret=${base32(secret)}&issuer=${encodeURIComponent(issuer)}&algorithm=SHA1&digits=${DIGITS}&period=${STEP_MS / 1000}`
