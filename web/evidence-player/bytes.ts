/** What both a browser's File and Node's Blob are: read by slices, never whole. */
export interface BlobLike {
  readonly size: number
  slice(from: number, to: number): { arrayBuffer(): Promise<ArrayBuffer> }
}

/** Bytes that stand in memory of their own, as the browser's interfaces want them. */
export type Bytes = Uint8Array<ArrayBuffer>

export async function readSlice(blob: BlobLike, from: number, to: number): Promise<Bytes> {
  return new Uint8Array(await blob.slice(from, Math.min(to, blob.size)).arrayBuffer())
}

export const utf8Bytes = (text: string): Bytes => new TextEncoder().encode(text)
/** Throws TypeError on what is no UTF-8. */
export const utf8Text = (bytes: Bytes): string => new TextDecoder('utf-8', { fatal: true }).decode(bytes)

export function hexOf(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return text
}

/** Null unless `text` is lower or upper case hex of whole bytes. */
export function bytesOfHex(text: string): Bytes | null {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return null
  const bytes = new Uint8Array(text.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(i * 2, i * 2 + 2), 16)
  return bytes
}

/** Null on what is no base64. */
export function bytesOfBase64(text: string): Bytes | null {
  try {
    const binary = atob(text.replace(/\s+/g, ''))
    const bytes = new Uint8Array(binary.length)
    for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i)
    return bytes
  } catch { return null } // atob throws on any character outside its alphabet
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

export function joinBytes(parts: readonly Uint8Array[]): Bytes {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) { joined.set(part, at); at += part.length }
  return joined
}

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
