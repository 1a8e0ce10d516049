import type { SimDisk } from '../disk.ts'

/** The identity file at a volume's root; null where there is none. */
export function identityOf(disk: SimDisk): { readonly id: string, readonly uuid: string } | null {
  const text = disk.texts.get('custos-volume.json')
  return text === undefined ? null : JSON.parse(text) as { id: string, uuid: string }
}

/** Ids of the holds that the volume's own file names. */
export function holdsOn(disk: SimDisk): ReadonlySet<string> {
  const text = disk.texts.get('custos-holds.json')
  if (text === undefined) return new Set()
  try { return new Set((JSON.parse(text) as { holds: { id: string }[] }).holds.map(hold => hold.id)) } catch { return new Set() }
}
