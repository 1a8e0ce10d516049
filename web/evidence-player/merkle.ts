import type { Bytes } from './bytes.ts'
import { sha256Of } from './sha256.ts'

const LEAF = Uint8Array.of(0), NODE = Uint8Array.of(1)

/** RFC 6962 §2.1: leaves and nodes are hashed apart. */
export const leafHash = (data: Uint8Array): Bytes => sha256Of(LEAF, data)
export const nodeHash = (left: Uint8Array, right: Uint8Array): Bytes => sha256Of(NODE, left, right)

const MAX_STEPS = 64

/** The root that `path` leads to from a leaf hash (RFC 9162 §2.1.3.2), or null when its length cannot be right. */
export function rootByInclusion(leaf: Bytes, position: number, size: number, path: readonly Bytes[]): Bytes | null {
  if (!(position >= 0 && position < size) || path.length > MAX_STEPS) return null
  let at = position, last = size - 1, hash = leaf
  for (const step of path) {
    if (last === 0) return null
    if (at % 2 === 1 || at === last) {
      hash = nodeHash(step, hash)
      while (at % 2 === 0 && at !== 0) { at = Math.floor(at / 2); last = Math.floor(last / 2) }
    } else hash = nodeHash(hash, step)
    at = Math.floor(at / 2)
    last = Math.floor(last / 2)
  }
  return last === 0 ? hash : null
}
