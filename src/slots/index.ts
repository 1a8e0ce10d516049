export {
  cameraClockOffsetOf, decodeRecord, decodeSlotStart, encodeSlotStart, encodeTrailer, FREE_HEADER_BYTES, freeHeader,
  mfraBytesOf, RECORD_HEAD_BYTES, sha256, SLOT_START_MAX_BYTES, trailerBytes, writeRecordHead,
} from './slot-format.ts'
export type { IndexEntry, RecordLabel, SegmentIndex, SlotHeader, SlotStart } from './slot-format.ts'
export {
  endOfFootage, MAX_RECORDS_PER_SLOT, readSlot, readSlotStart, readTrailer, roomTicksOf, walkRecords,
} from './slot-walk.ts'
export type { SlotContent, SlotFootage } from './slot-walk.ts'
