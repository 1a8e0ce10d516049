import { formatProblems, loadConfig } from '../config/index.ts'
import { isoOf } from '../domain/index.ts'
import type { SeenDevice } from '../footage/index.ts'
import { tableLines } from '../health/index.ts'
import { openCatalogueBeside } from '../platform/catalogue.ts'
import { cameraChannels, lastDevices } from '../storage/index.ts'
import type { Output } from './audit-access.ts'
import { localText } from './local-time.ts'

export interface CamerasOptions { readonly config: string, readonly csv?: true, readonly json?: true }
interface Line {
  readonly id: string
  readonly name: string
  readonly place: string | null
  readonly device: SeenDevice | null
  /** ONVIF's token of the lens. */
  readonly channel: string | null }

const HEADS = ['編號 id', '鏡頭名稱 name', '設置區位 place', '廠牌 maker', '型號 model', '韌體 firmware', '序號 serial',
  '鏡頭來源 lens', '最近回報 last told'] as const

/** `custos cameras`: 列冊 of the configured cameras with place and device (R82), beside a running recorder or without one. No address, no account. */
export async function cameras({ config: file, csv, json }: CamerasOptions, out: Output): Promise<number> {
  const result = await loadConfig(file, { secrets: 'skip' })
  if (!result.ok) { out.write(formatProblems(result.problems)); return 2 }
  const { cameras: configured, site: { timezone }, state } = result.config
  using catalogue = openCatalogueBeside(state.dir, 'read')
  const deviceOf = lastDevices(catalogue.db), channelOf = cameraChannels(catalogue.db)
  const lines = configured.map(({ id, name, place }): Line =>
    ({ id, name, place, device: deviceOf(id), channel: channelOf(id) }))
  if (json === true) for (const line of lines) out.write(`${JSON.stringify({ ...line, device: line.device === null ? null : { ...line.device, firstSeenAt: isoOf(line.device.firstSeenAt), lastSeenAt: isoOf(line.device.lastSeenAt) } })}\n`)
  else {
    const rows = lines.map(line => cellsOf(line, timezone))
    if (csv === true) for (const row of [HEADS, ...rows]) out.write(`${row.map(csvCell).join(',')}\r\n`)
    else out.write(`${tableLines(HEADS.map(head => ({ head, align: 'left' })), rows.map(row => row.map(cell => cell === '' ? '–' : cell))).join('\n')}\n`)
  }
  return 0
}

const cellsOf = ({ id, name, place, device, channel }: Line, timezone: string): string[] =>
  [id, name, place ?? '', device?.maker ?? '', device?.model ?? '', device?.firmware ?? '', device?.serial
    ?? '', channel ?? '', device === null ? '' : localText(device.lastSeenAt, timezone)]

/** A device may call itself `=cmd…`: a spreadsheet must take no cell for a formula. */
const csvCell = (text: string): string => `"${(/^[=+\-@\t]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`
