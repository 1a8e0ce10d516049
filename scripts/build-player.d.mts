/** Where the committed page stands. */
export const TARGET: string
/** The whole page, from web/evidence-player. */
export function buildPlayer(): string
