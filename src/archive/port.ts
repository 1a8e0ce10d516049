import type { Acting } from '../access/index.ts'
import type { ArchiveFacts, ArchiveItem, ItemNo } from './item.ts'

/** What makes copies needs of the archive. `Archive` is one. */
export interface ArchivePort {
  /**
   * Pins a copy of the folder, encrypted, read back and compared before it counts; durable on return. The folder stays as it is and the caller's. The same footage of the same application put again is the item it made.
   * Right and grant are the caller's to ask; the act is entered in the name of who acts. Throws ArchiveFullError (nothing was removed to make room), ArchiveRefusedError, ArchiveUnavailableError, StorageError, AuditUnavailableError.
   */
  put(acting: Acting, ask: { readonly folder: string, readonly facts: ArchiveFacts }): Promise<ArchiveItem>
  /** Null when there is none of that number; destroyed ones are told too. */
  get(itemNo: ItemNo): ArchiveItem | null
  ofApplication(application: string): readonly ArchiveItem[]
  /**
   * Opens an item for reading, in order, after an entry of who does. The caller's fence has let it through. Content is hashed while it is read: the last file ends with an error unless all is as it was put in.
   * Throws ArchiveItemError when it is gone, changed or destroyed.
   */
  read(acting: Acting, itemNo: ItemNo): Promise<ArchiveReading>
}

/** Read each file to its end before the next; dispose of it, also when not read to the end. While it is open the item is not destroyed. */
export interface ArchiveReading extends AsyncDisposable {
  readonly item: ArchiveItem
  readonly files: AsyncIterable<ArchivedFile>
}
export interface ArchivedFile { readonly path: string, readonly bytes: number, readonly content: AsyncIterable<Buffer> }
