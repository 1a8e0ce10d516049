import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import type { FreshFile, StoredFile } from './disk.ts'
import type { ItemNo } from './item.ts'

/** `payload`: header, then chunks of AES-256-GCM. Nonce: 7 random bytes of the header, chunk counter, 1 for the last chunk else 0 (STREAM, Hoang et al. 2015): a chunk cut off, doubled, left out or moved does not open. */
const MAGIC = Buffer.from('CUSTARC1')
const PREFIX_BYTES = 7, TAG_BYTES = 16
export const HEADER_BYTES = MAGIC.length + PREFIX_BYTES + 4
export const CHUNK_BYTES = 1 << 20

/** On disk, of so many plaintext bytes. An empty plaintext still has its last chunk. */
export const payloadBytes = (plainBytes: number): number => HEADER_BYTES + plainBytes + Math.max(1, Math.ceil(plainBytes / CHUNK_BYTES)) * TAG_BYTES

/** Keys for one purpose each, from the item's own. */
export const subKey = (itemKey: Buffer, purpose: 'payload' | 'sidecar' | 'words'): Buffer => Buffer.from(hkdfSync('sha256', itemKey, Buffer.alloc(0), `custos archive ${purpose}`, 32))

/** What is sealed was cut, moved, changed, or belongs to another key. */
export class PayloadError extends Error { override readonly name = 'PayloadError' }

function nonceOf(prefix: Buffer, counter: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(12)
  prefix.copy(nonce)
  nonce.writeUInt32BE(counter, PREFIX_BYTES)
  nonce[11] = isLast ? 1 : 0
  return nonce
}

/** Writes `plain` encrypted; two chunks are in memory at a time. Returns the bytes written. */
export async function sealPayload(plain: AsyncIterable<Buffer>, { itemNo, itemKey, file }: { readonly itemNo: ItemNo, readonly itemKey: Buffer, readonly file: FreshFile }): Promise<number> {
  const key = subKey(itemKey, 'payload'), header = Buffer.concat([MAGIC, randomBytes(PREFIX_BYTES), Buffer.alloc(4)])
  header.writeUInt32BE(CHUNK_BYTES, HEADER_BYTES - 4)
  const aad = Buffer.concat([header, Buffer.from(itemNo)]), prefix = header.subarray(MAGIC.length, MAGIC.length + PREFIX_BYTES)
  await file.write(header, 'payload write')
  let written = header.length, counter = 0
  const seal = async (chunk: Buffer, isLast: boolean) => {
    const cipher = createCipheriv('aes-256-gcm', key, nonceOf(prefix, counter++, isLast)).setAAD(aad)
    const sealed = Buffer.concat([cipher.update(chunk), cipher.final(), cipher.getAuthTag()])
    await file.write(sealed, 'payload write')
    written += sealed.length
  }
  const pending = Buffer.allocUnsafe(CHUNK_BYTES)
  let filled = 0
  for await (let piece of plain) {
    while (piece.length > 0) {
      if (filled === CHUNK_BYTES) { await seal(pending, false); filled = 0 } // only now is it known that more follows
      const taken = piece.copy(pending, filled)
      filled += taken
      piece = piece.subarray(taken)
    }
  }
  await seal(pending.subarray(0, filled), true)
  return written
}

/** The plaintext in order, each piece only after it proved itself. Throws PayloadError, at the latest before the end when the end is missing. */
export async function* openPayload(file: StoredFile, { itemNo, itemKey }: { readonly itemNo: ItemNo, readonly itemKey: Buffer }): AsyncGenerator<Buffer, void, undefined> {
  const key = subKey(itemKey, 'payload'), header = Buffer.alloc(HEADER_BYTES)
  if (await file.read(header, 0, 'payload read') < HEADER_BYTES || !header.subarray(0, MAGIC.length).equals(MAGIC) || header.readUInt32BE(HEADER_BYTES - 4) !== CHUNK_BYTES) throw new PayloadError('it has no header')
  const aad = Buffer.concat([header, Buffer.from(itemNo)]), prefix = header.subarray(MAGIC.length, MAGIC.length + PREFIX_BYTES)
  const sealed = Buffer.allocUnsafe(CHUNK_BYTES + TAG_BYTES)
  for (let position = HEADER_BYTES, counter = 0, isLast = false; !isLast; counter++) {
    const length = await file.read(sealed, position, 'payload read')
    position += length
    isLast = position >= file.sizeBytes
    if (length < TAG_BYTES) throw new PayloadError(`it ends inside chunk ${counter}`)
    let plain: Buffer
    try {
      const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(prefix, counter, isLast), { authTagLength: TAG_BYTES }).setAAD(aad).setAuthTag(sealed.subarray(length - TAG_BYTES, length))
      plain = Buffer.concat([decipher.update(sealed.subarray(0, length - TAG_BYTES)), decipher.final()])
    } catch (error) { throw new PayloadError(`chunk ${counter} does not open`, { cause: error }) }
    yield plain
  }
}
