import { isoOf, type EpochMs } from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'
import { RunningRoot } from '../platform/merkle.ts'
import { isSignedBy, originOf, type Checkpoint, type LogHead } from './checkpoint.ts'
import { entryHash, entryText, ZERO_HASH, type AuditEntry } from './entry.ts'
import type { Parting } from './parting.ts'
import { checkpointTable, signedTextOf, type StoredCheckpoint } from './tables/checkpoints.ts'
import { entryTable } from './tables/entries.ts'
import { AuditTree, foldNodes, TILE_SIZE } from './tree.ts'

/** What is wrong, and where it shows first. `seq` is null where no entry can be named. */
export interface AuditFault {
  readonly kind: 'missing' | 'unreadable' | 'content' | 'chain' | 'tile' | 'stored-checkpoint' | 'stored-signature' | 'guards' | 'other-log' | 'cut-off' | 'rewritten' | 'outside-signature' | 'unknown-key'
    | 'not-parted-so' | 'not-accepted-so' | 'log-missing'
  readonly seq: number | null
  readonly at: EpochMs | null
  /** What differs: Traditional Chinese, and the same in English. */
  readonly zh: string
  readonly en: string
}

export interface AuditVerdict {
  readonly entries: number
  readonly root: Buffer
  readonly checkpoints: number
  /** Checkpoints from outside that say something of this log. */
  readonly compared: number
  /** Size of the largest outside checkpoint that fits, as it counts this log; null when none was given or none fits. */
  readonly outsideSize: number | null
  /** The first of them all, in the order of the log; null when unbroken. */
  readonly fault: AuditFault | null
}

const PAGE = 1_000
const GUARDS = [
  'audit_entry_in_order', 'audit_entry_is_never_changed', 'audit_entry_is_never_deleted',
  'audit_checkpoint_is_never_changed', 'audit_checkpoint_is_never_deleted',
  'audit_head_is_never_changed', 'audit_head_is_never_deleted',
]

/** What stands beside a log that is one of two. */
export interface BesideLog {
  /** Origins of the other log: a checkpoint that names none but these is not this log's business. */
  readonly others?: ReadonlySet<string>
  /** Public keys in PEM by fingerprint, which the other log has. */
  readonly keys?: ReadonlyMap<string, string>
  /** Heads of this log that the other one remembers. */
  readonly remembered?: readonly LogHead[]
}

/**
 * Walks the whole log: numbers without holes, every hash, every tile, every stored checkpoint with its
 * signature, and that each head from outside is a beginning of it: of checkpoints that left the machine, as
 * their own log or as another that they name, and of those that the other log remembers. Up to where a log
 * parted from another one, that one's checkpoints are its own. Reads page by page, so that memory is bounded
 * and a recorder beside is not held up; the log only grows meanwhile. Stops at the first fault.
 */
export function verifyAuditLog(db: Db, outside: readonly Checkpoint[] = [], beside: BesideLog = {}): AuditVerdict {
  const table = checkpointTable(db), entries = entryTable(db)
  const keys = new Map([...beside.keys ?? [], ...keysOf(db)])
  const origin = originOf(table.logId()), parting = table.parting()
  const walk = new Walk({ db, keys, stored: table.bySize(), outside, beside, origin, parting })
  const lastSeq = entries.tail().seq
  let fault = walk.begin()
  while (fault === null && walk.size < lastSeq) {
    let page: AuditEntry[]
    try { page = entries.after(walk.size, Math.min(PAGE, lastSeq - walk.size)) } catch (error) {
      fault = faultOf('unreadable', walk.size + 1, null, `第 ${walk.size + 1} 筆之後有無法解讀的內容`, `something after entry ${walk.size + 1} cannot be made sense of: ${(error as Error).message}`)
      break
    }
    for (const entry of page) if ((fault = walk.next(entry)) !== null) break
  }
  fault ??= walk.end()
  const { size, checkpoints, compared, outsideSize } = walk
  return { entries: size, root: walk.root(), checkpoints, compared, outsideSize, fault }
}

/** Public keys in PEM by fingerprint. */
export const keysOf = (db: Db): Map<string, string> =>
  new Map(checkpointTable(db).keys().map(key => [key.fingerprint, key.publicPem]))

export const faultOf = (kind: AuditFault['kind'], seq: number | null, at: EpochMs | null, zh: string, en: string): AuditFault => ({ kind, seq, at, zh, en })

interface WalkOptions {
  readonly db: Db
  readonly keys: ReadonlyMap<string, string>
  /** Smallest first. */
  readonly stored: readonly StoredCheckpoint[]
  readonly outside: readonly Checkpoint[]
  readonly beside: BesideLog
  readonly origin: string
  readonly parting: Parting | null
}

/** A head that this log has to hold, and who says so. */
interface Expected extends LogHead { readonly at: EpochMs | null, readonly by: 'outside' | 'other-log' }

class Walk {
  readonly #options: WalkOptions
  readonly #tree: AuditTree
  readonly #expected: readonly Expected[]
  readonly #running = new RunningRoot()
  #hash: Buffer = ZERO_HASH
  #at: EpochMs | null = null
  #storedIndex = 0
  #expectedIndex = 0
  #outsideSize: number | null = null
  /** Hashes since the last tile, by tile level. */
  readonly #tiles: Buffer[][] = []

  constructor(options: WalkOptions) {
    this.#options = options
    this.#tree = new AuditTree(options.db, entryTable(options.db))
    const outside = options.outside.flatMap(checkpoint =>
      this.#headsIn(checkpoint).map((head): Expected => ({ ...head, at: checkpoint.at, by: 'outside' })))
    const remembered = (options.beside.remembered ?? []).map((head): Expected => ({ ...head, at: null, by: 'other-log' }))
    this.#expected = [...outside, ...remembered].toSorted((a, b) => a.size - b.size)
  }

  get size(): number { return this.#running.size }
  get checkpoints(): number { return this.#storedIndex }
  get outsideSize(): number | null { return this.#outsideSize }
  get compared(): number { return this.#options.outside.filter(each => this.#headsIn(each).length > 0).length }
  root(): Buffer { return this.#running.root() }

  begin(): AuditFault | null {
    for (const checkpoint of this.#options.outside) {
      const fault = this.#outsideItself(checkpoint)
      if (fault) return fault
    }
    return this.#checkpointsHere()
  }

  next(entry: AuditEntry): AuditFault | null {
    const { seq, at } = entry
    const expected = this.size + 1
    if (seq !== expected) return faultOf('missing', expected, this.#at, `第 ${expected} 筆不見了，下一筆是第 ${seq} 筆`, `entry ${expected} is gone, the next one is ${seq}`)
    if (!entry.prevHash.equals(this.#hash)) {
      return faultOf('chain', seq, at, `第 ${seq} 筆記載的前一筆雜湊不符：前一筆被更換，或本筆是插入的`, `entry ${seq} names another hash for the entry before it: that one was exchanged, or this one slipped in`)
    }
    const hash = hashOf(entry)
    if (hash === null || !hash.equals(entry.hash)) {
      return faultOf('content', seq, at, `第 ${seq} 筆（${entry.action}）的內容與其雜湊不符：內容被更改`, `entry ${seq} (${entry.action}) does not match its hash: its content was changed`)
    }
    this.#hash = hash
    this.#at = at
    this.#running.add(hash)
    return this.#tilesHere(seq, hash) ?? this.#checkpointsHere()
  }

  end(): AuditFault | null {
    const left = [...this.#options.stored.slice(this.#storedIndex), ...this.#expected.slice(this.#expectedIndex)][0]
    if (left === undefined) return this.#guardsGone()
    const { zh, en } = witnessText('by' in left ? left : { at: left.at, by: 'outside' })
    return faultOf('cut-off', this.size + 1, this.#at, `紀錄只到第 ${this.size} 筆，但${zh}證明曾有 ${left.size} 筆：結尾被截斷`,
      `the log ends with entry ${this.size}, but ${en} shows that there were ${left.size}: its end was cut off`)
  }

  /** Last, for an entry that was changed says more. */
  #guardsGone(): AuditFault | null {
    const names = this.#options.db.prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'trigger'").pluck().all()
    const missing = GUARDS.filter(name => !names.includes(name))
    return missing.length === 0 ? null
      : faultOf('guards', null, null, `資料庫的防竄改觸發器被移除（${missing.join('、')}）`, `the triggers that guard the log were removed (${missing.join(', ')})`)
  }

  #tilesHere(seq: number, hash: Buffer): AuditFault | null {
    let node = hash, level = 0
    for (let size = 1; seq % size === 0; size *= TILE_SIZE, level += 1) {
      if (level > 0) {
        node = foldNodes(this.#tiles[level - 1]!)
        this.#tiles[level - 1] = []
        const position = seq / size - 1
        if (this.#tree.stored(level, position)?.equals(node) !== true) {
          return faultOf('tile', seq, this.#at, `第 ${seq - size + 1} 至 ${seq} 筆的彙總雜湊不符或不見`, `the stored hash over the entries ${seq - size + 1} to ${seq} is wrong or gone`)
        }
      }
      (this.#tiles[level] ??= []).push(node)
    }
    return null
  }

  /** Checkpoints over exactly the entries so far. */
  #checkpointsHere(): AuditFault | null {
    const { stored } = this.#options
    for (let next = stored[this.#storedIndex]; next !== undefined && next.size <= this.size; next = stored[this.#storedIndex]) {
      const fault = this.#storedHere(next)
      if (fault) return fault
      this.#storedIndex += 1
    }
    const expected = this.#expected
    for (let next = expected[this.#expectedIndex]; next !== undefined && next.size <= this.size; next = expected[this.#expectedIndex]) {
      if (!next.root.equals(this.root()) || (next.lastHash !== null && !next.lastHash.equals(this.#hash))) return this.#rewritten(next)
      if (next.by === 'outside') this.#outsideSize = next.size
      this.#expectedIndex += 1
    }
    return null
  }

  #rewritten(head: Expected): AuditFault {
    const first = (this.#expected[this.#expectedIndex - 1]?.size ?? 0) + 1, { zh, en } = witnessText(head)
    if (head.by === 'outside') {
      return faultOf('rewritten', null, null, `第 ${first} 至 ${head.size} 筆之中有紀錄在${zh}離開本機之後被改寫：整串重算過，但與外部查核點不符`,
        `among the entries ${first} to ${head.size} some were rewritten after ${en.replace('a check', 'the check')} had left the machine: all hashes were computed anew, but do not fit it`)
    }
    return faultOf('rewritten', null, null, `第 ${first} 至 ${head.size} 筆之中有紀錄被改寫，或整份被換成另一份：與${zh}不符`,
      `among the entries ${first} to ${head.size} some were rewritten, or the log was exchanged: they do not fit ${en}`)
  }

  #storedHere(stored: StoredCheckpoint): AuditFault | null {
    const text = signedTextOf(stored)
    const label = { zh: `第 ${stored.size} 筆的查核點（${isoOf(stored.at)}）`, en: `the stored checkpoint over ${stored.size} entries (${isoOf(stored.at)})` }
    const isSound = text !== null && this.#isMine(text) && text.size === stored.size && text.root.equals(stored.root) && text.root.equals(this.root())
      && text.lastHash?.equals(this.#hash) === true && text.at === stored.at && text.keyFingerprint === stored.keyFingerprint
    if (!isSound) return faultOf('stored-checkpoint', stored.size, this.#at, `${label.zh}與紀錄不符：該筆以前的紀錄或查核點被改寫`, `${label.en} does not fit the log: entries up to there, or the checkpoint, were rewritten`)
    if (text.keyFingerprint === null) return null // made while no key could be used; health said so then
    const pem = this.#options.keys.get(text.keyFingerprint)
    if (pem !== undefined && isSignedBy(text, pem)) return null
    return faultOf('stored-signature', stored.size, this.#at, `${label.zh}的簽章不符`, `${label.en} does not carry a good signature`)
  }

  /** What it says of this log: its own head, or one that another log's names. */
  #headsIn(checkpoint: Checkpoint): LogHead[] {
    return [checkpoint, ...checkpoint.also].filter(head => this.#isMine(head))
  }

  /** Before it parted from another log, this one was that one. */
  #isMine({ origin, size }: LogHead): boolean {
    const { parting } = this.#options
    return origin === this.#options.origin || (parting !== null && origin === originOf(parting.from) && size <= parting.size)
  }

  #isOfOther(origin: string): boolean {
    const { beside: { others }, parting } = this.#options
    return others?.has(origin) === true || (parting !== null && origin === originOf(parting.from))
  }

  /** Whether a checkpoint from outside is of this log, and signed; one of the other log alone is nobody's business here. */
  #outsideItself(checkpoint: Checkpoint): AuditFault | null {
    const { origin, size, keyFingerprint, signature } = checkpoint
    if (this.#headsIn(checkpoint).length === 0) {
      if ([checkpoint, ...checkpoint.also].some(head => this.#isOfOther(head.origin))) return null
      return faultOf('other-log', null, null, `查核點屬於另一份紀錄（${origin}），本機為 ${this.#options.origin}：拿錯檔案，或紀錄整份被換掉`,
        `the checkpoint is of another log (${origin}); this one is ${this.#options.origin}: a mistaken file, or the whole log was exchanged`)
    }
    if (signature === null) return null // typed from paper: its root is what counts
    const known = [...this.#options.keys].filter(([fingerprint]) => keyFingerprint === null || fingerprint === keyFingerprint)
    if (known.length === 0) return faultOf('unknown-key', null, null, `查核點（${size} 筆）以本機不認得的金鑰簽署（${keyFingerprint ?? '?'}）`, `the checkpoint over ${size} entries was signed by a key this log does not know (${keyFingerprint ?? '?'})`)
    if (known.some(([, pem]) => isSignedBy(checkpoint, pem))) return null
    return faultOf('outside-signature', null, null, `查核點檔案（${size} 筆）的簽章不符：檔案本身被更改或抄錯`, `the signature on the given checkpoint over ${size} entries is wrong: that file was changed or miscopied`)
  }
}

const witnessText = ({ at, by }: Pick<Expected, 'at' | 'by'>): { readonly zh: string, readonly en: string } => {
  if (by === 'other-log') return { zh: '另一份紀錄所記得的', en: 'what the other log remembers of it' }
  return { zh: `查核點（${at === null ? '時間不明' : isoOf(at)}）`, en: `a checkpoint (${at === null ? 'time unknown' : isoOf(at)})` }
}

/** Null for content that no event of ours could have. */
function hashOf(entry: AuditEntry): Buffer | null {
  try { return entryHash(entryText(entry)) } catch { return null }
}
