import { epochMs, type EpochMs } from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'

/** What became of a message, or is to become of its file. `reason` and `detail` of a rejected one. */
export interface DecidedFile { readonly fileId: number, readonly name: string, readonly sha256: string, readonly outcome: 'accepted' | 'rejected', readonly reason: string | null, readonly detail: string | null }
export interface TakenMessage { readonly system: string, readonly messageId: string, readonly messageSha256: string, readonly keyId: string, readonly application: string, readonly takenAt: EpochMs }
interface RawFile { file_id: number, name: string, sha256: string, outcome: 'accepted' | 'rejected', reason: string | null, detail: string | null }
interface RawMessage { system: string, message_id: string, message_sha256: string, key_id: string, application: string, taken_at: number }

/** Tables `inbox_file` and `inbox_message`. */
export function inboxFileTables(db: Db) {
  const pending = db.prepare<[], RawFile>('SELECT file_id, name, sha256, outcome, reason, detail FROM inbox_file WHERE moved_at IS NULL ORDER BY file_id')
  const insertFile = db.prepare<[string, string, string, string | null, string | null, number]>('INSERT INTO inbox_file (name, sha256, outcome, reason, detail, decided_at) VALUES (?, ?, ?, ?, ?, ?)')
  const moved = db.prepare<[number, number]>('UPDATE inbox_file SET moved_at = ? WHERE file_id = ? AND moved_at IS NULL')
  const message = db.prepare<[string, string], RawMessage>('SELECT * FROM inbox_message WHERE system = ? AND message_id = ?')
  const insertMessage = db.prepare<[string, string, string, string, string, number]>('INSERT INTO inbox_message (system, message_id, message_sha256, key_id, application, taken_at) VALUES (?, ?, ?, ?, ?, ?)')
  return {
    /** Decided, and not known to have been moved: a kill came between. */
    pending: (): DecidedFile[] => pending.all().map(({ file_id: fileId, ...rest }) => ({ fileId, ...rest })),
    decided(file: Omit<DecidedFile, 'fileId'>, at: EpochMs): DecidedFile {
      return { ...file, fileId: Number(insertFile.run(file.name, file.sha256, file.outcome, file.reason, file.detail, at).lastInsertRowid) }
    },
    moved: (fileId: number, at: EpochMs): void => { moved.run(at, fileId) },
    message(system: string, messageId: string): TakenMessage | null {
      const raw = message.get(system, messageId)
      return raw === undefined ? null : { system, messageId, messageSha256: raw.message_sha256, keyId: raw.key_id, application: raw.application, takenAt: epochMs(raw.taken_at) }
    },
    take(taken: TakenMessage): void { insertMessage.run(taken.system, taken.messageId, taken.messageSha256, taken.keyId, taken.application, taken.takenAt) },
  }
}
