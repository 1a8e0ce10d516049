import type { Credential } from '../../domain/index.ts'

/** Where a camera's stream is, taken apart. */
export interface CameraAddress {
  readonly isTls: boolean
  /** For the connection; an IPv6 address without brackets, with its zone. */
  readonly host: string
  readonly port: number
  /** For requests: without user part and zone, which mean nothing to the camera. */
  readonly url: string
}

const ADDRESS = /^(rtsps?):\/\/(?:[^@/?#]*@)?(\[[0-9a-f:.]+(?:%[^\]]+)?\]|[^/:?#[\]]+)(?::(\d{1,5}))?([^#]*)/i
const DEFAULT_PORT = { rtsp: 554, rtsps: 322 } as const

/** Null when it is no RTSP address. */
export function cameraAddress(url: string): CameraAddress | null {
  const [, scheme = '', named = '', port, rest = ''] = ADDRESS.exec(url) ?? []
  const kind = scheme.toLowerCase() as keyof typeof DEFAULT_PORT | ''
  if (kind === '') return null
  const host = named.replace(/^\[|\]$/g, '').replace(/%25/g, '%')
  const number = port === undefined ? DEFAULT_PORT[kind] : Number(port)
  if (number < 1 || number > 65_535) return null
  const shown = host.includes(':') ? `[${host.replace(/%.*$/, '')}]` : host
  return { isTls: kind === 'rtsps', host, port: number,
    url: `${kind}://${shown}${port === undefined ? '' : `:${number}`}${rest}` }
}

/** Cameras that want the account in the address have places for it in the configured one. */
export const withAccount = (url: string, account: Credential | null): string => account === null ? url
  : url.replaceAll('{username}', () => encodeURIComponent(account.username))
    .replaceAll('{password}', () => encodeURIComponent(account.password))

/** Whether two addresses are of one host, as far as their texts tell. */
export const isSameHost = (a: CameraAddress, b: CameraAddress): boolean =>
  a.host.toLowerCase() === b.host.toLowerCase()
