const MAX_LINES = 200_000
const LINE = /^(\\?)([0-9a-fA-F]{64}) [ *](.+)$/

/** SHA256SUMS in the form of coreutils: path to hex. Null where a line is no such line, or a path stands twice. */
export function parseSums(text: string): ReadonlyMap<string, string> | null {
  const sums = new Map<string, string>()
  const lines = text.split('\n', MAX_LINES + 1)
  if (lines.length > MAX_LINES) return null
  for (const line of lines) {
    if (line === '' || line === '\r') continue
    const match = LINE.exec(line.endsWith('\r') ? line.slice(0, -1) : line)
    if (match === null) return null
    const [, escaped, hex = '', given = ''] = match
    const name = (escaped === '' ? given : given.replace(/\\([\\nr])/g, (_, c: string) => c === 'n' ? '\n' : c === 'r' ? '\r' : '\\')).replace(/^\.\//, '')
    if (sums.has(name)) return null
    sums.set(name, hex.toLowerCase())
  }
  return sums
}
