import { inclusionPath, leafHash, nodeHash, rootOf, type CompleteSubtree } from '../../platform/merkle.ts'

/** Root and paths over the hashes of one segment's records. Complete subtrees are kept: a slot may hold tens of thousands, and each asks for its path. */
export class SegmentTree {
  readonly #levels: Buffer[][]
  readonly size: number
  readonly #subtree: CompleteSubtree = (level, index) => this.#levels[level]![index]!

  constructor(recordHashes: readonly Buffer[]) {
    this.size = recordHashes.length
    this.#levels = [recordHashes.map(leafHash)]
    for (let level = this.#levels[0]!; level.length > 1;) {
      const above: Buffer[] = []
      for (let i = 0; i + 1 < level.length; i += 2) above.push(nodeHash(level[i]!, level[i + 1]!))
      this.#levels.push(above)
      level = above
    }
  }

  root(): Buffer { return rootOf(this.#subtree, this.size) }
  /** Nearest first. */
  path(position: number): Buffer[] { return inclusionPath(this.#subtree, position, this.size) }
}
