/** The upper one of two in the middle; null of none. */
export function median(values: readonly number[]): number | null {
  return values.length === 0 ? null : [...values].sort((a, b) => a - b)[values.length >> 1]!
}
