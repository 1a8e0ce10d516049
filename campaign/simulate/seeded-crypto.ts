import { createHash } from 'node:crypto'

/** Stands in for `node:crypto` in the program under test: all of it, but for what it draws. */
export * from 'node:crypto'

let seed = '0'
let drawn = 0

export function seedRandomBytes(text: string): void {
  seed = text
  drawn = 0
}

export function randomBytes(size: number): Buffer {
  const parts: Buffer[] = []
  for (let length = 0; length < size; length += 32) parts.push(createHash('sha256').update(`${seed}/${drawn++}`).digest())
  return Buffer.concat(parts).subarray(0, size)
}

export function randomUUID(): string { return randomBytes(16).toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-') }
