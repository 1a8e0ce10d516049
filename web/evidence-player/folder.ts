import type { BlobLike } from './bytes.ts'

/** A path of a file that the user handed over, and the file. */
export interface GivenFile<T extends BlobLike = BlobLike> { readonly path: string, readonly file: T }

export interface GivenPackage<T extends BlobLike = BlobLike> {
  readonly files: ReadonlyMap<string, T>
  /** Files were given one by one, without the folders they belong in. */
  readonly isLoose: boolean
  readonly outside: number
}

/** Finds the package in what was handed over: the folder of the topmost manifest.json, or everything. */
export function packageOf<T extends BlobLike>(given: readonly GivenFile<T>[]): GivenPackage<T> {
  const clean = given.map(({ path, file }) => ({ path: path.replaceAll('\\', '/').replace(/^\/+/, '').normalize('NFC'), file }))
  const depth = (path: string): number => path.split('/').length
  const manifest = clean.map(({ path }) => path).filter(path => path === 'manifest.json' || path.endsWith('/manifest.json')).sort((a, b) => depth(a) - depth(b))[0]
  const first = clean[0]?.path.split('/')[0] ?? ''
  const root = manifest !== undefined ? manifest.slice(0, -'manifest.json'.length) : clean.length > 0 && clean.every(({ path }) => path.startsWith(`${first}/`)) ? `${first}/` : ''
  const inside = clean.filter(({ path }) => path.startsWith(root))
  return {
    files: new Map(inside.map(({ path, file }) => [path.slice(root.length), file])),
    isLoose: clean.length > 0 && clean.every(({ path }) => !path.includes('/')), outside: clean.length - inside.length,
  }
}

/** Loose files get the paths that the manifest has for their names, where only one fits. */
export function placeLoose<T extends BlobLike>(files: ReadonlyMap<string, T>, paths: readonly string[]): ReadonlyMap<string, T> {
  const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)
  return new Map([...files].map(([name, file]) => {
    const fitting = paths.filter(path => nameOf(path) === name)
    return [fitting.length === 1 ? fitting[0]! : name, file]
  }))
}
