import { readSlice, type BlobLike, type Bytes } from './bytes.ts'
import type { ManifestVideo } from './manifest.ts'
import { checkRecords, ownDigest, type Digest, type RecordReport } from './record-check.ts'
import { Sha256 } from './sha256.ts'

export type Job =
  | { readonly id: number, readonly kind: 'hash', readonly blob: BlobLike }
  | { readonly id: number, readonly kind: 'records', readonly blob: BlobLike, readonly video: Pick<ManifestVideo, 'records' | 'segments' | 'granted'> }
export type Answer =
  | { readonly id: number, readonly kind: 'progress', readonly bytes: number }
  | { readonly id: number, readonly kind: 'hashed', readonly hex: string }
  | { readonly id: number, readonly kind: 'checked', readonly report: RecordReport }
  | { readonly id: number, readonly kind: 'failed', readonly why: string }

const CHUNK_BYTES = 4 << 20
const PROGRESS_BYTES = 8 << 20

/** Hex of a file's SHA-256, read by slices. Rejects when the file cannot be read. */
export async function hashBlob(blob: BlobLike, onBytes: (bytes: number) => void = () => {}): Promise<string> {
  const hash = new Sha256()
  for (let at = 0; at < blob.size; at += CHUNK_BYTES) {
    const chunk = await readSlice(blob, at, at + CHUNK_BYTES)
    if (chunk.length !== Math.min(CHUNK_BYTES, blob.size - at)) throw new Error('the file became shorter while it was read')
    hash.update(chunk)
    onBytes(chunk.length)
  }
  return hash.digestHex()
}

/** WebCrypto's where the page has it. */
export const fastDigest = (): Digest => {
  const subtle = (globalThis.crypto as Crypto | undefined)?.subtle as SubtleCrypto | undefined
  return subtle === undefined ? ownDigest : async (bytes: Bytes) => new Uint8Array(await subtle.digest('SHA-256', bytes))
}

/** Does one job and tells of it, in a worker or on the page itself. */
export async function doJob(job: Job, tell: (answer: Answer) => void): Promise<void> {
  let bytes = 0
  const onBytes = (more: number): void => { bytes += more; if (bytes >= PROGRESS_BYTES) { tell({ id: job.id, kind: 'progress', bytes }); bytes = 0 } }
  try {
    if (job.kind === 'hash') tell({ id: job.id, kind: 'hashed', hex: await hashBlob(job.blob, onBytes) })
    else tell({ id: job.id, kind: 'checked', report: await checkRecords(job.blob, job.video, fastDigest(), onBytes) })
  } catch (error) { tell({ id: job.id, kind: 'failed', why: String(error).slice(0, 200) }) }
}
