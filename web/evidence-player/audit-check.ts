import { bytesOfBase64, bytesOfHex, equalBytes, hexOf, utf8Bytes, type Bytes } from './bytes.ts'
import { leafHash, nodeHash, rootByInclusion } from './merkle.ts'

interface LogHead { readonly origin: string, readonly size: number, readonly root: Bytes }
/**
 * A checkpoint of the audit log (C2SP signed note): `body` is what was signed, `signature` is DER; `also` are
 * heads of other logs that it names.
 */
export interface Checkpoint extends LogHead {
  readonly also: readonly LogHead[]
  readonly body: string
  readonly signature: Bytes | null
}

const KEY_ID_BYTES = 4
const MAX_CHECKPOINTS = 100
const MAX_ALSO = 4

function alsoOf(line: string): LogHead | null {
  const form = /^also (custos\/[0-9a-f]{16}) (0|[1-9]\d{0,14}) ([A-Za-z0-9+/]+={0,2}) [0-9a-f]{64}$/
  const [, origin = '', size = '', rootText = ''] = form.exec(line) ?? []
  const root = bytesOfBase64(rootText)
  return root?.length === 32 ? { origin, size: Number(size), root } : null
}

/** Every signed note in the text, in its order. */
export function parseCheckpoints(text: string): Checkpoint[] {
  const lines = text.split(/\r\n|\r|\n/).map(line => line.trim())
  const found: Checkpoint[] = []
  for (let i = 0; i < lines.length && found.length < MAX_CHECKPOINTS; i++) {
    const [origin = '', size = '', rootText = ''] = lines.slice(i, i + 3)
    const root = bytesOfBase64(rootText)
    if (!/^custos\/[0-9a-f]{16}$/.test(origin) || !/^(0|[1-9]\d{0,14})$/.test(size) || root?.length !== 32) continue
    const body = [origin, size, rootText]
    const also: LogHead[] = []
    let signature: Bytes | null = null
    for (const line of lines.slice(i + 3, i + 12 + MAX_ALSO)) {
      const note = /^[^\w\s]+ custos\/[0-9a-f]{16} ([A-Za-z0-9+/]+={0,2})$/.exec(line)?.[1]
      if (note !== undefined) { signature = bytesOfBase64(note)?.subarray(KEY_ID_BYTES) ?? null; break }
      if (line === '') continue
      const other = alsoOf(line)
      if (other !== null) also.push(other)
      else if (!/^(time|last|key) \S+$/.test(line)) break
      body.push(line)
    }
    if (also.length > MAX_ALSO || new Set([origin, ...also.map(each => each.origin)]).size <= also.length) continue
    found.push({ origin, size: Number(size), root, also, body: `${body.join('\n')}\n`, signature })
  }
  return found
}

const MAX_DEPTH = 32

/** RFC 8785 for what the log holds: text, whole numbers, truth values, null, lists, mappings. Throws TypeError on more. */
export function canonicalJson(value: unknown, depth = 0): string {
  if (depth > MAX_DEPTH) throw new TypeError('nested too deep')
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value === 0 ? 0 : value)
  if (Array.isArray(value)) return `[${value.map(item => canonicalJson(item, depth + 1)).join(',')}]`
  if (typeof value !== 'object') throw new TypeError(`${typeof value} is no value of the log`)
  return `{${Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1).map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item, depth + 1)}`).join(',')}}`
}

/** One line of audit/entries.jsonl: its number in the log and its RFC 6962 leaf hash. The hash it may carry about itself is no part of what was hashed. */
export interface EntryLine { readonly seq: number, readonly leaf: Bytes, readonly isItsOwn: boolean, readonly application: unknown, readonly text: string }

export function parseEntry(line: string): EntryLine {
  const { hash, ...entry } = JSON.parse(line) as Record<string, unknown>
  const leaf = leafHash(utf8Bytes(canonicalJson(entry)))
  if (!Number.isSafeInteger(entry.seq) || (entry.seq as number) < 1) throw new TypeError('an entry without its number')
  return { seq: entry.seq as number, leaf, isItsOwn: hash === undefined || hash === hexOf(leaf), application: entry.application, text: line }
}

type Consistency = { readonly fromSize: number, readonly fromRoot: Bytes | null, readonly path: readonly Bytes[] }

export interface Proofs { readonly size: number, readonly root: Bytes, readonly paths: ReadonlyMap<number, readonly Bytes[]>, /** From the checkpoint that left the recorder last. */ readonly consistency: Consistency | null, /** From older ones, whichever the office printed. */ readonly earlier: readonly Consistency[] }

const MAX_ENTRIES = 200_000
const hashOf = (text: unknown): Bytes => {
  const bytes = typeof text !== 'string' ? null : /^[0-9a-f]{64}$/.test(text) ? bytesOfHex(text) : bytesOfBase64(text)
  if (bytes?.length !== 32) throw new TypeError('a step of a proof is no hash')
  return bytes
}

function consistencyOf(value: unknown): Consistency {
  const { fromSize, fromRoot, path } = value as { fromSize?: unknown, fromRoot?: unknown, path?: unknown }
  if (!Number.isSafeInteger(fromSize) || !Array.isArray(path) || path.length > 128) throw new TypeError('a proof of consistency is not of the form wanted')
  return { fromSize: fromSize as number, fromRoot: fromRoot === undefined ? null : hashOf(fromRoot), path: (path as unknown[]).map(hashOf) }
}

const MAX_EARLIER = 1000

/** audit/proofs.json: `{ size, root, proofs: [{ seq, path: [hash…] }], consistency, earlier }`. Throws TypeError or SyntaxError. */
export function parseProofs(text: string): Proofs {
  const { size, root, proofs, consistency, earlier } = JSON.parse(text) as Record<'size' | 'root' | 'proofs' | 'consistency' | 'earlier', unknown>
  if (!Number.isSafeInteger(size) || !Array.isArray(proofs) || proofs.length > MAX_ENTRIES || !Array.isArray(earlier) || earlier.length > MAX_EARLIER) throw new TypeError('proofs.json is not of the form wanted')
  return {
    size: size as number, root: hashOf(root), consistency: consistency == null ? null : consistencyOf(consistency), earlier: earlier.map(consistencyOf),
    paths: new Map(proofs.map((each: unknown) => {
      const { seq, path } = each as { seq?: unknown, path?: unknown }
      if (!Number.isSafeInteger(seq) || !Array.isArray(path) || path.length > 64) throw new TypeError('a proof is not of the form wanted')
      return [seq as number, path.map(hashOf)]
    })),
  }
}

/** Whether `path` shows the tree with `oldRoot` to be the beginning of the one with `root` (RFC 9162 §2.1.4.2). */
export function isConsistent(oldSize: number, oldRoot: Bytes, size: number, root: Bytes, path: readonly Bytes[]): boolean {
  if (oldSize > size) return false
  if (oldSize === size) return path.length === 0 && equalBytes(oldRoot, root)
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
  return last === 0 && equalBytes(oldHash, oldRoot) && equalBytes(hash, root)
}

/** Number of the first entry that does not lead to `root`; null when all do. */
export function firstUnproven(entries: readonly EntryLine[], proofs: Proofs, root: Bytes): number | null {
  for (const { seq, leaf, isItsOwn } of entries) {
    const path = proofs.paths.get(seq)
    const reached = path === undefined ? null : rootByInclusion(leaf, seq - 1, proofs.size, path)
    if (!isItsOwn || reached === null || !equalBytes(reached, root)) return seq
  }
  return null
}

export const parseEntries = (text: string): EntryLine[] => {
  const lines = text.split('\n').filter(line => line.trim() !== '')
  if (lines.length > MAX_ENTRIES) throw new TypeError(`more than ${MAX_ENTRIES} entries`)
  return lines.map(parseEntry)
}

export interface AuditTexts {
  readonly entriesText: string
  readonly proofsText: string
  readonly checkpointText: string
  /** The case whose entries these are. */
  readonly application: string
  /** Segments of the videos, each named by the entry `auditSeq`. */
  readonly roots: readonly { readonly path: string, readonly merkleRoot: string, readonly auditSeq: number | null }[]
}
interface Told { readonly zh: string, readonly en: string }

/** Whether the entries stand under the newest checkpoint, the older ones are its beginning, and the entries name what was copied; its signature is the caller's to check. Never throws. */
export function checkAudit({ entriesText, proofsText, checkpointText, application, roots }: AuditTexts): { readonly faults: Told[], readonly entries: number, readonly head: Checkpoint | null } {
  const faults: Told[] = []
  const [head, older] = parseCheckpoints(checkpointText)
  if (head === undefined) return { faults: [{ zh: '沒有檢查點', en: 'there is no checkpoint' }], entries: 0, head: null }
  let count = 0
  try {
    const entries = parseEntries(entriesText), proofs = parseProofs(proofsText), { consistency } = proofs
    count = entries.length
    if (proofs.size !== head.size || !equalBytes(proofs.root, head.root)) faults.push({ zh: '證明屬於另一個檢查點', en: 'the proofs lead to another checkpoint' })
    if (proofs.paths.size !== entries.length) faults.push({ zh: `${entries.length} 筆，證明 ${proofs.paths.size} 筆`, en: `${entries.length} entries, ${proofs.paths.size} proofs` })
    const unproven = firstUnproven(entries, proofs, head.root)
    if (unproven !== null) faults.push({ zh: `第 ${unproven} 筆`, en: `entry ${unproven}` })
    const stranger = entries.find(entry => entry.application !== application)
    if (stranger !== undefined) faults.push({ zh: `第 ${stranger.seq} 筆屬於另一案`, en: `entry ${stranger.seq} belongs to another case` })
    // what it says of this log; a log that parted from another has that one's beginning
    const begun = older?.also.find(each => each.origin === head.origin && older.origin !== head.origin) ?? older
    if (begun !== undefined && (consistency?.fromSize !== begun.size || !isConsistent(begun.size, begun.root, head.size, head.root, consistency.path))) faults.push({ zh: '與先前交存的檢查點不連貫', en: 'it does not continue the one deposited before' })
    const broken = proofs.earlier.find(({ fromSize, fromRoot, path }) => fromRoot === null || !isConsistent(fromSize, fromRoot, head.size, head.root, path))
    if (broken !== undefined) faults.push({ zh: `與 ${broken.fromSize} 筆時的檢查點不連貫`, en: `it does not continue the checkpoint of ${broken.fromSize} entries` })
    for (const { path, merkleRoot, auditSeq } of roots) {
      if (auditSeq !== null && entries.find(entry => entry.seq === auditSeq)?.text.includes(merkleRoot) !== true) { faults.push({ zh: `沒有紀錄記載 ${path} 的錄影`, en: `no entry names a segment of ${path}` }); break }
    }
  } catch { faults.push({ zh: '紀錄或證明無法解讀', en: 'entries or proofs cannot be read' }) } // JSON that is none, or of another form
  return { faults, entries: count, head }
}
