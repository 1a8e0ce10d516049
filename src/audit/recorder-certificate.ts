import { createPublicKey, X509Certificate } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { runOpenssl } from '../platform/openssl.ts'
import { inScratch } from '../platform/scratch.ts'
import { keyFolderOf, type SigningKey } from './signing-key.ts'

const KEY_FILE = 'audit-key.pem', CERT_FILE = 'recorder-cert.pem'
/**
 * An archive copy and the case it belongs to may outlive the machine; trust comes by the posted fingerprint, not
 * by a date.
 */
const VALID_DAYS = 10_950
const SUBJECT_MOST_CHARS = 60

/** Two detached signatures over the same bytes. */
export interface PackageSignatures {
  /** ECDSA P-256 with SHA-256, DER. */
  readonly signature: Buffer
  /** CMS, DER, with the time of signing: the recorder's own word. */
  readonly cms: Buffer
}

/**
 * The recorder's key with a certificate of its own, for tools that want one. Everything happens in
 * `stateDir/keys`; the private key goes to openssl as the path of a 0600 file, never as an argument.
 */
export class RecorderCertificate {
  readonly #folder: string
  readonly #key: SigningKey
  readonly pem: string

  private constructor(folder: string, key: SigningKey, pem: string) {
    this.#folder = folder
    this.#key = key
    this.pem = pem
  }

  /**
   * Made on first use, and again when the key was replaced. Throws OpensslError, the error of the file system.
   */
  static async open(stateDir: string, key: SigningKey, officeName: string): Promise<RecorderCertificate> {
    const folder = keyFolderOf(stateDir), file = path.join(folder, CERT_FILE)
    const found = textOf(file)
    if (found !== null && isOf(found, key)) return new RecorderCertificate(folder, key, found)
    const name = officeName.replace(/[^\p{L}\p{N} .-]/gu, ' ').slice(0, SUBJECT_MOST_CHARS).trim() || 'Custos'
    const pem = (await runOpenssl([
      'req', '-new', '-x509', '-utf8', '-key', path.join(folder, KEY_FILE), '-sha256',
      '-days', String(VALID_DAYS), '-subj', `/O=${name}/CN=Custos recorder ${key.fingerprint.slice(0, 16)}`,
      '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,digitalSignature,keyCertSign',
    ])).toString()
    if (!isOf(pem, key)) throw new TypeError('the certificate that was made is of another key')
    publish(file, pem)
    return new RecorderCertificate(folder, key, pem)
  }

  get publicPem(): string { return this.#key.publicPem }
  get fingerprint(): string { return this.#key.fingerprint }

  /** Throws OpensslError, the error of the file system. */
  async sign(content: Buffer): Promise<PackageSignatures> {
    const cms = await inScratch(path.join(this.#folder, '.cms-'), async file => {
      await writeFile(file('content'), content, { mode: 0o600 })
      await writeFile(file('cert.pem'), this.pem, { mode: 0o600 })
      return await runOpenssl([
        'cms', '-sign', '-binary', '-in', file('content'), '-signer', file('cert.pem'),
        '-inkey', path.join(this.#folder, KEY_FILE), '-md', 'sha256', '-outform', 'DER',
      ])
    })
    return { signature: this.#key.sign(content), cms }
  }
}

function isOf(pem: string, key: SigningKey): boolean {
  try {
    return new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' }).equals(createPublicKey(key.publicPem).export({ type: 'spki', format: 'der' }))
  } catch { return false } // what is no certificate
}

function textOf(file: string): string | null {
  try { return readFileSync(file, 'utf8') } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** Whole or not at all, also after a crash. */
function publish(file: string, text: string): void {
  const fresh = `${file}.${process.pid}.new`
  rmSync(fresh, { force: true })
  const handle = openSync(fresh, 'wx', 0o644)
  try { writeSync(handle, text); fsyncSync(handle) } finally { closeSync(handle) }
  renameSync(fresh, file)
  const folder = openSync(path.dirname(file), 'r')
  try { fsyncSync(folder) } finally { closeSync(folder) }
}
