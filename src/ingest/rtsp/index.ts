export { CameraRelay } from './camera-relay.ts'
export type { RelayTicket } from './camera-relay.ts'
