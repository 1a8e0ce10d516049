import { tableLines } from '../health/index.ts'
import { CameraSurvey } from '../ingest/index.ts'
import { systemClock } from '../platform/clock.ts'
import type { Output } from './audit-access.ts'

const HEADS = ['位址 address', '連接埠 port', '名稱 name', '硬體 hardware'] as const

/**
 * `custos cameras discover`: who answers ONVIF's question on the networks of this machine. Connects to
 * nobody.
 */
export async function camerasDiscover({ json }: { readonly json?: true }, out: Output): Promise<number> {
  const { devices, ignored, unasked } = await new CameraSurvey(systemClock).discover()
  const sorted = devices.toSorted((a, b) => a.address.localeCompare(b.address, 'en', { numeric: true }))
  if (json === true) { out.write(`${JSON.stringify({ devices: sorted, ignored, unasked }, null, 2)}\n`); return 0 }
  const rows = sorted.map(({ address, port, name, hardware }) =>
    [address, port === null ? '–' : String(port), name || '–', hardware || '–'])
  out.write(`${tableLines(HEADS.map(head => ({ head, align: 'left' })), rows).join('\n')}\n`)
  out.write(`共 ${sorted.length} 部；以 custos cameras probe 位址 查看。/ `
    + `${sorted.length} devices; look at one with custos cameras probe ADDRESS.\n`)
  if (unasked.length > 0) out.write(`這些網路無法詢問：${unasked.join('、')}。/ These networks could not be asked: `
    + `${unasked.join(', ')}.\n`)
  return 0
}
