import { isIP } from 'node:net'
import { isLoopback } from '../config/index.ts'
import { foreignPage } from './errors.ts'

/** `name:8443`, `[::1]:8443` or a bare name, without the port and in small letters. */
function nameIn(hostHeader: string): string | null {
  const match = /^(?:\[(?<six>[0-9a-f:.]{2,45})\]|(?<name>[a-z0-9._-]{1,253}))(?::\d{1,5})?$/.exec(hostHeader.toLowerCase())
  return match?.groups?.['six'] ?? match?.groups?.['name'] ?? null
}

/**
 * Names this console answers to. A page of a foreign name that was made to resolve to this machine (DNS rebinding) is refused by its name;
 * an address cannot be rebound, so every literal address is taken.
 */
export class OwnNames {
  readonly #names: ReadonlySet<string>
  constructor(names: Iterable<string>) { this.#names = new Set([...names].map(name => name.toLowerCase())) }

  has(hostHeader: string | undefined): boolean {
    const name = nameIn(hostHeader ?? '')
    return name !== null && (isIP(name) !== 0 || isLoopback(name) || this.#names.has(name))
  }
}

export interface Facing { readonly host: string | undefined, readonly origin: string | undefined, readonly fetchSite: string | undefined, readonly isUnsafe: boolean, readonly isTls: boolean }

/** Throws ConsoleRefusal for what no page of this console sends. Programs send no Origin; browsers always do with a change. */
export function requireOwnPage({ host, origin, fetchSite, isUnsafe, isTls }: Facing, names: OwnNames): void {
  if (!names.has(host)) throw foreignPage('此名稱不是本系統的位址。', 'this is not a name of this console')
  if (!isUnsafe) return
  if (origin !== undefined && origin.toLowerCase() !== `${isTls ? 'https' : 'http'}://${(host ?? '').toLowerCase()}`) throw foreignPage('請求來自其他網站。', 'the request comes from a page of another site')
  if (fetchSite !== undefined && fetchSite !== 'same-origin' && fetchSite !== 'none') throw foreignPage('請求來自其他網站。', 'the request comes from a page of another site')
}
