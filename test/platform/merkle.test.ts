import { createHash } from 'node:crypto'
import t from 'tap'
import { consistencyPath, inclusionPath, isConsistent, leafHash, merklePath, merkleRoot, rootByInclusion, rootOf, RunningRoot, subtreesOf } from '../../src/platform/merkle.ts'

const sha = (...parts: Buffer[]) => createHash('sha256').update(Buffer.concat(parts)).digest()
const leavesOf = (count: number) => Array.from({ length: count }, (_, i) => sha(Buffer.from(`record ${i}`)))

/** RFC 6962 §2.1 word for word: MTH of D[n] = H(1 || MTH(D[0:k]) || MTH(D[k:n])), k the largest power of two smaller than n. */
function naiveRoot(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return sha(Buffer.alloc(0))
  if (leaves.length === 1) return sha(Buffer.from([0]), leaves[0]!)
  let k = 1
  while (k * 2 < leaves.length) k *= 2
  return sha(Buffer.from([1]), naiveRoot(leaves.slice(0, k)), naiveRoot(leaves.slice(k)))
}

/** RFC 9162 §2.1.3.2: walks up from the leaf by the bits of its position. */
function verifies(leaf: Buffer, position: number, count: number, path: readonly Buffer[], root: Buffer): boolean {
  let fn = position, sn = count - 1
  let hash = sha(Buffer.from([0]), leaf)
  for (const step of path) {
    if (sn === 0) return false
    if (fn % 2 === 1 || fn === sn) {
      hash = sha(Buffer.from([1]), step, hash)
      while (fn % 2 === 0 && fn !== 0) { fn >>= 1; sn >>= 1 }
    } else hash = sha(Buffer.from([1]), hash, step)
    fn >>= 1
    sn >>= 1
  }
  return sn === 0 && hash.equals(root)
}

t.test('the root of every small tree is that of RFC 6962', t => {
  for (let count = 0; count <= 130; count++) t.same(merkleRoot(leavesOf(count)), naiveRoot(leavesOf(count)), `${count} leaves`)
  t.end()
})

t.test('the root is that of RFC 6962 around each power of two a slot can reach', t => {
  for (let power = 256; power <= 32_768; power *= 4) {
    for (const count of [power - 1, power, power + 1]) t.same(merkleRoot(leavesOf(count)), naiveRoot(leavesOf(count)), `${count} leaves`)
  }
  t.end()
})

t.test('the roots of the published RFC 6962 test tree come out', t => {
  t.equal(merkleRoot([]).toString('hex'), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  t.equal(merkleRoot([Buffer.alloc(0)]).toString('hex'), '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d')
  const inputs = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'].map(hex => Buffer.from(hex, 'hex'))
  t.equal(merkleRoot(inputs).toString('hex'), '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328')
  t.equal(merkleRoot(inputs.slice(0, 3)).toString('hex'), 'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77')
  t.end()
})

t.test('the path of every leaf leads to the root, and of no other leaf', t => {
  for (const count of [1, 2, 3, 5, 8, 13, 31, 64, 100]) {
    const leaves = leavesOf(count), root = merkleRoot(leaves)
    for (let position = 0; position < count; position++) {
      const path = merklePath(leaves, position)
      t.ok(verifies(leaves[position]!, position, count, path, root), `${position} of ${count}`)
      if (count > 1) t.notOk(verifies(leaves[(position + 1) % count]!, position, count, path, root), `another leaf at ${position} of ${count}`)
    }
  }
  t.end()
})

t.test('an exchange of two records changes the root', t => {
  const [first, second, ...rest] = leavesOf(7)
  t.notSame(merkleRoot([second!, first!, ...rest]), merkleRoot([first!, second!, ...rest]))
  t.end()
})

/** RFC 6962 §2.1.2 word for word, over the data itself. */
function naiveProof(m: number, leaves: readonly Buffer[], isWhole = true): Buffer[] {
  const n = leaves.length
  if (m === n) return isWhole ? [] : [naiveRoot(leaves)]
  let k = 1
  while (k * 2 < n) k *= 2
  return m <= k ? [...naiveProof(m, leaves.slice(0, k), isWhole), naiveRoot(leaves.slice(k))] : [...naiveProof(m - k, leaves.slice(k), false), naiveRoot(leaves.slice(0, k))]
}

t.test('proofs between every two sizes are those of RFC 6962, and hold for these two roots alone', t => {
  const all = leavesOf(40)
  for (let size = 1; size <= all.length; size++) {
    const subtrees = subtreesOf(all.slice(0, size).map(leafHash)), root = naiveRoot(all.slice(0, size))
    const faults: string[] = []
    for (let old = 1; old <= size; old++) {
      const path = consistencyPath(subtrees, old, size), oldRoot = naiveRoot(all.slice(0, old))
      if (Buffer.compare(Buffer.concat(path), Buffer.concat(naiveProof(old, all.slice(0, size)))) !== 0) faults.push(`path ${old} to ${size}`)
      if (!isConsistent(old, oldRoot, size, root, path)) faults.push(`refused ${old} to ${size}`)
      const forged = Buffer.from(oldRoot)
      forged[3]! ^= 1
      if (isConsistent(old, forged, size, root, path)) faults.push(`forged old root at ${old} to ${size}`)
      if (old < size && isConsistent(old, oldRoot, size, forged, path)) faults.push(`forged root at ${old} to ${size}`)
      if (path.length > 0 && isConsistent(old, oldRoot, size, root, path.slice(1))) faults.push(`short path at ${old} to ${size}`)
    }
    t.same(faults, [], `${size}`)
  }
  t.notOk(isConsistent(3, naiveRoot(all.slice(0, 3)), 2, naiveRoot(all.slice(0, 2)), []), 'a log never shrinks')
  t.end()
})

t.test('an inclusion path leads to the root, and outside of the tree there is none', t => {
  const all = leavesOf(21), hashes = all.map(leafHash), subtrees = subtreesOf(hashes)
  for (let position = 0; position < all.length; position++) {
    const path = inclusionPath(subtrees, position, all.length)
    t.same(rootByInclusion(hashes[position]!, position, all.length, path), naiveRoot(all))
    t.equal(rootByInclusion(hashes[position]!, position, all.length, [...path, path[0]!]), null, 'too long')
  }
  t.throws(() => inclusionPath(subtrees, 21, 21), RangeError)
  t.equal(rootByInclusion(hashes[0]!, 21, 21, []), null)
  t.end()
})

t.test('the running root is the root after every leaf', t => {
  const running = new RunningRoot(), all = leavesOf(300), hashes = all.map(leafHash)
  t.same(running.root(), naiveRoot([]))
  const faults = all.flatMap((_, index) => { running.add(hashes[index]!); return running.root().equals(rootOf(subtreesOf(hashes), index + 1)) ? [] : [index] })
  t.same(faults, [])
  t.same(running.root(), naiveRoot(all))
  t.end()
})
