import { createPrivateKey, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { entryHash, entryText, entryTable, signedTextOf, type AuditEntry, type StoredCheckpoint, checkpointTable } from '../../../src/audit/index.ts'
import type { Db } from '../../../src/platform/catalogue.ts'
import { rootOf, subtreesOf } from '../../../src/platform/merkle.ts'
import { dropGuards } from './log.ts'

const triggersOf = (db: Db): string[] => db.prepare<[], string>("SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name LIKE 'audit_%'").pluck().all()

/** Replaces the whole log by `entries`, without guards, and puts the guards back: what somebody with root can do. */
export function forge(db: Db, change: (entries: AuditEntry[]) => AuditEntry[]): void {
  const before = entryTable(db).after(0, 1_000_000)
  const guards = triggersOf(db)
  dropGuards(db)
  db.exec('DELETE FROM audit_entry')
  const after = change(before)
  const table = entryTable(db)
  db.transaction(() => { for (const entry of after) table.insert(entry) })()
  for (const sql of guards) db.exec(sql)
}

/** Numbers and hashes the entries anew, so that the chain looks whole. */
export function rechained(entries: readonly AuditEntry[]): AuditEntry[] {
  let prevHash: Buffer = Buffer.alloc(32)
  return entries.map((entry, index) => {
    const whole = { ...entry, seq: index + 1, prevHash }
    prevHash = entryHash(entryText(whole))
    return { ...whole, hash: prevHash }
  })
}

/** Tiles and checkpoints anew over the entries there are, signed with the recorder's own key: all that a thief of the whole machine can do. */
export function resign(db: Db, stateDir: string): void {
  const key = createPrivateKey(readFileSync(path.join(stateDir, 'keys/audit-key.pem')))
  const entries = entryTable(db).after(0, 1_000_000)
  const subtrees = subtreesOf(entries.map(entry => entry.hash))
  const guards = triggersOf(db)
  dropGuards(db)
  db.exec('DELETE FROM audit_tile')
  for (let position = 0; (position + 1) * 256 <= entries.length; position++) db.prepare('INSERT INTO audit_tile VALUES (1, ?, ?)').run(position, rootOf(subtreesOf(entries.slice(position * 256, (position + 1) * 256).map(entry => entry.hash)), 256))
  const table = checkpointTable(db)
  for (const stored of table.bySize()) {
    if (stored.size > entries.length) { db.prepare('DELETE FROM audit_checkpoint WHERE checkpoint_id = ?').run(stored.id); continue }
    const fresh = forgedBody(stored, rootOf(subtrees, stored.size), entries[stored.size - 1]?.hash ?? Buffer.alloc(32))
    db.prepare('UPDATE audit_checkpoint SET root = ?, body = ?, signature = ? WHERE checkpoint_id = ?').run(fresh.root, fresh.body, sign('sha256', Buffer.from(fresh.body), key), stored.id)
  }
  for (const sql of guards) db.exec(sql)
}

function forgedBody(stored: StoredCheckpoint, root: Buffer, lastHash: Buffer): { root: Buffer, body: string } {
  const text = signedTextOf(stored)!
  return { root, body: stored.body.replace(text.root.toString('base64'), root.toString('base64')).replace(/^last .*$/m, `last ${lastHash.toString('hex')}`) }
}
