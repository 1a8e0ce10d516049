import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, renameSync, rmdirSync, statSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
export const sh = async (command: string, args: readonly string[]): Promise<string> => (await run(command, args, { encoding: 'utf8' })).stdout.trim()

const IMAGE_MIB = { ext4: 48, xfs: 320 } // XFS makes no smaller one
const FILL_CHUNK_BYTES = 1 << 20

/** A disk of its own for the volume that suffers. */
export interface Disk extends AsyncDisposable {
  readonly kind: 'ext4' | 'xfs' | 'folder'
  readonly mountPoint: string
  mount(): Promise<void>
  unmount(): Promise<void>
  readonly image: string
  device(): Promise<string>
}

export interface DiskOptions { readonly name?: string, readonly sizeMiB?: number }

/** An image file with a file system in it, loop-mounted: needs root. `folder`: a plain folder in place of a mount. */
export async function makeDisk(kind: Disk['kind'], folder: string, options: DiskOptions = {}): Promise<Disk> {
  const { name = 'bad', sizeMiB } = options
  const mountPoint = path.join(folder, name), image = path.join(folder, `${name}.img`)
  const unmount = async () => { await run('umount', [mountPoint]).catch(() => undefined) } // not mounted: as wanted
  const disk: Disk = {
    kind, mountPoint, image, unmount,
    mount: async () => {
      if (kind === 'folder') return
      await run('mount', ['-o', kind === 'ext4' ? 'loop,errors=remount-ro' : 'loop', image, mountPoint])
    },
    device: () => sh('findmnt', ['-n', '-o', 'SOURCE', '--mountpoint', mountPoint]),
    [Symbol.asyncDispose]: unmount,
  }
  if (kind === 'folder') return disk
  mkdirSync(mountPoint)
  writeFileSync(image, '')
  truncateSync(image, (sizeMiB ?? IMAGE_MIB[kind]) * 2 ** 20)
  await run(`mkfs.${kind}`, ['-q', image])
  await disk.mount()
  if (kind === 'ext4') rmdirSync(path.join(mountPoint, 'lost+found'))
  return disk
}

/** What befalls a disk while it is recorded to, and how a person mends it. */
export interface Strike {
  readonly name: string
  readonly disk: Disk['kind']
  readonly strike: (disk: Disk) => Promise<void>
  readonly repair: (disk: Disk) => Promise<void>
  /** Whether recording to it must go on as if nothing were. */
  readonly isHarmless?: true
  /** Whether the disk is dead and what only it held is gone. */
  readonly isDead?: true
}

const remount = async (disk: Disk) => { await disk.unmount(); await disk.mount() }

export const STRIKES: readonly Strike[] = [
  { name: 'ext4 filled from beside', disk: 'ext4', strike: fill, repair: async disk => { unlinkSync(path.join(disk.mountPoint, 'filler')) }, isHarmless: true },
  { name: 'XFS filled from beside', disk: 'xfs', strike: fill, repair: async disk => { unlinkSync(path.join(disk.mountPoint, 'filler')) }, isHarmless: true },
  {
    name: 'ext4 turned read-only by the kernel (EROFS)', disk: 'ext4',
    strike: async disk => { writeFileSync(`/sys/fs/ext4/${path.basename(await disk.device())}/trigger_fs_error`, '1') },
    repair: async disk => { await disk.unmount(); await run('e2fsck', ['-fy', disk.image]).catch(() => undefined); await disk.mount() },
  },
  { name: 'XFS shut down by the kernel (EIO)', disk: 'xfs', strike: async disk => { await run('xfs_io', ['-x', '-c', 'shutdown', disk.mountPoint]) }, repair: remount },
  { name: 'ext4 unmounted lazily, an empty folder left', disk: 'ext4', strike: async disk => { await run('umount', ['-l', disk.mountPoint]) }, repair: async disk => { await disk.mount() } },
  {
    name: 'the disk under ext4 cut short (EIO)', disk: 'ext4',
    strike: async disk => {
      truncateSync(disk.image, 6 << 20)
      await run('losetup', ['-c', await disk.device()])
    },
    repair: () => Promise.resolve(), isDead: true,
  },
  {
    name: 'the folder replaced by an empty one', disk: 'folder',
    strike: async disk => { renameSync(disk.mountPoint, `${disk.mountPoint}.away`); mkdirSync(disk.mountPoint) },
    repair: async disk => { rmdirSync(disk.mountPoint); renameSync(`${disk.mountPoint}.away`, disk.mountPoint) },
  },
]

/** To the last byte. Again: what has become free since is taken too. */
export async function fill({ mountPoint }: Pick<Disk, 'mountPoint'>): Promise<void> {
  const filler = await open(path.join(mountPoint, 'filler'), 'a')
  try {
    for (let chunkBytes = FILL_CHUNK_BYTES; chunkBytes >= 512;) {
      try { await filler.write(Buffer.alloc(chunkBytes, 1)) } catch (error) {
        if ((error as { code?: string }).code !== 'ENOSPC') throw error
        chunkBytes >>= 1
      }
    }
    await filler.sync().catch(() => undefined)
  } finally { await filler.close() }
  if (statSync(path.join(mountPoint, 'filler')).size === 0) throw new Error('nothing could be filled')
}

/** Disposal thaws. */
export interface Frozen extends AsyncDisposable { thaw(): Promise<void> }

/**
 * Freezes the file system under a mount point: a process that writes there waits, and cannot even be killed. It is
 * thawed when this process ends, however it ends, if not before. Needs root.
 */
export async function freeze(mountPoint: string): Promise<Frozen> {
  const script = 'trap "" INT TERM HUP; fsfreeze -f "$1" && echo frozen; cat >/dev/null; fsfreeze -u "$1"'
  const stdio = ['pipe', 'pipe', 'inherit'] as const
  const child = spawn('sh', ['-c', script, 'sh', mountPoint], { stdio: [...stdio], detached: true })
  const gone = once(child, 'exit')
  const thaw = async () => {
    child.stdin.end() // ends cat
    await gone
  }
  const said = await Promise.race([once(child.stdout, 'data'), gone.then(() => null)])
  if (said === null) throw new Error(`${mountPoint} could not be frozen`)
  return { thaw, [Symbol.asyncDispose]: thaw }
}
