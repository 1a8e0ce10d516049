import fc from 'fast-check'
import t, { type Test } from 'tap'
import { CheckpointBook, checkpointTable, noteText, parseCheckpoints, signedTextOf, verifyAuditLog, type AuditEntry, type Checkpoint } from '../../src/audit/index.ts'
import { epochMs } from '../../src/domain/index.ts'
import { dropGuards, event, fill, openLog, type LogRig } from './support/log.ts'
import { forge, rechained, resign } from './support/forger.ts'

/** A log of so many entries with a signed checkpoint at its start and one at its end; that one is also outside. */
function kept(t: Test, count: number): LogRig & { outside: Checkpoint } {
  const rig = openLog(t)
  const book = new CheckpointBook(rig)
  book.openKey(rig.folder)
  book.make('start')
  fill(rig, count - 1) // the key is the first entry
  const outside = parseCheckpoints(noteText(signedTextOf(book.make('day', '2026-11-22'))!))[0]!
  return { ...rig, outside }
}

t.test('an untouched log is unbroken, with and without a checkpoint from outside, also after it grew', async t => {
  const rig = kept(t, 600)
  t.match(verifyAuditLog(rig.db), { entries: 600, checkpoints: 2, outsideSize: null, fault: null })
  fill(rig, 200)
  t.match(verifyAuditLog(rig.db, [rig.outside]), { entries: 800, outsideSize: 600, fault: null, root: rig.log.tree.root(800) })
})

t.test('an empty log is unbroken', async t => {
  const rig = openLog(t)
  t.match(verifyAuditLog(rig.db), { entries: 0, fault: null })
  new CheckpointBook(rig).make('start')
  t.match(verifyAuditLog(rig.db), { entries: 0, checkpoints: 1, fault: null })
})

const COUNT = 300
type Trick = { readonly kind: 'edit' | 'delete' | 'insert' | 'swap' | 'cut', readonly at: number, readonly field: number }
const trick: fc.Arbitrary<Trick> = fc.record({ kind: fc.constantFrom('edit', 'delete', 'insert', 'swap', 'cut'), at: fc.integer({ min: 1, max: COUNT - 2 }), field: fc.integer({ min: 0, max: 8 }) })

const EDITS: readonly ((entry: AuditEntry) => AuditEntry)[] = [
  entry => ({ ...entry, at: epochMs(entry.at + 1) }), entry => ({ ...entry, trustedAt: epochMs(7) }), entry => ({ ...entry, clock: 'agreed' }),
  entry => ({ ...entry, actor: { ...entry.actor, name: '別人' } }), entry => ({ ...entry, actor: { ...entry.actor, role: '主任' } }), entry => ({ ...entry, action: 'slot.kept' }),
  entry => ({ ...entry, object: null }), entry => ({ ...entry, result: 'refused' }), entry => ({ ...entry, detail: '{"number":-1}' }),
]

function played(entries: readonly AuditEntry[], { kind, at, field }: Trick): AuditEntry[] {
  const out = [...entries]
  if (kind === 'edit') out[at] = EDITS[field]!(out[at]!)
  else if (kind === 'delete') out.splice(at, 1)
  else if (kind === 'insert') out.splice(at, 0, { ...out[at]!, detail: '{"slipped":"in"}' })
  else if (kind === 'swap') [out[at], out[at + 1]] = [out[at + 1]!, out[at]!]
  else out.length = at
  return out
}

/** Runs `work` and takes back whatever it did to the database. */
function undone<Result>({ db }: LogRig, work: () => Result): Result {
  db.exec('SAVEPOINT before')
  try { return work() } finally { db.exec('ROLLBACK TO before; RELEASE before') }
}

t.test('a plain edit, deletion or exchange is found without any checkpoint, and the entry is named', async t => {
  const rig = kept(t, COUNT)
  fc.assert(fc.property(trick.filter(({ kind }) => kind !== 'insert' && kind !== 'cut'), given => undone(rig, () => {
    forge(rig.db, entries => played(entries, given).map((entry, index) => given.kind === 'swap' ? { ...entry, seq: index + 1 } : entry))
    const { fault } = verifyAuditLog(rig.db)
    return fault?.seq === given.at + 1 && { edit: 'content', delete: 'missing', swap: 'chain' }[given.kind as 'edit'] === fault.kind
  })), { numRuns: 60 })
  t.match(verifyAuditLog(rig.db), { fault: null }, 'the original is as it was')
})

t.test('whoever computes all hashes anew is found by the stored checkpoint, and with the stolen key by the one outside', async t => {
  const rig = kept(t, COUNT)
  fc.assert(fc.property(trick, given => undone(rig, () => {
    forge(rig.db, entries => rechained(played(entries, given)))
    const without = verifyAuditLog(rig.db)
    resign(rig.db, rig.folder)
    const inside = verifyAuditLog(rig.db)
    const outside = verifyAuditLog(rig.db, [rig.outside])
    return without.fault !== null && inside.fault === null && outside.outsideSize === null && (outside.fault?.kind === 'rewritten' || outside.fault?.kind === 'cut-off')
  })), { numRuns: 40 })
  t.match(verifyAuditLog(rig.db, [rig.outside]), { fault: null, outsideSize: COUNT })
})

t.test('two checkpoints from outside tell between which entries it happened', async t => {
  const rig = kept(t, COUNT)
  fill(rig, 100)
  const later = signedTextOf(new CheckpointBook(rig).make('day', '2026-11-23'))!
  rig.db.exec('DROP TRIGGER audit_checkpoint_is_never_deleted; DELETE FROM audit_checkpoint')
  forge(rig.db, entries => rechained(entries.map(entry => entry.seq === 350 ? { ...entry, detail: '{"number":-1}' } : entry)))
  rig.db.exec('DELETE FROM audit_tile')
  resign(rig.db, rig.folder)
  const { fault, outsideSize } = verifyAuditLog(rig.db, [later, rig.outside])
  t.match(fault, { kind: 'rewritten', en: /entries 301 to 400/, zh: /第 301 至 400 筆/ })
  t.equal(outsideSize, 300)
})

t.test('a cut-off end shows against a checkpoint inside or outside', async t => {
  const rig = kept(t, COUNT)
  forge(rig.db, entries => entries.slice(0, 280))
  t.match(verifyAuditLog(rig.db).fault, { kind: 'cut-off', seq: 281, en: /ends with entry 280.*were 300/, zh: /結尾被截斷/ })
  resign(rig.db, rig.folder)
  t.match(verifyAuditLog(rig.db), { fault: null }, 'inside, the thief can hide it')
  t.match(verifyAuditLog(rig.db, [rig.outside]).fault, { kind: 'cut-off', seq: 281 })
})

t.test('each other forgery has its own name', async t => {
  const rig = kept(t, 600)
  const broken = (sql: string) => undone(rig, () => {
    dropGuards(rig.db)
    rig.db.exec(sql)
    return verifyAuditLog(rig.db, [rig.outside]).fault
  })
  t.match(broken(''), { kind: 'guards', seq: null, en: /audit_entry_is_never_changed/ })
  t.match(broken('UPDATE audit_tile SET hash = zeroblob(32) WHERE position = 1'), { kind: 'tile', seq: 512, en: /entries 257 to 512/ })
  t.match(broken('DELETE FROM audit_tile WHERE position = 0'), { kind: 'tile', seq: 256 })
  t.match(broken('UPDATE audit_entry SET prev_hash = zeroblob(32) WHERE seq = 77'), { kind: 'chain', seq: 77 })
  t.match(broken('UPDATE audit_entry SET hash = zeroblob(32) WHERE seq = 77'), { kind: 'content', seq: 77 })
  t.match(broken('UPDATE audit_entry SET at = 9007199254740991 WHERE seq = 77'), { kind: 'unreadable' })
  t.match(broken('UPDATE audit_checkpoint SET root = zeroblob(32) WHERE size = 600'), { kind: 'stored-checkpoint', seq: 600 })
  t.match(broken("UPDATE audit_checkpoint SET body = replace(body, 'time 2026', 'time 2025') WHERE size = 600"), { kind: 'stored-checkpoint', seq: 600 })
  t.match(broken('UPDATE audit_checkpoint SET signature = zeroblob(70) WHERE size = 600'), { kind: 'stored-signature', seq: 600 })
  t.match(broken("UPDATE audit_key SET fingerprint = 'f' || substr(fingerprint, 2, 62) || 'f'"), { kind: 'unknown-key' })
  t.match(broken("UPDATE audit_log SET id = '0123456789abcdef'"), { kind: 'other-log', zh: /另一份紀錄/ })
  const other = { ...rig.outside, signature: Buffer.from(rig.outside.signature!) }
  other.signature[20]! ^= 1
  t.match(verifyAuditLog(rig.db, [other]).fault, { kind: 'outside-signature' })
  t.match(verifyAuditLog(rig.db, [{ ...rig.outside, body: rig.outside.body.replace('600', '599'), size: 599 }]).fault, { kind: 'outside-signature' })
  t.match(verifyAuditLog(rig.db, [{ ...rig.outside, signature: null, keyFingerprint: null, at: null, lastHash: null }]), { fault: null, outsideSize: 600 }, 'three lines typed from paper')
  t.equal(verifyAuditLog(rig.db, [rig.outside]).fault, null)
})

t.test('an entry that another program adds while the walk goes on is no fault', async t => {
  const rig = kept(t, 50)
  const real = rig.log
  const table = checkpointTable(rig.db)
  real.append(event())
  new CheckpointBook(rig).make('entries')
  t.match(verifyAuditLog(rig.db), { entries: 51, fault: null })
  t.equal(table.bySize().length, 3)
})
