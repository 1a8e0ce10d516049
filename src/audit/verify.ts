import { isoOf, type EpochMs } from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'
import { RunningRoot } from '../platform/merkle.ts'
import { isSignedBy, originOf, type Checkpoint } from './checkpoint.ts'
import { entryHash, entryText, ZERO_HASH, type AuditEntry } from './entry.ts'
import { checkpointTable, signedTextOf, type StoredCheckpoint } from './tables/checkpoints.ts'
import { entryTable } from './tables/entries.ts'
import { AuditTree, foldNodes, TILE_SIZE } from './tree.ts'

/** What is wrong, and where it shows first. `seq` is null where no entry can be named. */
export interface AuditFault {
  readonly kind: 'missing' | 'unreadable' | 'content' | 'chain' | 'tile' | 'stored-checkpoint' | 'stored-signature' | 'guards' | 'other-log' | 'cut-off' | 'rewritten' | 'outside-signature' | 'unknown-key'
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
  /** Size of the largest outside checkpoint that fits; null when none was given or none fits. */
  readonly outsideSize: number | null
  /** The first of them all, in the order of the log; null when unbroken. */
  readonly fault: AuditFault | null
}

const PAGE = 1_000
const GUARDS = ['audit_entry_in_order', 'audit_entry_is_never_changed', 'audit_entry_is_never_deleted', 'audit_checkpoint_is_never_changed', 'audit_checkpoint_is_never_deleted']

/**
 * Walks the whole log: numbers without holes, every hash, every tile, every stored checkpoint with its signature, and that each checkpoint from outside
 * is a beginning of it. Reads page by page, so that memory is bounded and a recorder beside is not held up; the log only grows meanwhile. Stops at the first fault.
 */
export function verifyAuditLog(db: Db, outside: readonly Checkpoint[] = []): AuditVerdict {
  const table = checkpointTable(db), entries = entryTable(db)
  const walk = new Walk({ db, keys: new Map(table.keys().map(key => [key.fingerprint, key.publicPem])), stored: table.bySize(), outside, origin: originOf(table.logId()) })
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
  return { entries: walk.size, root: walk.root(), checkpoints: walk.checkpoints, outsideSize: walk.outsideSize, fault: fault ?? walk.end() }
}

const faultOf = (kind: AuditFault['kind'], seq: number | null, at: EpochMs | null, zh: string, en: string): AuditFault => ({ kind, seq, at, zh, en })

interface WalkOptions {
  readonly db: Db
  readonly keys: ReadonlyMap<string, string>
  /** Smallest first. */
  readonly stored: readonly StoredCheckpoint[]
  readonly outside: readonly Checkpoint[]
  readonly origin: string
}

class Walk {
  readonly #options: WalkOptions
  readonly #tree: AuditTree
  readonly #outside: readonly Checkpoint[]
  readonly #running = new RunningRoot()
  #hash: Buffer = ZERO_HASH
  #at: EpochMs | null = null
  #storedIndex = 0
  #outsideIndex = 0
  /** Hashes since the last tile, by tile level. */
  readonly #tiles: Buffer[][] = []

  constructor(options: WalkOptions) {
    this.#options = options
    this.#tree = new AuditTree(options.db, entryTable(options.db))
    this.#outside = options.outside.toSorted((a, b) => a.size - b.size)
  }

  get size(): number { return this.#running.size }
  get checkpoints(): number { return this.#storedIndex }
  get outsideSize(): number | null { return this.#outside[this.#outsideIndex - 1]?.size ?? null }
  root(): Buffer { return this.#running.root() }

  begin(): AuditFault | null {
    for (const checkpoint of this.#outside) {
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
    const left = [...this.#options.stored.slice(this.#storedIndex), ...this.#outside.slice(this.#outsideIndex)][0]
    if (left === undefined) return this.#guardsGone()
    return faultOf('cut-off', this.size + 1, this.#at, `紀錄只到第 ${this.size} 筆，但查核點（${left.at === null ? '時間不明' : isoOf(left.at)}）證明曾有 ${left.size} 筆：結尾被截斷`,
      `the log ends with entry ${this.size}, but a checkpoint (${left.at === null ? 'time unknown' : isoOf(left.at)}) shows that there were ${left.size}: its end was cut off`)
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
    for (let next = this.#outside[this.#outsideIndex]; next !== undefined && next.size <= this.size; next = this.#outside[this.#outsideIndex]) {
      if (!next.root.equals(this.root()) || (next.lastHash !== null && !next.lastHash.equals(this.#hash))) {
        const good = this.outsideSize ?? 0
        return faultOf('rewritten', null, null, `第 ${good + 1} 至 ${next.size} 筆之中有紀錄在查核點（${next.at === null ? '時間不明' : isoOf(next.at)}）離開本機之後被改寫：整串重算過，但與外部查核點不符`,
          `among the entries ${good + 1} to ${next.size} some were rewritten after the checkpoint (${next.at === null ? 'time unknown' : isoOf(next.at)}) had left the machine: all hashes were computed anew, but do not fit it`)
      }
      this.#outsideIndex += 1
    }
    return null
  }

  #storedHere(stored: StoredCheckpoint): AuditFault | null {
    const text = signedTextOf(stored)
    const label = { zh: `第 ${stored.size} 筆的查核點（${isoOf(stored.at)}）`, en: `the stored checkpoint over ${stored.size} entries (${isoOf(stored.at)})` }
    const isSound = text !== null && text.origin === this.#options.origin && text.size === stored.size && text.root.equals(stored.root) && text.root.equals(this.root())
      && text.lastHash?.equals(this.#hash) === true && text.at === stored.at && text.keyFingerprint === stored.keyFingerprint
    if (!isSound) return faultOf('stored-checkpoint', stored.size, this.#at, `${label.zh}與紀錄不符：該筆以前的紀錄或查核點被改寫`, `${label.en} does not fit the log: entries up to there, or the checkpoint, were rewritten`)
    if (text.keyFingerprint === null) return null // made while no key could be used; health said so then
    const pem = this.#options.keys.get(text.keyFingerprint)
    if (pem !== undefined && isSignedBy(text, pem)) return null
    return faultOf('stored-signature', stored.size, this.#at, `${label.zh}的簽章不符`, `${label.en} does not carry a good signature`)
  }

  /** Whether a checkpoint from outside is one of this log, and signed. */
  #outsideItself(checkpoint: Checkpoint): AuditFault | null {
    const { origin, size, keyFingerprint, signature } = checkpoint
    if (origin !== this.#options.origin) {
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

/** Null for content that no event of ours could have. */
function hashOf(entry: AuditEntry): Buffer | null {
  try { return entryHash(entryText(entry)) } catch { return null }
}
