import { checkpointTable, entryTable, entryText, noteText, signedTextOf, type AuditEntry, type Checkpoint } from '../audit/index.ts'
import { isoOf, type AuditValue } from '../domain/index.ts'
import { instantOption, localText } from './local-time.ts'
import {
  loggedInPerson, logNamed, usage, wholeNumber, withBothLogs, writeNew, type LogName, type OneLog, type Output,
} from './audit-access.ts'

interface Common { readonly configFile: string, readonly out: Output }

/** Reading a log is an act too (R71), and of a person: it stands in the office's where there is one. */
function noteReading(logs: readonly OneLog[], object: string | null, detail: Record<string, AuditValue>): void {
  logs.at(-1)!.log.append({ action: 'audit.read', actor: loggedInPerson(), object, application: null, result: 'done', detail })
}

/** The canonical text of an entry, exactly what its hash covers. */
function textOf(entry: AuditEntry): string {
  const { hash: _, ...rest } = entry
  return entryText(rest)
}

export interface AuditProofOptions extends Common {
  readonly seq: string
  /** Of the checkpoint; the newest one without it. */
  readonly size: string | undefined
  /** Whose entry; the recorder's without it. */
  readonly log?: string | undefined
  readonly outFile: string | undefined
}

/**
 * `custos audit proof`: that entry `seq` stands under the checkpoint over `size` entries, as JSON that needs
 * nothing but SHA-256 to be checked.
 */
export async function auditProof(options: AuditProofOptions): Promise<number> {
  const { configFile, seq: seqText, size, log: name, outFile, out } = options
  const seq = wholeNumber(seqText, '--seq')
  const wantedSize = size === undefined ? null : wholeNumber(size, '--size')
  return await withBothLogs({ configFile, out }, (_, logs) => {
    const { db, log } = logNamed(logs, name ?? 'recorder')
    const entry = log.get(seq) ?? usage(`there is no entry ${seq}`, `The log holds the entries 1 to ${log.size()}.`)
    const checkpoint = checkpointOver(db, seq, wantedSize)
    noteReading(logs, String(seq), { proof: true, size: checkpoint.size, ...name === undefined ? {} : { log: name } })
    const proof = {
      schema: 1, seq, entry: textOf(entry), leaf: entry.hash.toString('hex'), size: checkpoint.size,
      path: log.tree.inclusion(seq, checkpoint.size).map(hash => hash.toString('hex')),
      root: checkpoint.root.toString('hex'), checkpoint: noteText(checkpoint),
    }
    const text = `${JSON.stringify(proof, null, 2)}\n`
    if (outFile === undefined) out.write(text)
    else writeNew(outFile, text)
    return 0
  })
}

function checkpointOver(db: OneLog['db'], seq: number, size: number | null): Checkpoint {
  const table = checkpointTable(db)
  const stored = size === null ? table.newest() : table.ofSize(size)
    ?? usage(`there is no checkpoint over ${size} entries`, 'Give the second line of the checkpoint that left the machine.')
  const checkpoint = stored === null ? null : signedTextOf(stored)
  if (checkpoint !== null && checkpoint.size >= seq) return checkpoint
  return usage(size === null ? `no checkpoint covers entry ${seq} yet` : `the checkpoint over ${size} entries does not cover entry ${seq}`,
    'One is made each day and at each start and stop of the recorder; ask again then.')
}

export interface AuditListOptions extends Common {
  readonly from: string | undefined
  readonly to: string | undefined
  /** The whole action, or its first part: `slot` for `slot.overwritten`. */
  readonly action: string | undefined
  readonly application: string | undefined
  /** Whose entries. Without it those of both, and as JSON the recorder's: a chain is of one log. */
  readonly log?: string | undefined
  readonly json: boolean
}

const PAGE = 1000

/**
 * `custos audit list`: entries in order, of both logs by the wall clock; an entry with the filters says who read.
 * JSON lines are the canonical text.
 */
export async function auditList(options: AuditListOptions): Promise<number> {
  const { configFile, from, to, action, application, log: name, json, out } = options
  const fromAt = from === undefined ? Number.NEGATIVE_INFINITY : instantOption(from, '--from')
  const toAt = to === undefined ? Number.POSITIVE_INFINITY : instantOption(to, '--to')
  const wanted = (entry: AuditEntry): boolean => entry.at >= fromAt && entry.at < toAt
    && (action === undefined || entry.action === action || entry.action.startsWith(`${action}.`)) && (application === undefined || entry.application === application)
  return await withBothLogs({ configFile, out }, (config, logs) => {
    const shown = name === undefined ? json ? logs.slice(0, 1) : logs : [logNamed(logs, name)]
    const entries = shown.map((log, index) => entriesOf(log, index === 0 ? 0 : commonWith(log), log.log.size()))
    noteReading(logs, null, {
      from: from ?? null, to: to ?? null, action: action?.slice(0, 100) ?? null,
      application: application?.slice(0, 100) ?? null, ...name === undefined ? {} : { log: name },
    })
    for (const { entry, log } of merged(entries)) {
      if (!wanted(entry)) continue
      out.write(json ? `${textOf(entry)}\n` : lineOf(entry, config.site.timezone, shown.length > 1 ? log : null))
    }
    return 0
  })
}

interface Listed { readonly entry: AuditEntry, readonly log: LogName }

/** Entries at the beginning that it has from the recorder's log, which parted once. */
const commonWith = ({ db }: OneLog): number => checkpointTable(db).parting()?.size ?? 0

/** Behind entry `after`, up to entry `last`. */
function* entriesOf({ db, name }: OneLog, after: number, last: number): Generator<Listed, undefined> {
  const table = entryTable(db)
  for (let seq = after; seq < last;) {
    const page = table.after(seq, Math.min(PAGE, last - seq))
    if (page.length === 0) return
    seq = page.at(-1)!.seq
    for (const entry of page) yield { entry, log: name }
  }
}

/** Each in its own order; of the next ones the earliest by the wall clock. */
function* merged(logs: readonly Generator<Listed, undefined>[]): Generator<Listed> {
  const heads = logs.map(log => ({ log, next: log.next().value }))
  for (;;) {
    const first = heads.filter(head => head.next !== undefined)
      .reduce<(typeof heads)[number] | null>((best, head) => best === null || head.next!.entry.at < best.next!.entry.at ? head : best, null)
    if (first?.next === undefined) return
    yield first.next
    first.next = first.log.next().value
  }
}

const CONTROL = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu
const RESULTS = { done: '完成 done', refused: '拒絕 refused', failed: '失敗 failed' } as const

const LOGS = { recorder: '錄影 recorder', office: '辦公 office' } as const

/** One line for a terminal; nothing in it can move the cursor. `log`: null where there is only one. */
function lineOf({ seq, at, clock, actor, action, object, application, result, detail, trustedAt }: AuditEntry, timezone: string, log: LogName | null): string {
  const who = [actor.name, actor.role, actor.source].filter(part => part !== null).join(' / ')
  const parts = [log === null ? `#${seq}` : `${LOGS[log]} #${seq}`, localText(at, timezone), `[${clock}${trustedAt === null || trustedAt === at ? '' : ` ${isoOf(trustedAt)}`}]`, who, action, object, application, RESULTS[result], detail === '{}' ? null : detail]
  return `${parts.filter(part => part !== null).join('  ').replace(CONTROL, '?')}\n`
}
