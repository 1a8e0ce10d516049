import type { Replacement } from './source-hooks.ts'

/** Bytes of a slot: few enough that a year's footage is hashed in seconds. */
export const SLOT_BYTES = 1 << 16

/**
 * Constants that a simulation of years cannot keep: they bound what a disk is worth, not what the program
 * does.
 */
export const SCALE: readonly Replacement[] = [
  { file: 'src/storage/volume.ts', text: 'MIN_SLOT_BYTES = 1 << 20', by: `MIN_SLOT_BYTES = ${SLOT_BYTES}` },
  // Two fragments a second have overhead worth counting; a few an hour have not.
  { file: 'src/retention/capacity.ts', text: 'const RECORD_BYTES_PER_MS = 0.5', by: 'const RECORD_BYTES_PER_MS = 0' },
  // A site has a hundred segments: footage moves with trusted time in many steps here too.
  { file: 'src/storage/footage-moves.ts', text: 'const ROWS_AT_ONCE = 2000', by: 'const ROWS_AT_ONCE = 10' },
]
