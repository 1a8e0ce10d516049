/** Buffers of fragments, used again: fresh ones of this size would be garbage 30 times a second and each collection costs more than the copying. */
const STEP_BYTES = 64 * 1024
const MAX_POOLED_BYTES = 16 << 20 // enough for what 64 streams have between parser and disk at one instant
const pool = new Map<number, Buffer[]>()
let pooledBytes = 0

const classOf = (bytes: number): number => Math.ceil(bytes / STEP_BYTES) * STEP_BYTES

/** At least `bytes` long, its content arbitrary. */
export function takeBuffer(bytes: number): Buffer {
  const size = classOf(bytes)
  const buffer = pool.get(size)?.pop()
  if (buffer === undefined) return Buffer.allocUnsafeSlow(size)
  pooledBytes -= size
  return buffer
}

/** Only for a buffer from `takeBuffer` that nobody reads or writes any more. */
export function giveBackBuffer(buffer: Buffer): void {
  if (buffer.length !== classOf(buffer.length) || pooledBytes + buffer.length > MAX_POOLED_BYTES) return
  const same = pool.get(buffer.length) ?? []
  pool.set(buffer.length, same)
  same.push(buffer)
  pooledBytes += buffer.length
}
