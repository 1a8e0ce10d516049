import { epochMs, type EpochMs } from '../../domain/index.ts'
import type { HttpAnswer } from './soap-transport.ts'
import { descend, textAt, type XmlElement } from './xml-element.ts'

/** How far the device's clock is ahead of ours (negative: behind), true within plus or minus `uncertaintyMs`. */
export interface ClockOffset {
  readonly offsetMs: number
  readonly uncertaintyMs: number
  readonly measuredAt: EpochMs
}

/** GetSystemDateAndTime gives whole seconds: what it calls t lies anywhere in [t, t + 1 s). */
const RESOLUTION_MS = 1000

/** The device's date, null when the answer holds none that exists. `isUtc` is false for devices that tell local time only. */
export function readDeviceTime(response: XmlElement): { readonly at: EpochMs, readonly isUtc: boolean } | null {
  const utc = instantOf(descend(response, 'SystemDateAndTime', 'UTCDateTime'))
  if (utc !== null) return { at: utc, isUtc: true }
  const local = instantOf(descend(response, 'SystemDateAndTime', 'LocalDateTime'))
  return local === null ? null : { at: local, isUtc: false }
}

function instantOf(dateTime: XmlElement | undefined): EpochMs | null {
  const number = (...path: string[]): number => {
    const text = textAt(dateTime, ...path)
    return text !== undefined && /^\d{1,4}$/.test(text) ? Number(text) : NaN
  }
  const [year, month, day] = [number('Date', 'Year'), number('Date', 'Month'), number('Date', 'Day')]
  const [hour, minute, second] = [number('Time', 'Hour'), number('Time', 'Minute'), number('Time', 'Second')]
  const midnight = new Date(Date.UTC(year, month - 1, day)) // which counts 31 February on into March
  const isDate = year >= 1970 && midnight.getUTCMonth() === month - 1 && midnight.getUTCDate() === day
  const isTime = hour <= 24 && minute <= 59 && second <= 60
  return isDate && isTime ? epochMs(Date.UTC(year, month - 1, day, hour, minute, second)) : null
}

/** Device time (the middle of its second) minus the middle of our request; uncertain by half the round trip and half that second. */
export function offsetOf(deviceTime: EpochMs, exchange: Pick<HttpAnswer, 'sentAt' | 'roundTripMs'>): ClockOffset {
  const halfTripMs = exchange.roundTripMs / 2
  return {
    offsetMs: Math.round(deviceTime + RESOLUTION_MS / 2 - (exchange.sentAt + halfTripMs)),
    uncertaintyMs: Math.ceil(halfTripMs + RESOLUTION_MS / 2),
    measuredAt: exchange.sentAt,
  }
}
