import { connect, type TLSSocket } from 'node:tls'

/**
 * TLS to a camera. Its certificate is its own and proves nothing, and old ones speak TLS 1.0 with short keys:
 * what is worth
 * protecting, the password, goes over it as a digest.
 */
export function connectCameraTls({ host, port }: {
  readonly host: string, readonly port: number }): TLSSocket {
  return connect({ host, port, rejectUnauthorized: false, minVersion: 'TLSv1',
    ciphers: 'DEFAULT:@SECLEVEL=0' })
}
