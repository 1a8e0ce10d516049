import { createHash, createPublicKey, X509Certificate, type KeyObject } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { OpensslError, runOpenssl } from '../../platform/openssl.ts'
import { inScratch } from '../../platform/scratch.ts'

export function keyOf(pem: string): KeyObject | null {
  try {
    const key = createPublicKey(pem)
    return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? key : null
  } catch { return null } // what is no key
}

export const fingerprintOf = (key: KeyObject): string => createHash('sha256').update(key.export({ type: 'spki', format: 'der' })).digest('hex')

export function certificateKey(pem: string): string | null {
  try { return fingerprintOf(new X509Certificate(pem).publicKey) } catch { return null }
}

/** Fingerprint of who signed `content` in `cms`, whatever chain the CMS itself brings; null when it does not hold up to `certificate`. Throws OpensslError when that could not be found out: no fault of the package. */
export async function cmsSigner(content: Buffer, cms: Buffer, certificate: string): Promise<string | null> {
  try {
    return await inScratch(path.join(tmpdir(), 'custos-verify-'), async file => {
      await Promise.all([writeFile(file('content'), content), writeFile(file('cms'), cms), writeFile(file('cert'), certificate)])
      await runOpenssl(['cms', '-verify', '-binary', '-inform', 'DER', '-in', file('cms'), '-content', file('content'), '-CAfile', file('cert'), '-purpose', 'any', '-signer', file('signer'), '-out', '/dev/null'])
      return certificateKey(await readFile(file('signer'), 'utf8').catch(() => ''))
    })
  } catch (error) {
    if (error instanceof OpensslError && error.exitCode !== null) return null
    throw error instanceof OpensslError ? error : new OpensslError(`nothing can be written to ${tmpdir()}`, { cause: error })
  }
}
