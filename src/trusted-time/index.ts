export { TrustedTime } from './trusted-time.ts'
