export { ITEM_KINDS, isItemNo } from './item.ts'
export type { ArchivedRange, ArchiveFacts, ArchiveItem, CountsFrom, DestructionBox, DestructionRecord, DestructionSignature, Filed, ItemHold, ItemKind, ItemNo } from './item.ts'
export type { ArchivedFile, ArchivePort, ArchiveReading } from './port.ts'
export { ArchiveFullError, ArchiveItemError, ArchiveRefusedError, ArchiveUnavailableError } from './errors.ts'
