import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const ROOT = path.join(import.meta.dirname, '../..')
const SOURCES = pathToFileURL(path.join(ROOT, 'src')).href
const CRYPTO = pathToFileURL(path.join(import.meta.dirname, 'seeded-crypto.ts')).href

/** One text of one source file in place of another. */
export interface Replacement { readonly file: string, readonly text: string, readonly by: string }

/**
 * Must be called before anything of `src` is loaded. The program's random bytes come from the seed from
 * then on, and texts of its sources are replaced as asked.
 * Throws when a text is not in its file exactly once: a planted fault that no longer fits must not pass for
 * one that was not found.
 */
export function hookSources(replacements: readonly Replacement[]): void {
  const texts = new Map<string, string>()
  for (const { file, text, by } of replacements) {
    const url = pathToFileURL(path.join(ROOT, file)).href
    const source = texts.get(url) ?? readFileSync(path.join(ROOT, file), 'utf8')
    const times = source.split(text).length - 1
    if (times !== 1) throw new Error(`${file} has this text ${times} times, once is wanted:\n${text}`)
    texts.set(url, source.replace(text, () => by))
  }
  registerHooks({
    resolve(specifier, context, next) {
      return specifier === 'node:crypto' && context.parentURL?.startsWith(SOURCES) === true ? { url: CRYPTO, format: 'module-typescript', shortCircuit: true } : next(specifier, context)
    },
    load(url, context, next) {
      const source = texts.get(url)
      if (source === undefined) return next(url, context)
      if (!fileURLToPath(url).endsWith('.ts')) throw new Error(`${url} is no TypeScript`)
      return { format: 'module-typescript', source, shortCircuit: true }
    },
  })
}
