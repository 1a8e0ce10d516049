/** Changes of one letter each that lead from `a` to `b`; a swap of neighbours counts once. */
export function editDistance(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let best = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, before[j - 2]! + 1)
      row.push(best)
    }
    before = last
    last = row
  }
  return last[b.length]!
}

const MAX_WORD_CHARS = 60

/** The candidate a hurried hand may have meant by `word`, or null. Upper and lower case count as equal. */
export function nearestOf(word: string, candidates: Iterable<string>): string | null {
  if (word.length > MAX_WORD_CHARS) return null
  const wanted = word.toLowerCase()
  let nearest: string | null = null
  let nearestDistance = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of candidates) {
    const distance = editDistance(wanted, candidate.toLowerCase())
    if (distance < nearestDistance) { nearest = candidate; nearestDistance = distance }
  }
  return nearest
}
