import { bytesOfBase64, joinBytes, type Bytes } from './bytes.ts'

/** One ASN.1 value in DER. `bytes` is the whole of it, `body` what it holds. */
export interface DerNode { readonly tag: number, readonly bytes: Bytes, readonly body: Bytes }

export class DerError extends Error { override readonly name = 'DerError' }

/** A length that only its end tells: BER has it, DER forbids it. */
export class OpenLengthError extends DerError {}

const MAX_NODES = 4096 // of one level; a certificate has ten

/** The value that begins at `at`. Throws DerError. */
function derAt(bytes: Bytes, at: number): DerNode {
  const tag = bytes[at], first = bytes[at + 1]
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) throw new DerError('no DER value')
  let length = first, bodyAt = at + 2
  if (first >= 0x80) {
    const count = first & 0x7f
    if (count === 0 && (tag & 0x20) !== 0) throw new OpenLengthError('an open length')
    if (count === 0 || count > 4 || bodyAt + count > bytes.length) throw new DerError('a length that DER does not allow')
    length = 0
    for (let i = 0; i < count; i++) length = length * 256 + bytes[bodyAt + i]!
    bodyAt += count
  }
  if (bodyAt + length > bytes.length) throw new DerError('a value that runs past its end')
  return { tag, bytes: bytes.subarray(at, bodyAt + length), body: bytes.subarray(bodyAt, bodyAt + length) }
}

/** The values that follow each other in `bytes`. Throws DerError on anything that is not DER of definite length. */
export function derNodes(bytes: Bytes): DerNode[] {
  const nodes: DerNode[] = []
  for (let at = 0; at < bytes.length; at += nodes.at(-1)!.bytes.length) {
    if (nodes.length === MAX_NODES) throw new DerError('no DER value')
    nodes.push(derAt(bytes, at))
  }
  return nodes
}

/** The first value in `bytes`, which must have `tag`; what comes after it is nobody's. Throws DerError. */
export function derFirst(bytes: Bytes, tag: number): DerNode {
  const node = derAt(bytes, 0)
  if (node.tag !== tag) throw new DerError('another value was wanted')
  return node
}

export const SEQUENCE = 0x30, INTEGER = 0x02, OCTETS = 0x04

/** The only value in `bytes`, which must have `tag`. */
export function derOne(bytes: Bytes, tag: number): DerNode {
  const [node, ...more] = derNodes(bytes)
  if (node === undefined || node.tag !== tag || more.length > 0) throw new DerError('another value was wanted')
  return node
}

const FIELD_BYTES = 32

/** An ECDSA P-256 signature as OpenSSL writes it (DER) in the form WebCrypto wants (r and s, 32 bytes each). Throws DerError. */
export function rawSignature(der: Bytes): Bytes {
  const [r, s, ...more] = derNodes(derOne(der, SEQUENCE).body)
  if (r === undefined || s === undefined || more.length > 0) throw new DerError('a signature has two numbers')
  return joinBytes([r, s].map(({ tag, body }) => {
    if (tag !== INTEGER || body.length === 0 || body[0]! >= 0x80 || (body[0] === 0 && (body[1] ?? 0) < 0x80)) throw new DerError('no positive number in DER')
    const digits = body[0] === 0 ? body.subarray(1) : body
    if (digits.length > FIELD_BYTES) throw new DerError('a number of more than 256 bits')
    const field = new Uint8Array(FIELD_BYTES)
    field.set(digits, FIELD_BYTES - digits.length)
    return field
  }))
}

/** The bytes of the first PEM block with `label`; null when there is none. */
export function pemBytes(text: string, label: string): Bytes | null {
  const match = new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]{1,65536})-----END ${label}-----`).exec(text)
  return match === null ? null : bytesOfBase64(match[1]!)
}

/** `SubjectPublicKeyInfo` of an X.509 certificate, its own bytes. Throws DerError. */
export function spkiOfCertificate(der: Bytes): Bytes {
  const [tbs] = derNodes(derOne(der, SEQUENCE).body)
  if (tbs?.tag !== SEQUENCE) throw new DerError('no certificate')
  const fields = derNodes(tbs.body)
  const spki = fields[fields[0]?.tag === 0xa0 ? 6 : 5] // version [0], serial, algorithm, issuer, validity, subject, key
  if (spki?.tag !== SEQUENCE) throw new DerError('no key in the certificate')
  return spki.bytes
}
