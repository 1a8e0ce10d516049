import path from 'node:path'
import { parseSize } from '../config/index.ts'
import { FatalError, NAME_PATTERN, volumeId } from '../domain/index.ts'
import { realFileSystem } from '../platform/file-system.ts'
import { initVolume } from '../storage/index.ts'

const DEFAULT_SLOT_SIZE = '64MiB'

export interface VolumeInitOptions { readonly folder: string, readonly id: string, readonly size: string, readonly slotSize?: string | undefined, readonly out: { write(text: string): unknown } }

/** `custos volume init`: allocates a volume once. Throws FatalError with the remedy. */
export async function volumeInit({ folder, id, size, slotSize = DEFAULT_SLOT_SIZE, out }: VolumeInitOptions): Promise<number> {
  const bytesOf = (name: string, text: string): number => {
    const bytes = parseSize(text)
    if (bytes === null) throw new FatalError('CUSTOS_BAD_SIZE', `--${name} ${JSON.stringify(text)} is no size`, { remedy: `Write a number and a unit, e.g. --${name} ${name === 'size' ? '4TiB' : DEFAULT_SLOT_SIZE}.` })
    return bytes
  }
  if (!NAME_PATTERN.test(id)) throw new FatalError('CUSTOS_BAD_NAME', `--id ${JSON.stringify(id)} is no volume name`, { remedy: 'Use 1-40 of a-z, 0-9, - and _, e.g. --id disk1.' })
  const volume = await initVolume(realFileSystem, {
    folder: path.resolve(folder), id: volumeId(id), sizeBytes: bytesOf('size', size), slotSizeBytes: bytesOf('slot-size', slotSize), now: new Date(),
  })
  const { slotCount, slotSizeBytes } = volume.identity
  out.write(`已建立儲存區 ${id}：${slotCount} 個槽，每槽 ${slotSizeBytes} 位元組\nvolume ${id} is ready: ${slotCount} slots of ${slotSizeBytes} bytes\n`)
  return 0
}
