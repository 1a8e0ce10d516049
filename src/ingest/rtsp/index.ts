export { CameraRelay, type RelayTicket } from './camera-relay.ts'
export { RelayFault } from './relay-fault.ts'
export { describeStream } from './stream-description.ts'
export type { StreamDescription } from './stream-description.ts'
