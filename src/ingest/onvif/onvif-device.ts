import type { ClockOffset } from './clock-offset.ts'
import { chooseProfile, type MediaProfile, type ProfileChoice } from './media-profile.ts'
import { withOnvifSession, type OnvifSession, type OnvifTarget } from './onvif-session.ts'
import { readStreamUri, type StreamUri } from './stream-uri.ts'
import { textAt } from './xml-element.ts'

/** As the device writes it; empty where it says nothing. */
export interface DeviceInformation {
  readonly manufacturer: string
  readonly model: string
  readonly firmwareVersion: string
  readonly serialNumber: string
}

/** What a device is and how its encoders are set. */
export interface DeviceReport {
  readonly information: DeviceInformation
  readonly profiles: readonly MediaProfile[]
  readonly clockOffset: ClockOffset | null
}

/** A stream ready to be recorded. */
export interface FoundStream extends StreamUri {
  readonly profile: MediaProfile
  readonly clockOffset: ClockOffset | null
  /** SHA-256 of the certificate that the device showed; null over plain HTTP. */
  readonly certificate: string | null
}

/** Where the chosen stream of the device is to be fetched, asked anew each time: addresses and settings change. Throws OnvifError, or the signal's reason. */
export async function findStream(target: OnvifTarget, choice: ProfileChoice): Promise<FoundStream> {
  return await withOnvifSession(target, async session => {
    const clockOffset = await session.readClock()
    const { service, profiles } = await session.listProfiles()
    const profile = chooseProfile(profiles, choice)
    const told = await session.streamUriText(service, profile.token)
    return { ...readStreamUri(told, target.host, session.deviceText), profile, clockOffset,
      certificate: session.certificate }
  })
}

/** Device information, profiles and clock in one session. Throws OnvifError, or the signal's reason. */
export async function inspectDevice(target: OnvifTarget): Promise<DeviceReport> {
  return await withOnvifSession(target, async session => {
    const clockOffset = await session.readClock()
    const information = await informationOf(session)
    const { profiles } = await session.listProfiles()
    return { information, profiles, clockOffset }
  })
}

/** What the device says it is. Throws OnvifError, or the signal's reason. */
export async function readInformation(target: OnvifTarget): Promise<DeviceInformation> {
  return await withOnvifSession(target, async session => {
    await session.readClock()
    return await informationOf(session)
  })
}

async function informationOf(session: OnvifSession): Promise<DeviceInformation> {
  const response = await session.information()
  const fact = (name: string): string => session.deviceText.forFact(textAt(response, name) ?? '')
  return { manufacturer: fact('Manufacturer'), model: fact('Model'), firmwareVersion: fact('FirmwareVersion'), serialNumber: fact('SerialNumber') }
}

/** One request, for the regular sampling of the camera's clock. Null when the device tells no UTC time. Throws OnvifError, or the signal's reason. */
export async function measureClockOffset(target: OnvifTarget): Promise<ClockOffset | null> {
  return await withOnvifSession(target, session => session.readClock())
}
