import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'

const BOOT_ID = '/proc/sys/kernel/random/boot_id'
const OF_A_START = 'start-'

/**
 * The kernel's name of this boot. The unit hands it over, for its sandbox hides the file, and the recorder to its
 * office. Where nobody tells it, each start counts as a boot of its own: more waits for belief, nothing ages early.
 */
export function bootIdOf(env: { readonly [name: string]: string | undefined }, file: string = BOOT_ID): string {
  const given = env['CUSTOS_BOOT_ID']?.toLowerCase() ?? ''
  if (given.startsWith(OF_A_START) && /^[0-9a-f-]{36}$/.test(given.slice(OF_A_START.length))) return given
  const boot = given.replaceAll('-', '')
  if (/^[0-9a-f]{32}$/.test(boot)) return boot
  try { return readFileSync(file, 'utf8').trim().replaceAll('-', '') } catch { return `${OF_A_START}${randomUUID()}` }
}
