import { createPrivateKey, generateKeyPairSync, X509Certificate, type KeyObject } from 'node:crypto'
import { chmod, mkdir, open, readFile, rename } from 'node:fs/promises'
import { hostname } from 'node:os'
import path from 'node:path'
import type { ConsoleTls } from '../config/index.ts'
import { isoOf, epochMs, type EpochMs } from '../domain/index.ts'
import { runOpenssl } from '../platform/openssl.ts'
import { syncFolder } from '../platform/publish-file.ts'
import { ConsoleTlsError } from './errors.ts'

/** PEM. `fingerprint`: SHA-256 of the certificate, as browsers show it. */
export interface Credentials { readonly cert: string, readonly key: string, readonly fingerprint: string, readonly endsAt: EpochMs, readonly names: readonly string[] }

const DAY_MS = 86_400_000
/** Browsers refuse longer ones. */
const LIFETIME_DAYS = 397
const RENEW_BEFORE_MS = 30 * DAY_MS
const MOST_PEM_BYTES = 256 * 1024

/** The certificate to use now; null without TLS. Throws ConsoleTlsError, OpensslError. */
export async function credentialsFor({ tls, stateDir, host, now }: { readonly tls: ConsoleTls, readonly stateDir: string, readonly host: string, readonly now: EpochMs }): Promise<Credentials | null> {
  if (tls === 'off') return null
  return tls === 'auto' ? await ownCredentials({ stateDir, host, now }) : await givenCredentials(tls, now)
}

async function givenCredentials({ cert, key }: { readonly cert: string, readonly key: string }, now: EpochMs): Promise<Credentials> {
  const certText = await readPem(cert, 'certificate'), keyText = await readPem(key, 'private key')
  const credentials = paired(certText, keyText, { cert, key })
  if (credentials.endsAt <= now) throw new ConsoleTlsError(`the certificate in ${cert} ended on ${isoOf(credentials.endsAt).slice(0, 10)}`)
  return credentials
}

/** Made once and kept; made anew with the same key before it ends. */
async function ownCredentials({ stateDir, host, now }: { readonly stateDir: string, readonly host: string, readonly now: EpochMs }): Promise<Credentials> {
  const folder = path.join(stateDir, 'keys'), files = { cert: path.join(folder, 'console.crt'), key: path.join(folder, 'console.key') }
  await mkdir(folder, { recursive: true, mode: 0o700 })
  let keyText = await readFile(files.key, 'utf8').catch(absent)
  if (keyText === null) {
    keyText = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    await publish(files.key, keyText, 0o600)
  } else await chmod(files.key, 0o600)
  const certText = await readFile(files.cert, 'utf8').catch(absent)
  if (certText !== null) {
    const standing = paired(certText, keyText, files)
    if (standing.endsAt - now > RENEW_BEFORE_MS && namesOf(host).every(name => standing.names.includes(name))) return standing
  }
  const alternative = namesOf(host).map(name => /^[\d.]+$|:/.test(name) ? `IP:${name}` : `DNS:${name}`).join(',')
  const made = await runOpenssl(['req', '-x509', '-new', '-key', files.key, '-sha256', '-days', String(LIFETIME_DAYS), '-subj', `/O=Custos/CN=${hostname().slice(0, 60)}`, '-addext', `subjectAltName=${alternative}`, '-addext', 'extendedKeyUsage=serverAuth'])
  await publish(files.cert, made.toString('latin1'), 0o644)
  return paired(made.toString('latin1'), keyText, files)
}

/** What people may type: the machine's name, the address listened on, and this machine itself. */
const namesOf = (host: string): readonly string[] => [...new Set([hostname(), 'localhost', '127.0.0.1', '::1', ...(['0.0.0.0', '::'].includes(host) ? [] : [host])].map(name => name.toLowerCase()))]

function paired(certText: string, keyText: string, files: { readonly cert: string, readonly key: string }): Credentials {
  let cert: X509Certificate, key: KeyObject
  try { cert = new X509Certificate(certText) } catch (cause) { throw new ConsoleTlsError(`${files.cert} holds no certificate in PEM form`, cause) }
  try { key = createPrivateKey(keyText) } catch (cause) { throw new ConsoleTlsError(`${files.key} holds no private key that can be used without a password`, cause) }
  if (!cert.checkPrivateKey(key)) throw new ConsoleTlsError(`the private key in ${files.key} does not belong to the certificate in ${files.cert}`)
  const names = (cert.subjectAltName ?? '').split(', ').map(entry => { const [kind, name = ''] = entry.split(/:(.*)/s); return kind === 'IP Address' ? shortAddress(name) : name.toLowerCase() })
  return { cert: certText, key: keyText, fingerprint: cert.fingerprint256, endsAt: epochMs(cert.validToDate.getTime()), names }
}
/** `0:0:0:0:0:0:0:1` is printed long there. */
const shortAddress = (text: string): string => text.includes(':') ? new URL(`http://[${text}]`).hostname.slice(1, -1) : text

async function readPem(file: string, what: string): Promise<string> {
  const handle = await open(file, 'r').catch((cause: NodeJS.ErrnoException) => { throw new ConsoleTlsError(`the ${what} ${file} cannot be read (${cause.code ?? 'unknown'})`, cause) })
  try {
    const { size, mode } = await handle.stat()
    if (size > MOST_PEM_BYTES) throw new ConsoleTlsError(`${file} is no ${what}: it is larger than ${MOST_PEM_BYTES / 1024} KiB`)
    if (what === 'private key' && (mode & 0o007) !== 0) throw new ConsoleTlsError(`everybody on this machine can read the private key ${file}`)
    return await handle.readFile('utf8')
  } finally { await handle.close() }
}

/** Written beside, synced, renamed: a reader sees the old one or the new one. */
async function publish(file: string, text: string, mode: number): Promise<void> {
  const fresh = `${file}.${process.pid}.new`
  const handle = await open(fresh, 'w', mode)
  try { await handle.chmod(mode); await handle.writeFile(text); await handle.sync() } finally { await handle.close() }
  await rename(fresh, file)
  await syncFolder(path.dirname(file))
}

function absent(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null
  throw new ConsoleTlsError(`a file of state.dir/keys cannot be read (${error.code ?? 'unknown'})`, error)
}
