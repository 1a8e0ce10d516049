import { mkdtemp, rm } from 'node:fs/promises'
import path from 'node:path'

/** Runs `work` with names in a folder of its own, which is gone afterwards; `prefix` begins the folder's path. Throws what `work` throws, and when no folder can be made. */
export async function inScratch<Result>(prefix: string, work: (file: (name: string) => string) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(prefix)
  try { return await work(name => path.join(folder, name)) } finally { await rm(folder, { recursive: true, force: true }).catch(() => undefined) } // what came of the work stands
}
