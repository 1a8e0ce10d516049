export { connectLink } from './client.ts'
export type { ConnectOptions } from './client.ts'
export { LinkClosedError, LinkTimeoutError, LinkVersionError } from './errors.ts'
export { MOST_MEDIA_BYTES } from './frame.ts'
export { liveFrameHead, readLiveFrame } from './live-frame.ts'
export type { LiveFrame, LiveHead } from './live-frame.ts'
export {
  LINK_VERSION, MOST_ADVANCES_TOLD, MOST_CAMERAS_A_PAGE, MOST_FAULTS, MOST_LEASES, MOST_LOST_ITEMS, MOST_MANIFEST_BYTES, MOST_ROWS_A_PAGE, MOST_WATCHES, REQUESTS,
} from './messages.ts'
export type {
  ActorMessage, Answer, Ask, DeviceMessage, FoundMarkMessage, GapMarkMessage, HoldMessage, OfficeFactsMessage,
  RequestName,
  RowMarkMessage, SealedSegmentMessage, SegmentMessage,
} from './messages.ts'
export { LinkPeer } from './peer.ts'
export type { Asker, Handlers, HandlersFor, LinkRole } from './peer.ts'
export { LinkServer } from './server.ts'
