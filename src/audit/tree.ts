import type { Db } from '../platform/catalogue.ts'
import { consistencyPath, inclusionPath, nodeHash, rootOf, type CompleteSubtree } from '../platform/merkle.ts'
import type { entryTable } from './tables/entries.ts'

/** Levels of the tree that one tile stands for: 256 entries, 65,536, 16,777,216 and so on. */
const TILE_LEVELS = 8
export const TILE_SIZE = 2 ** TILE_LEVELS

/** The Merkle tree over the entries of the log (RFC 6962), read through stored roots of complete subtrees. Positions count from 0, entries from 1. */
export class AuditTree {
  readonly #entries: ReturnType<typeof entryTable>
  readonly #insert
  readonly #tile
  readonly #tiles
  readonly #subtree: CompleteSubtree = (level, index) => this.#complete(level, index)

  constructor(db: Db, entries: ReturnType<typeof entryTable>) {
    this.#entries = entries
    this.#insert = db.prepare<[number, number, Buffer]>('INSERT INTO audit_tile VALUES (?, ?, ?)')
    this.#tile = db.prepare<[number, number], Buffer>('SELECT hash FROM audit_tile WHERE level = ? AND position = ?').pluck()
    this.#tiles = db.prepare<[number, number, number], Buffer>('SELECT hash FROM audit_tile WHERE level = ? AND position >= ? AND position < ? ORDER BY position').pluck()
  }

  /** To be called in the transaction that added entry `seq`: keeps the roots of the subtrees that it completed. */
  completed(seq: number): void {
    for (let level = 1, size = TILE_SIZE; seq % size === 0; level += 1, size *= TILE_SIZE) {
      const position = seq / size - 1
      this.#insert.run(level, position, foldNodes(this.#below(level, position * TILE_SIZE, TILE_SIZE)))
    }
  }

  root(size: number): Buffer { return rootOf(this.#subtree, size) }
  inclusion(seq: number, size: number): Buffer[] { return inclusionPath(this.#subtree, seq - 1, size) }
  consistency(oldSize: number, size: number): Buffer[] { return consistencyPath(this.#subtree, oldSize, size) }

  /** The stored root at tile `level` and `position`, or null. */
  stored(level: number, position: number): Buffer | null { return this.#tile.get(level, position) ?? null }

  #complete(level: number, index: number): Buffer {
    const above = level % TILE_LEVELS
    const tileLevel = (level - above) / TILE_LEVELS
    return foldNodes(this.#below(tileLevel + 1, index * 2 ** above, 2 ** above))
  }

  /** `count` neighbouring nodes one tile level below `level`. Throws RangeError when the log does not hold them all. */
  #below(level: number, from: number, count: number): Buffer[] {
    const nodes = level === 1 ? this.#entries.hashes(from + 1, from + count) : this.#tiles.all(level - 1, from, from + count)
    if (nodes.length !== count) throw new RangeError(`the audit log lacks ${count - nodes.length} of ${count} hashes at level ${level - 1} from ${from}`)
    return nodes
  }
}

/** Root over a power of two of neighbouring nodes. */
export function foldNodes(nodes: readonly Buffer[]): Buffer {
  let level = nodes
  while (level.length > 1) level = Array.from({ length: level.length / 2 }, (_, index) => nodeHash(level[index * 2]!, level[index * 2 + 1]!))
  const [root] = level
  if (root === undefined) throw new RangeError('there is nothing to hash')
  return root
}
