import { createHash, hash as hashOnce } from 'node:crypto'

/** Trees of RFC 6962 §2.1: leaves and nodes are hashed apart (0x00, 0x01), an odd rest stands beside the largest power of two. */
const LEAF = Buffer.from([0])
export const HASH_BYTES = 32
/** SHA-256 of nothing: the root of the empty tree. */
const EMPTY_ROOT = createHash('sha256').digest()

const nodeInput = Buffer.alloc(1 + 2 * HASH_BYTES, 1)

export function nodeHash(left: Buffer, right: Buffer): Buffer {
  left.copy(nodeInput, 1)
  right.copy(nodeInput, 1 + HASH_BYTES)
  return hashOnce('sha256', nodeInput, 'buffer')
}

export const leafHash = (data: Buffer): Buffer => createHash('sha256').update(LEAF).update(data).digest()

/** The largest power of two below `count`, which is 2 or more. */
const splitPoint = (count: number): number => 2 ** (Math.ceil(Math.log2(count)) - 1)

/**
 * The hash of a complete subtree of `2 ** level` leaves that begins at leaf `index * 2 ** level`. Level 0 is leaf hashes.
 * Only complete ones are asked for, so that a store can keep them for ever.
 */
export type CompleteSubtree = (level: number, index: number) => Buffer

/** Hash over the leaves `[from, to)`; `from` is a multiple of the largest power of two that fits, as in every range of these trees. */
function rangeHash(subtree: CompleteSubtree, from: number, to: number): Buffer {
  const size = to - from
  const level = Math.ceil(Math.log2(size))
  if (2 ** level === size) return subtree(level, from / size)
  const split = from + splitPoint(size)
  return nodeHash(rangeHash(subtree, from, split), rangeHash(subtree, split, to))
}

/** Root over the first `size` leaves. */
export const rootOf = (subtree: CompleteSubtree, size: number): Buffer => size === 0 ? EMPTY_ROOT : rangeHash(subtree, 0, size)

/** The hashes that lead from leaf `position` to the root over `size` leaves, nearest first. Throws RangeError outside the tree. */
export function inclusionPath(subtree: CompleteSubtree, position: number, size: number): Buffer[] {
  if (!(position >= 0 && position < size)) throw new RangeError(`leaf ${position} is not in a tree of ${size}`)
  const path: Buffer[] = []
  let from = 0, to = size
  while (to - from > 1) {
    const split = from + splitPoint(to - from)
    if (position < split) { path.push(rangeHash(subtree, split, to)); to = split }
    else { path.push(rangeHash(subtree, from, split)); from = split }
  }
  return path.reverse()
}

/** The hashes that show the tree of `oldSize` leaves to be the beginning of the one of `size` (RFC 6962 §2.1.2). Empty for equal sizes and for an old tree of nothing. */
export function consistencyPath(subtree: CompleteSubtree, oldSize: number, size: number): Buffer[] {
  if (!(oldSize >= 0 && oldSize <= size)) throw new RangeError(`a tree of ${size} has no beginning of ${oldSize}`)
  if (oldSize === 0 || oldSize === size) return []
  const path: Buffer[] = []
  let from = 0, to = size, isWholeOldTree = true
  while (oldSize !== to) {
    const split = from + splitPoint(to - from)
    if (oldSize <= split) { path.push(rangeHash(subtree, split, to)); to = split }
    else { path.push(rangeHash(subtree, from, split)); from = split; isWholeOldTree = false }
  }
  if (!isWholeOldTree) path.push(rangeHash(subtree, from, to))
  return path.reverse()
}

/** The root that `path` leads to from a leaf hash (RFC 9162 §2.1.3.2), or null when its length cannot be right. */
export function rootByInclusion(leaf: Buffer, position: number, size: number, path: readonly Buffer[]): Buffer | null {
  if (!(position >= 0 && position < size)) return null
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

/** Whether `path` shows the tree with `oldRoot` to be the beginning of the one with `root` (RFC 9162 §2.1.4.2). */
export function isConsistent(oldSize: number, oldRoot: Buffer, size: number, root: Buffer, path: readonly Buffer[]): boolean {
  if (oldSize > size) return false
  if (oldSize === size) return path.length === 0 && oldRoot.equals(root)
  if (oldSize === 0) return path.length === 0
  const steps = Number.isInteger(Math.log2(oldSize)) ? [oldRoot, ...path] : path
  let at = oldSize - 1, last = size - 1
  while (at % 2 === 1) { at = (at - 1) / 2; last = Math.floor(last / 2) }
  let oldHash = steps[0], hash = steps[0]
  if (oldHash === undefined || hash === undefined) return false
  for (const step of steps.slice(1)) {
    if (last === 0) return false
    if (at % 2 === 1 || at === last) {
      oldHash = nodeHash(step, oldHash)
      hash = nodeHash(step, hash)
      while (at % 2 === 0 && at !== 0) { at = Math.floor(at / 2); last = Math.floor(last / 2) }
    } else hash = nodeHash(hash, step)
    at = Math.floor(at / 2)
    last = Math.floor(last / 2)
  }
  return last === 0 && oldHash.equals(oldRoot) && hash.equals(root)
}

/** Reads subtrees out of leaf hashes in memory; fit for thousands, not for millions. */
export function subtreesOf(leafHashes: readonly Buffer[]): CompleteSubtree {
  const subtree: CompleteSubtree = (level, index) => {
    if (level > 0) return nodeHash(subtree(level - 1, index * 2), subtree(level - 1, index * 2 + 1))
    const leaf = leafHashes[index]
    if (leaf === undefined) throw new RangeError(`there is no leaf ${index}`)
    return leaf
  }
  return subtree
}

/** Root over `leaves`, in order. */
export const merkleRoot = (leaves: readonly Buffer[]): Buffer => rootOf(subtreesOf(leaves.map(leafHash)), leaves.length)
/** The hashes that lead from leaf `position` to the root, nearest first. */
export const merklePath = (leaves: readonly Buffer[], position: number): Buffer[] => inclusionPath(subtreesOf(leaves.map(leafHash)), position, leaves.length)

/** Takes leaf hashes one by one and knows the root over all so far, in memory that grows with the logarithm. */
export class RunningRoot {
  readonly #complete: Buffer[] = [] // by level, largest first in the tree
  #size = 0

  get size(): number { return this.#size }

  add(leaf: Buffer): void {
    let hash = leaf
    for (let rest = this.#size; rest % 2 === 1; rest = (rest - 1) / 2) hash = nodeHash(this.#complete.pop()!, hash)
    this.#complete.push(hash)
    this.#size += 1
  }

  root(): Buffer {
    const [last, ...larger] = this.#complete.toReversed()
    return last === undefined ? EMPTY_ROOT : larger.reduce((hash, left) => nodeHash(left, hash), last)
  }
}
