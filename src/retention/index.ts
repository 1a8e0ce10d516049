export { floorRuleText, keepUntil, parseFloorRule } from './keep-until.ts'
export type { FloorRule } from './keep-until.ts'
export { mayReuse } from './guard.ts'
export type { ReuseCandidate, ReuseVerdict } from './guard.ts'
