import type { TimedFragment } from '../../src/footage/index.ts'
import { builtFragment, builtInit, timedFragment } from '../../test/support/fragments.ts'
import type { InitSegment } from '../../src/media/index.ts'

const FRAMES = 2
const MARKS = 5
const inits = new Map<number, InitSegment>()

/** Parameter sets of a picture so wide; the same ones for the same width. */
export function initOf(width: number): InitSegment {
  let init = inits.get(width)
  if (init === undefined) inits.set(width, init = builtInit({ width }))
  return init
}

export interface FragmentFacts { readonly init: InitSegment, readonly name: string, readonly dataBytes: number, readonly durationMs: number, readonly mediaMs: number, readonly runId: number, readonly startAt: number }

/**
 * Pictures that are zeros but for their name at a few places: what is torn shows, and the rest needs no
 * memory.
 */
export function madeFragment({ init, name, dataBytes, durationMs, mediaMs, runId, startAt }: FragmentFacts): TimedFragment {
  const fragment = builtFragment({ init, name, dataBytes, frames: FRAMES, durationMs, decodeTimeMs: mediaMs })
  const data = fragment.buffer.subarray(fragment.moofAt + fragment.moofBytes + 8, fragment.endAt)
  const mark = Buffer.from(`${name} `)
  data.fill(0)
  for (let i = 0; i < MARKS; i++) mark.copy(data, Math.floor((data.length - mark.length) * i / (MARKS - 1)))
  return timedFragment(init, fragment, { runId, startAt })
}
