export { planClip, writeClip } from './clip.ts'
export type { ClipPart, ClipRecord, ClipResult, FootageSource } from './clip.ts'
export { writeClipFile } from './clip-file.ts'
export type { ClipSubject } from './clip-file.ts'
