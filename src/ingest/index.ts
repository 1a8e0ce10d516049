export { Ingest } from './ingest.ts'
export type { IngestOptions, StreamReport } from './ingest.ts'
export { CameraRelay } from './rtsp/index.ts'
