import {
  entryText, headOf, noteText, signedTextOf, type AuditEntry, type AuditLog, type Checkpoint, type entryTable,
  type EvidenceCheckpoints, type LogHead,
} from '../../audit/index.ts'
import { FatalError } from '../../domain/index.ts'

/** More than a case of this office ever gathers; a package is no place for a whole log. */
const MOST_ENTRIES = 5000

export interface AuditEvidence { readonly entriesJsonl: string, readonly proofsJson: string, readonly checkpointTxt: string, readonly size: number }
/** How a proof lies in `audit/proofs.json`; hashes are hex. `consistency` leads from the checkpoint that left the machine last to the one over these entries. */
export interface ProofsFile {
  readonly schema: 1
  readonly size: number
  readonly root: string
  readonly proofs: readonly { readonly seq: number, readonly leaf: string, readonly path: readonly string[] }[]
  readonly consistency: Consistency | null
  /** The same from earlier checkpoints, newest first, so that whichever the office printed or deposited can be compared. */
  readonly earlier: readonly Consistency[]
}
export interface Consistency { readonly fromSize: number, readonly fromRoot: string, readonly path: readonly string[] }

/** A year of daily ones. */
const MOST_EARLIER = 400

/** The canonical text that the entry's hash covers. */
const textOf = ({ hash: _, ...rest }: AuditEntry): string => entryText(rest)

export interface EvidenceSource {
  readonly log: AuditLog
  readonly entries: ReturnType<typeof entryTable>
  readonly checkpoints: EvidenceCheckpoints
  readonly application: string
}

/**
 * All entries of a case with their proofs to a checkpoint made now, and from the one that last left the machine
 * to that (E11, E12): that one may be the recorder's, which names the head of this log. The checkpoint is signed
 * first, for its key may be elsewhere; then one transaction gathers what it covers.
 * Rejects with FatalError when the checkpoint is not signed, evidence without a key is none; and with what
 * `signedNow` rejects with.
 */
export async function auditEvidence({ log, entries, checkpoints, application }: EvidenceSource): Promise<AuditEvidence> {
  const checkpoint = signedTextOf(await checkpoints.signedNow())
  if (checkpoint === null || checkpoint.signature === null) {
    throw new FatalError('CUSTOS_COPY_UNSIGNED', '稽核金鑰無法使用，不得製作證據複製。/ the signing key cannot be used; no evidence is made without it', { remedy: '見 audit-key 的健康訊息。/ See what health says of the audit key.' })
  }
  return log.transaction(() => gather({ log, entries, checkpoints, application }, checkpoint))
}

function gather({ log, entries, checkpoints, application }: EvidenceSource, checkpoint: Checkpoint): AuditEvidence {
  const { size, root, origin } = checkpoint
  const found = entries.ofApplication(application, MOST_ENTRIES).filter(({ seq }) => seq <= size)
  const from = (fromSize: number, fromRoot: Buffer): Consistency =>
    ({ fromSize, fromRoot: fromRoot.toString('hex'), path: log.tree.consistency(fromSize, size).map(step => step.toString('hex')) })
  const note = checkpoints.outside()
  const head = note === null ? null : headWithin(note, origin)
  // One that does not fit is the office's to explain (verify tells); a package that encloses it would be broken.
  const last = note !== null && head !== null && head.size <= size && log.tree.root(head.size).equals(head.root) ? { note, head } : null
  const earlier = new Map(checkpoints.earlier().filter(each => each.size < size && each.size > 0).map(each => [each.size, each.root]))
  const proofs: ProofsFile = {
    schema: 1, size, root: root.toString('hex'),
    proofs: found.map(({ seq, hash }) => ({ seq, leaf: hash.toString('hex'), path: log.tree.inclusion(seq, size).map(step => step.toString('hex')) })),
    consistency: last === null ? null : from(last.head.size, last.head.root),
    earlier: [...earlier].slice(-MOST_EARLIER).reverse().map(([fromSize, fromRoot]) => from(fromSize, fromRoot)),
  }
  return {
    entriesJsonl: found.map(entry => `${textOf(entry)}\n`).join(''), proofsJson: `${JSON.stringify(proofs)}\n`,
    checkpointTxt: `${noteText(checkpoint)}${last === null ? '' : `\n${noteText(last.note)}`}`, size,
  }
}

/** What a checkpoint outside says of the log `origin`: names it, or is of the log that it was a part of before. */
export const headWithin = (checkpoint: Checkpoint, origin: string): LogHead => headOf(checkpoint, origin) ?? checkpoint
