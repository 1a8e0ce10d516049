import { createHash } from 'node:crypto'

const LEAF = Buffer.from([0]), NODE = Buffer.from([1])
const hash = (...parts: readonly Buffer[]): Buffer => {
  const digest = createHash('sha256')
  for (const part of parts) digest.update(part)
  return digest.digest()
}

/** Root over the SHA-256 of each record, in order (RFC 6962 §2.1: leaves and nodes hashed apart). The root of nothing is SHA-256 of nothing. */
export function merkleRoot(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return hash()
  return subtree(leaves, 0, leaves.length)
}

function subtree(leaves: readonly Buffer[], from: number, to: number): Buffer {
  if (to - from === 1) return hash(LEAF, leaves[from]!)
  const split = from + splitPoint(to - from)
  return hash(NODE, subtree(leaves, from, split), subtree(leaves, split, to))
}

/** The largest power of two below `count`. */
const splitPoint = (count: number): number => 2 ** (Math.ceil(Math.log2(count)) - 1)

/** The hashes that lead from leaf `position` to the root, nearest first. */
export function merklePath(leaves: readonly Buffer[], position: number): Buffer[] {
  const path: Buffer[] = []
  let from = 0, to = leaves.length
  while (to - from > 1) {
    const split = from + splitPoint(to - from)
    if (position < split) { path.push(subtree(leaves, split, to)); to = split }
    else { path.push(subtree(leaves, from, split)); from = split }
  }
  return path.reverse()
}
