/** Loads all that `run` loads, so that its compiled code is kept (NODE_COMPILE_CACHE) and the first start is as quick and as small as every later one. */
export async function warmUp(): Promise<number> {
  await Promise.all([import('./run.ts'), import('./office.ts')])
  return 0
}
