import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Test } from 'tap'

/** What poppler, a reader that is not ours, makes of a PDF. */
export function readPdf(t: Test, pdf: Buffer) {
  const folder = mkdtempSync(path.join(tmpdir(), 'custos-paper-'))
  t.teardown(() => { rmSync(folder, { recursive: true, force: true }) })
  const file = path.join(folder, 'paper.pdf')
  writeFileSync(file, pdf)
  const run = (program: string, ...args: readonly string[]): string => execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  const info = run('pdfinfo', file)
  const fonts = run('pdffonts', file).split('\n').slice(2).filter(line => line !== '').map(line => {
    const [name = '', ...rest] = line.split(/\s+/)
    return { name, embedded: rest.at(-5), subset: rest.at(-4), unicode: rest.at(-3) }
  })
  const text = run('pdftotext', '-raw', file, '-')
  return {
    info, fonts, text,
    /** Blanks and line ends apart, which no reader keeps. */
    flat: text.replace(/\s/gu, ''),
    pages: Number(/Pages:\s+(\d+)/.exec(info)?.[1]), size: /Page size:\s+([\d.]+) x ([\d.]+)/.exec(info)?.slice(1, 3).map(pt => Math.round(Number(pt) / 72 * 25.4)),
  }
}
export const flat = (text: string): string => text.replace(/\s/gu, '')
