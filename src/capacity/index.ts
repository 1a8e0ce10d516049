export { OrderOfSacrifice } from './order-of-sacrifice.ts'
export type { OrderOfSacrificeOptions, SacrificeView, StepView } from './order-of-sacrifice.ts'
export { RingLoad } from './ring-load.ts'
