import { entryHash, headOf, isSignedBy, parseCheckpoints, type Checkpoint, type LogHead } from '../../audit/index.ts'
import { isConsistent, rootByInclusion } from '../../platform/merkle.ts'
import { headWithin, type ProofsFile } from './audit-evidence.ts'
import type { Manifest } from './manifest.ts'
import { fingerprintOf, keyOf } from './verify-keys.ts'

export interface AuditFiles { readonly entriesJsonl: string, readonly proofsJson: string, readonly checkpointTxt: string }
/** `roots`: by number of entries, of every state of the log that was proved to be a beginning of the package's. */
export interface AuditCheck { readonly faults: readonly string[], readonly entries: number, readonly head: Checkpoint | null, readonly roots: ReadonlyMap<number, Buffer> }

const bytesOf = (hex: unknown): Buffer => Buffer.from(typeof hex === 'string' ? hex : '', 'hex')
const pathOf = (path: unknown): Buffer[] => Array.isArray(path) && path.length <= 64 ? path.map(bytesOf) : []

/** Whether the case's entries stand under the signed checkpoint, that under the older one consistently, and the entries name the segments' roots. Never throws. */
export function checkAudit({ entriesJsonl, proofsJson, checkpointTxt }: AuditFiles, manifest: Manifest, publicPem: string): AuditCheck {
  const faults: string[] = []
  const checkpoints = parseCheckpoints(checkpointTxt)
  const [head, older] = checkpoints
  if (head === undefined) return { faults: ['there is no checkpoint'], entries: 0, head: null, roots: new Map() }
  if (!isSignedBy(head, publicPem)) faults.push('the checkpoint is not signed by the package\'s key')
  const lines = entriesJsonl.split('\n').filter(line => line !== '')
  const bySeq = new Map<number, string>(), roots = new Map<number, Buffer>([[head.size, head.root]])
  try {
    const proofs = JSON.parse(proofsJson) as ProofsFile
    if (proofs.size !== head.size || bytesOf(proofs.root).compare(head.root) !== 0) faults.push('the proofs lead to another checkpoint')
    if (!Array.isArray(proofs.proofs) || proofs.proofs.length !== lines.length) faults.push(`${lines.length} entries, and proofs of ${Array.isArray(proofs.proofs) ? proofs.proofs.length : 0}`)
    for (const [i, line] of lines.entries()) {
      const proof = proofs.proofs[i]
      const entry = JSON.parse(line) as { readonly seq?: unknown, readonly application?: unknown }
      const root = proof === undefined || entry.seq !== proof.seq ? null : rootByInclusion(entryHash(line), proof.seq - 1, head.size, pathOf(proof.path))
      if (root === null || !root.equals(head.root)) { faults.push(`entry ${String(entry.seq).slice(0, 20)} is not in the log`); continue }
      if (entry.application !== manifest.application.number) faults.push(`entry ${proof!.seq} belongs to another case`)
      bySeq.set(proof!.seq, line)
    }
    if (older !== undefined) {
      const path = proofs.consistency, begun = headWithin(older, head.origin)
      if (!mayBeSignedSo(older, publicPem)) faults.push('the older checkpoint is not signed by the key that it names')
      if (path === null || path.fromSize !== begun.size || !isConsistent(begun.size, begun.root, head.size, head.root, pathOf(path.path))) faults.push('the log of the older checkpoint is not the beginning of this one')
      else roots.set(begun.size, begun.root)
    }
    if (!Array.isArray(proofs.earlier) || proofs.earlier.length > MOST_EARLIER) faults.push('the earlier checkpoints cannot be read')
    else {
      for (const { fromSize, fromRoot, path } of proofs.earlier) {
        if (!Number.isSafeInteger(fromSize) || !isConsistent(fromSize, bytesOf(fromRoot), head.size, head.root, pathOf(path))) faults.push(`the log of ${String(fromSize).slice(0, 20)} entries is not the beginning of this one`)
        else roots.set(fromSize, bytesOf(fromRoot))
      }
    }
  } catch { faults.push('entries or proofs cannot be read') }
  for (const { path, segments } of manifest.videos) {
    for (const { auditSeq, merkleRoot } of segments) if (auditSeq !== null && bySeq.get(auditSeq)?.includes(merkleRoot) !== true) faults.push(`no entry names a segment of ${path}`)
  }
  return { faults: [...new Set(faults)].slice(0, 20), entries: lines.length, head, roots }
}

const MOST_EARLIER = 1000

/** An older checkpoint may be of a key from before, which the package does not have; one of its own key has to hold. */
function mayBeSignedSo(older: Checkpoint, publicPem: string): boolean {
  const key = keyOf(publicPem)
  if (older.keyFingerprint === null || key === null || older.keyFingerprint !== fingerprintOf(key)) return true
  return isSignedBy(older, publicPem)
}

/** What a checkpoint that was kept says of the package's log: its own head, or one that it names. Before a log parted from another, that one's was its own: the same root over as many entries. */
function keptHead(kept: Checkpoint, { head, roots }: Pick<AuditCheck, 'head' | 'roots'>): LogHead | null {
  const named = head === null ? null : headOf(kept, head.origin)
  if (named !== null) return named
  return kept.size > 0 && roots.get(kept.size)?.equals(kept.root) === true ? kept : null
}

/** A checkpoint that was kept elsewhere against the log of the package. `unrelated`: the package proves nothing of a log of that many entries, which may be a newer one. */
export function compareCheckpoint(kept: Checkpoint, { head, roots }: Pick<AuditCheck, 'head' | 'roots'>, keyFingerprint: string): 'fits' | 'unrelated' | { readonly zh: string, readonly en: string } {
  const told = keptHead(kept, { head, roots })
  if (told === null) return { zh: '查核點屬於另一部錄影機的稽核紀錄', en: 'the checkpoint is of another recorder\'s log' }
  if (kept.keyFingerprint !== null && kept.keyFingerprint !== keyFingerprint) return { zh: '查核點由另一把金鑰簽署', en: 'the checkpoint was signed by another key' }
  const root = roots.get(told.size)
  if (root === undefined) return 'unrelated'
  return root.equals(told.root) ? 'fits' : { zh: `同為 ${told.size} 筆，雜湊卻不同`, en: `over the same ${told.size} entries another hash stands` }
}
