import { randomBytes } from 'node:crypto'
import { chmodSync, closeSync, constants, fchmodSync, fstatSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import path from 'node:path'

const KEY_BYTES = 32

/** A key of 32 bytes in a file of its own, mode 0600; null when there is none. Throws the error of the file system, RangeError for a file of another length. */
export function readKeyFile(file: string): Buffer | null {
  let handle: number
  try { handle = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW) } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  try {
    if ((fstatSync(handle).mode & 0o077) !== 0) fchmodSync(handle, 0o600)
    const key = readFileSync(handle)
    if (key.length !== KEY_BYTES) throw new RangeError(`it has ${key.length} bytes in place of ${KEY_BYTES}`)
    return key
  } finally { closeSync(handle) }
}

/** Makes the key, or takes the one somebody else made just now: written beside and linked into place, so that two at once end with one. */
export function makeKeyFile(file: string): Buffer {
  const folder = path.dirname(file)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const key = randomBytes(KEY_BYTES), fresh = `${file}.${process.pid}.new`
  rmSync(fresh, { force: true }) // of a predecessor with this pid that was killed here
  const handle = openSync(fresh, 'wx', 0o600)
  try { writeSync(handle, key); fsyncSync(handle) } finally { closeSync(handle) }
  chmodSync(fresh, 0o600) // whatever the umask took
  try { linkSync(fresh, file) } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return readKeyFile(file) ?? key
  } finally { rmSync(fresh, { force: true }) }
  const sync = openSync(folder, 'r')
  try { fsyncSync(sync) } finally { closeSync(sync) }
  return key
}
