import { epochMs, type EpochMs } from '../domain/index.ts'
import { MalformedMediaError } from './box.ts'

/** Where a record's media time stands on the wall: its first frame, whose wall time is a whole millisecond. */
export interface MediaZero { readonly startAt: EpochMs, readonly ticks: bigint, readonly timescale: number }

/**
 * The instant of a sample: the whole millisecond that it begins in. A range of whole milliseconds then holds an instant (`from <= instant < to`) exactly if it holds the unrounded time;
 * rounding to the nearest would let out what begins up to half a millisecond before the range. Reckoned in whole numbers: no fraction is lost on the way. Throws MalformedMediaError.
 */
export function instantOf(zero: MediaZero, ticks: bigint, timescale: number): EpochMs {
  const own = BigInt(timescale), zeroScale = BigInt(zero.timescale)
  const shiftMs = Number(floorOf((ticks * zeroScale - zero.ticks * own) * 1000n, own * zeroScale))
  try { return epochMs(zero.startAt + shiftMs) } catch { throw new MalformedMediaError(`a frame ${shiftMs} ms from the first one of its record`) }
}

function floorOf(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor
  return value < 0n && quotient * divisor !== value ? quotient - 1n : quotient
}
