const LOOPBACK = String.raw`(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?`
const LOOPBACK_HOST = new RegExp(`^${LOOPBACK}$`, 'i')
const LOOPBACK_ORIGIN = new RegExp(`^https?://${LOOPBACK}$`, 'i')
const LOOPBACK_LISTEN = /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/i

/** Whether an address to listen on is reachable from this machine only. */
export const isLoopbackAddress = (host: string): boolean => LOOPBACK_LISTEN.test(host)

/** The address as it stands in a URL. */
export const urlHost = (host: string): string => host.includes(':') ? `[${host}]` : host

/**
 * Whether a request may be answered. The Host check stops a foreign page that points its own name at 127.0.0.1 (DNS rebinding),
 * the Origin check a foreign page that opens a websocket here, which no same-origin rule prevents.
 */
export function isFromThisMachine(headers: { readonly host?: string | undefined, readonly origin?: string | undefined }): boolean {
  if (headers.host === undefined || !LOOPBACK_HOST.test(headers.host)) return false
  return headers.origin === undefined || LOOPBACK_ORIGIN.test(headers.origin)
}
