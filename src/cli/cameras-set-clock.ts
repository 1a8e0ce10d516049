import { AuditLog } from '../audit/index.ts'
import { formatProblems, isHost, loadConfig } from '../config/index.ts'
import { FatalError, type AuditActor, type AuditEvent, type CameraConfig,
  type OnvifSource } from '../domain/index.ts'
import { OnvifError, setDeviceClock } from '../ingest/index.ts'
import { openCatalogueBeside } from '../platform/catalogue.ts'
import { systemClock } from '../platform/clock.ts'
import { openHostClock } from '../trusted-time/index.ts'
import { actingPerson } from './acting-person.ts'
import type { Output } from './audit-access.ts'

export interface CamerasSetClockOptions {
  readonly config: string
  readonly by: string
  readonly ntp?: string
}

const refused = (message: string, remedy: string): FatalError =>
  new FatalError('CUSTOS_CAMERA_CLOCK_REFUSED', message, { remedy })

/**
 * `custos cameras set-clock ID`: the camera's clock by ONVIF. The intention and the result each are an audit
 * entry.
 */
export async function camerasSetClock(id: string, { config: file, by, ntp }: CamerasSetClockOptions,
  out: Output): Promise<number> {
  const result = await loadConfig(file)
  if (!result.ok) { out.write(formatProblems(result.problems)); return 2 }
  const { cameras, state } = result.config
  const camera = cameras.find(each => each.id === id)
  const source = camera?.streams.map(stream => stream.source).find(each => each.kind === 'onvif')
  if (camera === undefined || source === undefined) {
    throw refused(`沒有以 ONVIF 設定的鏡頭「${id}」。/ No camera ${JSON.stringify(id)} is configured with onvif`,
      '以 custos cameras 查看鏡頭。/ See the cameras with custos cameras.')
  }
  if (ntp !== undefined && !isHost(ntp)) throw refused(
    '--ntp 須為主機名稱或 IP 位址。/ --ntp must be a host or an IP address',
      '例如 --ntp 10.0.0.5。/ Such as --ntp 10.0.0.5.')
  if (ntp === undefined && (await openHostClock().askSync()).isSynchronised !== true) {
    throw refused(
      '本機未與時間伺服器同步，不以其時間設定攝影機。/ '
        + 'This machine is not synchronised, so its time is not given to a camera',
      '啟用 chrony，或以 --ntp 指定時間伺服器。/ Enable chrony, or name a time server with --ntp.')
  }
  const actor = actingPerson(by, '--by')
  using catalogue = openCatalogueBeside(state.dir, 'write')
  const audit = new AuditLog({ db: catalogue.db, clock: systemClock })
  const note = (action: string, outcome: AuditEvent['result'], detail: AuditEvent['detail']): void => {
    audit.transaction(() => { audit.append({ action, actor, object: camera.id, application: null,
      result: outcome, detail: { ntp: ntp ?? null, ...detail } }) })
  }
  note('camera.clock-setting', 'done', {}) // before it: what cannot be written down is not done [G10]
  return await setAndNote({ camera, source, ntp, note, actor }, out)
}

interface Setting {
  readonly camera: CameraConfig
  readonly source: OnvifSource
  readonly ntp: string | undefined
  readonly actor: AuditActor
  readonly note: (action: string, outcome: AuditEvent['result'], detail: AuditEvent['detail']) => void
}

async function setAndNote({ camera, source, ntp, note }: Setting, out: Output): Promise<number> {
  const target = { host: source.host, port: source.port, credential: camera.credential, clock: systemClock,
    signal: new AbortController().signal }
  try {
    const { before, after } = await setDeviceClock(target, ntp === undefined ? { kind: 'once' }
      : { kind: 'ntp', server: ntp })
    const [beforeMs, afterMs] = [before?.offsetMs ?? null, after?.offsetMs ?? null]
    note('camera.clock-set', 'done', { beforeMs, afterMs })
    const seconds = (ms: number | null): string => ms === null ? '–' : `${(ms / 1000).toFixed(1)} s`
    const [was, is] = [seconds(beforeMs), seconds(afterMs)]
    out.write(`已設定：時鐘差由 ${was} 變為 ${is}。/ Set: the clock was ${was} off and is ${is} off.\n`)
    return 0
  } catch (error) {
    if (error instanceof OnvifError) note('camera.clock-set', 'failed', { code: error.code })
    throw error
  }
}
