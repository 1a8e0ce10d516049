import type { EpochMs } from '../domain/index.ts'
import { DAY_MS, type Fit, type FloorRule, type Forecast } from '../retention/index.ts'
import type { FloorView } from './views.ts'

export interface FloorFacts {
  readonly floor: FloorRule
  /** Null before the first look at the ring. */
  readonly forecast: Forecast | null
  /** Of the configuration in force. */
  readonly fit: Fit | null
  readonly insisted: boolean
  /** Trusted; null while time is in doubt. */
  readonly now: EpochMs | null
  readonly ringStoppedByFloor: boolean
}

/** What health tells of the floor. While a stream's rate is unknown the forecast is an upper bound, and no figure beats one that is too good. */
export function floorViewOf({ floor, forecast, fit, insisted, now, ringStoppedByFloor }: FloorFacts): FloorView {
  const told = { required: floor.floor, timezone: floor.timezone, insisted, ringStoppedByFloor }
  if (forecast === null || fit === null) {
    return { ...told, forecastDays: null, wrapsAt: null, ageAtWrapDays: null, fits: null, lackingBytes: null, stopsAt: null, stopsInDays: null }
  }
  const lacks = forecast.fits === false || fit.verdict === 'does-not-fit'
  const isSure = forecast.unknown.length === 0
  return {
    ...told,
    forecastDays: isSure || lacks ? forecast.capacityDays : null,
    wrapsAt: isSure ? forecast.wrapsAt : null, ageAtWrapDays: isSure ? forecast.ageAtWrapDays : null,
    fits: lacks ? false : forecast.fits ?? (fit.verdict === 'fits' ? true : null),
    lackingBytes: lacks ? Math.max(forecast.lackingBytes ?? 0, fit.lackingBytes) : forecast.lackingBytes,
    stopsAt: forecast.stopsAt, stopsInDays: forecast.stopsAt === null || now === null ? null : Math.max(0, forecast.stopsAt - now) / DAY_MS,
  }
}
