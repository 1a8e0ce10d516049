import { checkpointTable, entryTable, entryText, noteText, signedTextOf, type AuditEntry, type AuditLog } from '../audit/index.ts'
import { isoOf, type AuditValue } from '../domain/index.ts'
import { instantOption, localText } from './local-time.ts'
import { loggedInPerson, usage, wholeNumber, withAudit, writeNew, type Output } from './audit-access.ts'

interface Common { readonly configFile: string, readonly out: Output }

/** Reading the log is an act too (R71). */
function noteReading(log: AuditLog, object: string | null, detail: Record<string, AuditValue>): void {
  log.append({ action: 'audit.read', actor: loggedInPerson(), object, application: null, result: 'done', detail })
}

/** The canonical text of an entry, exactly what its hash covers. */
function textOf(entry: AuditEntry): string {
  const { hash: _, ...rest } = entry
  return entryText(rest)
}

/** `custos audit proof`: that entry `seq` stands under the checkpoint over `size` entries (the newest one without `--size`), as JSON that needs nothing but SHA-256 to be checked. */
export async function auditProof({ configFile, seq: seqText, size, outFile, out }: Common & { readonly seq: string, readonly size: string | undefined, readonly outFile: string | undefined }): Promise<number> {
  const seq = wholeNumber(seqText, '--seq')
  const wantedSize = size === undefined ? null : wholeNumber(size, '--size')
  return await withAudit({ configFile, mode: 'write', out }, ({ db, log }) => {
    const entry = log.get(seq) ?? usage(`there is no entry ${seq}`, `The log holds the entries 1 to ${log.size()}.`)
    const table = checkpointTable(db)
    const stored = wantedSize === null ? table.newest() : table.ofSize(wantedSize) ?? usage(`there is no checkpoint over ${wantedSize} entries`, 'Give the second line of the checkpoint that left the machine.')
    const checkpoint = stored === null ? null : signedTextOf(stored)
    if (checkpoint === null || checkpoint.size < seq) return usage(wantedSize === null ? `no checkpoint covers entry ${seq} yet` : `the checkpoint over ${wantedSize} entries does not cover entry ${seq}`, 'One is made each day and at each start and stop of the recorder; ask again then.')
    noteReading(log, String(seq), { proof: true, size: checkpoint.size })
    const proof = {
      schema: 1, seq, entry: textOf(entry), leaf: entry.hash.toString('hex'), size: checkpoint.size,
      path: log.tree.inclusion(seq, checkpoint.size).map(hash => hash.toString('hex')), root: checkpoint.root.toString('hex'), checkpoint: noteText(checkpoint),
    }
    const text = `${JSON.stringify(proof, null, 2)}\n`
    if (outFile === undefined) out.write(text)
    else writeNew(outFile, text)
    return 0
  })
}

export interface AuditListOptions extends Common {
  readonly from: string | undefined
  readonly to: string | undefined
  /** The whole action, or its first part: `slot` for `slot.overwritten`. */
  readonly action: string | undefined
  readonly application: string | undefined
  readonly json: boolean
}

const PAGE = 1000

/** `custos audit list`: entries in order, by the wall clock; an entry with the filters says who read. JSON lines are the canonical text. */
export async function auditList({ configFile, from, to, action, application, json, out }: AuditListOptions): Promise<number> {
  const fromAt = from === undefined ? Number.NEGATIVE_INFINITY : instantOption(from, '--from')
  const toAt = to === undefined ? Number.POSITIVE_INFINITY : instantOption(to, '--to')
  const wanted = (entry: AuditEntry): boolean => entry.at >= fromAt && entry.at < toAt
    && (action === undefined || entry.action === action || entry.action.startsWith(`${action}.`)) && (application === undefined || entry.application === application)
  return await withAudit({ configFile, mode: 'write', out }, ({ db, log, config }) => {
    const last = log.size()
    noteReading(log, null, { from: from ?? null, to: to ?? null, action: action?.slice(0, 100) ?? null, application: application?.slice(0, 100) ?? null })
    const table = entryTable(db)
    for (let seq = 0; seq < last;) {
      const page = table.after(seq, Math.min(PAGE, last - seq))
      if (page.length === 0) break
      seq = page.at(-1)!.seq
      const text = page.filter(wanted).map(entry => json ? `${textOf(entry)}\n` : lineOf(entry, config.site.timezone)).join('')
      if (text !== '') out.write(text)
    }
    return 0
  })
}

const CONTROL = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu
const RESULTS = { done: '完成 done', refused: '拒絕 refused', failed: '失敗 failed' } as const

/** One line for a terminal; nothing in it can move the cursor. */
function lineOf({ seq, at, clock, actor, action, object, application, result, detail, trustedAt }: AuditEntry, timezone: string): string {
  const who = [actor.name, actor.role, actor.source].filter(part => part !== null).join(' / ')
  const parts = [`#${seq}`, localText(at, timezone), `[${clock}${trustedAt === null || trustedAt === at ? '' : ` ${isoOf(trustedAt)}`}]`, who, action, object, application, RESULTS[result], detail === '{}' ? null : detail]
  return `${parts.filter(part => part !== null).join('  ').replace(CONTROL, '?')}\n`
}
