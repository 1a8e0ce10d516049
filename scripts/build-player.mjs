// Puts web/evidence-player into one file that needs nothing else: src/export/package/assets/player.html. With --check, tells whether the committed one is the same.
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import path from 'node:path'
import { Script } from 'node:vm'

const ROOT = path.join(import.meta.dirname, '..')
const WEB = path.join(ROOT, 'web/evidence-player')
export const TARGET = path.join(ROOT, 'src/export/package/assets/player.html')

const IMPORT = /^import\s*(?:type\s+)?(?:\{[^}]*\}\s*from\s*)?'([^']+)'[ \t]*;?[ \t]*$/gm

/** One module without types, imports and exports; what it imports comes before it. All top-level names share one scope, so each exists once. */
function collect(file, seen, parts) {
  if (seen.has(file)) return
  seen.add(file)
  const script = stripTypeScriptTypes(readFileSync(path.join(WEB, file), 'utf8'))
  if (/\bas\b[^}\n]*\}\s*from/.test(script)) throw new Error(`${file}: imports may not be renamed`)
  for (const [, name] of script.matchAll(IMPORT)) {
    if (!/^\.\/[a-z0-9-]+\.ts$/.test(name)) throw new Error(`${file} imports ${name}: only modules beside it can be put together`)
    collect(name.slice(2), seen, parts)
  }
  const body = script.replace(IMPORT, '').replace(/^export (?=(?:async |class |const |function |let ))/gm, '').split('\n').map(line => line.trimEnd()).filter(line => line !== '').join('\n')
  if (/^(?:import|export)\b/m.test(body)) throw new Error(`${file} has an import or export that cannot be put together`)
  parts.push(`// ${file.replace('.ts', '')}\n${body}`)
}

function bundle(entry, before = '') {
  const parts = []
  collect(entry, new Set(), parts)
  const script = `(() => {\n'use strict'\n${before}${parts.join('\n')}\n})()\n`
  new Script(script, { filename: entry }) // throws on what is no JavaScript, a name that exists twice among it
  return script
}

/** Inline text must not end its own element. */
const inline = script => script.replace(/<\/(?=script)/gi, '<\\/').replace(/<!--/g, '<\\!--')
const hashOf = text => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

export function buildPlayer() {
  const read = file => readFileSync(path.join(WEB, file), 'utf8')
  const script = inline(bundle('page.ts', `const WORKER_SOURCE = ${JSON.stringify(bundle('worker-main.ts'))}\n`))
  const style = read('style.css')
  // Nothing may be loaded and nothing may be sent: no connect-src, no form, no frame, no base.
  const policy = `default-src 'none'; script-src ${hashOf(script)}; style-src ${hashOf(style)}; img-src data: blob:; media-src blob:; worker-src blob:; base-uri 'none'; form-action 'none'`
  const pieces = { CSP: policy, STYLE: style, SCRIPT: script }
  return read('template.html').replace(/%(CSP|STYLE|SCRIPT)%/g, (_, name) => pieces[name])
}

if (import.meta.main) {
  const html = buildPlayer()
  if (process.argv.includes('--check')) {
    const isSame = readFileSync(TARGET, 'utf8') === html
    console.log(isSame ? 'player.html is what its sources make' : 'player.html is not what its sources make: run node scripts/build-player.mjs')
    process.exitCode = isSame ? 0 : 1
  } else {
    mkdirSync(path.dirname(TARGET), { recursive: true })
    writeFileSync(TARGET, html)
    console.log(`${path.relative(ROOT, TARGET)}: ${html.length} characters, SHA-256 ${createHash('sha256').update(html).digest('hex')}`)
  }
}
