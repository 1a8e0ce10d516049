/** A hold in force of one camera. `stream` null: all of its streams. */
export interface HeldRange { readonly stream: string | null, readonly fromAt: number, readonly toAt: number }

/** Sorted, of one stream or of all. */
interface Ends { readonly froms: number[], readonly tos: number[] }

/** How many of these holds overlap a span of a stream: counted by their ends, so that many spans are cheap. */
export function countHolds(holds: readonly HeldRange[]): (stream: string, startAt: number, endAt: number) => number {
  const byStream = new Map<string | null, Ends>()
  for (const { stream, fromAt, toAt } of holds) {
    const ends = byStream.get(stream) ?? { froms: [], tos: [] }
    byStream.set(stream, ends)
    ends.froms.push(fromAt)
    ends.tos.push(toAt)
  }
  for (const { froms, tos } of byStream.values()) for (const ends of [froms, tos]) ends.sort((a, b) => a - b)
  return (stream, startAt, endAt) => [null, stream].reduce((sum, name) => {
    const ends = byStream.get(name)
    // Whatever is over by the start has begun before the end.
    return ends === undefined ? sum : sum + countBelow(ends.froms, endAt) - countBelow(ends.tos, startAt + 1)
  }, 0)
}

/** Of sorted whole numbers. */
function countBelow(sorted: readonly number[], limit: number): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle]! < limit) low = middle + 1
    else high = middle
  }
  return low
}
