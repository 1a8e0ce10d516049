import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { CraftedCamera } from './crafted-camera.ts'
import { CRAFTED, type CraftedKind } from './crafted-kinds.ts'

/** Crafted cameras in a process of their own, which what a test does cannot hold up. */
export async function startCraftedCameras(
  kinds: readonly CraftedKind[],
): Promise<AsyncDisposable & { readonly urlOf: (kind: CraftedKind) => string }> {
  const child = spawn(process.execPath, [import.meta.filename, ...kinds], { stdio: ['pipe', 'pipe', 'inherit'] })
  const closed = once(child, 'close')
  const [line] = await Promise.race([once(child.stdout, 'data'),
    closed.then(() => { throw new Error('the crafted cameras did not start') })]) as [Buffer]
  const urls = JSON.parse(line.toString()) as Record<string, string>
  return {
    urlOf: kind => urls[kind]!,
    async [Symbol.asyncDispose]() { child.stdin.end(); child.kill('SIGKILL'); await closed },
  }
}

if (import.meta.main) {
  const urls: Record<string, string> = {}
  for (const kind of process.argv.slice(2) as CraftedKind[]) urls[kind] = (await CraftedCamera.start(CRAFTED[kind])).url
  console.log(JSON.stringify(urls))
  process.stdin.resume().once('end', () => process.exit(0)) // who started it is gone
}
