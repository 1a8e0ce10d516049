import { FatalError } from '../domain/index.ts'
import { tableLines } from '../health/index.ts'
import { discoverDevices } from '../ingest/index.ts'
import { systemClock } from '../platform/clock.ts'
import type { Output } from './audit-access.ts'

const LISTEN_MS = 4_000
const HEADS = ['位址 address', '連接埠 port', '名稱 name', '硬體 hardware'] as const

/**
 * `custos cameras discover`: who answers ONVIF's question on the networks of this machine. Connects to
 * nobody.
 */
export async function camerasDiscover({ json }: { readonly json?: true }, out: Output): Promise<number> {
  const signal = new AbortController().signal
  const { devices, ignored } = await discoverDevices({ clock: systemClock, signal, forMs: LISTEN_MS }).catch(
    (error: unknown) => {
    throw new FatalError('CUSTOS_DISCOVERY_FAILED',
      '無法在網路上詢問攝影機。/ The networks cannot be asked for cameras', {
      remedy: '檢查主機的網路介面與防火牆（UDP 3702）。/ '
        + 'Check the network interfaces of this machine and its firewall (UDP 3702).',
      cause: error instanceof Error ? error : undefined,
    })
  })
  const sorted = devices.toSorted((a, b) => a.address.localeCompare(b.address, 'en', { numeric: true }))
  if (json === true) { out.write(`${JSON.stringify({ devices: sorted, ignored }, null, 2)}\n`); return 0 }
  const rows = sorted.map(({ address, port, name, hardware }) =>
    [address, port === null ? '–' : String(port), name || '–', hardware || '–'])
  out.write(`${tableLines(HEADS.map(head => ({ head, align: 'left' })), rows).join('\n')}\n`)
  out.write(`共 ${sorted.length} 部；以 custos cameras probe 位址 查看。/ `
    + `${sorted.length} devices; look at one with custos cameras probe ADDRESS.\n`)
  return 0
}
