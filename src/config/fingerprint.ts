import { stat } from 'node:fs/promises'

/** Changes whenever one of the files may have changed, came or went. Never throws. */
export async function fingerprintOf(files: Iterable<string>): Promise<string> {
  const facts = await Promise.all([...files].map(async file => {
    const found = await stat(file, { bigint: true })
      .catch((error: NodeJS.ErrnoException) => error.code ?? 'unknown')
    if (typeof found === 'string') return found
    return [found.dev, found.ino, found.size, found.mode, found.uid, found.mtimeNs, found.ctimeNs].join(':')
  }))
  return facts.join(' ')
}
