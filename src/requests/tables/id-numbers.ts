import type { Db } from '../../platform/catalogue.ts'

export interface SealedNumber { readonly version: number, readonly place: string, readonly masked: string, readonly sealed: Buffer }

/** Table `application_id_number`. */
export function idNumberTable(db: Db) {
  const insert = db.prepare<[string, number, string, string, Buffer]>('INSERT INTO application_id_number (number, version, place, masked, sealed) VALUES (?, ?, ?, ?, ?)')
  const all = db.prepare<[string], SealedNumber>('SELECT version, place, masked, sealed FROM application_id_number WHERE number = ? ORDER BY version DESC, place')
  const some = db.prepare<[], number>('SELECT 1 FROM application_id_number LIMIT 1').pluck()
  return {
    add(number: string, row: SealedNumber): void { insert.run(number, row.version, row.place, row.masked, row.sealed) },
    /** Of all versions, the newest first. */
    of: (number: string): SealedNumber[] => all.all(number),
    hasAny: (): boolean => some.get() !== undefined,
  }
}
