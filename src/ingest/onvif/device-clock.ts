import { isIP } from 'node:net'
import type { ClockOffset } from './clock-offset.ts'
import { withOnvifSession, type OnvifTarget } from './onvif-session.ts'

/** Where the device is to get its time from: a server of the office, or once from this machine. */
export type ClockSource = { readonly kind: 'ntp', readonly server: string } | { readonly kind: 'once' }

export interface ClockSetting { readonly before: ClockOffset | null, readonly after: ClockOffset | null }

/**
 * Sets the clock of a device and reads it again. Throws OnvifError, or the signal's reason; what was set
 * before that stays.
 */
export async function setDeviceClock(target: OnvifTarget, source: ClockSource): Promise<ClockSetting> {
  return await withOnvifSession(target, async session => {
    const before = await session.readClock()
    if (source.kind === 'ntp') {
      const version = isIP(source.server)
      await session.setTimeServer({ name: source.server, type: version === 4 ? 'IPv4'
        : version === 6 ? 'IPv6' : 'DNS' })
      await session.setClock(null)
    } else await session.setClock(target.clock.wallNow())
    return { before, after: await session.readClock() }
  })
}
