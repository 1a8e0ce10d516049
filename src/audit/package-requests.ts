import { createHash } from 'node:crypto'
import { FatalError, RetryableError, SYSTEM } from '../domain/index.ts'
import { MOST_MANIFEST_BYTES, type Handlers } from '../link/index.ts'
import type { AuditLog } from './audit-log.ts'
import type { RecorderCertificate } from './recorder-certificate.ts'

/** Begins the `format` of every manifest; no checkpoint is JSON, so none is signed in this way. */
const FORMAT = /^custos-evidence\/\d+$/

export interface PackageRequestsOptions {
  readonly log: Pick<AuditLog, 'append'>
  /** Rejects while the key cannot be used. */
  readonly certificate: () => Promise<RecorderCertificate>
}

/** The recorder has no key that it can sign with. */
export class SigningKeyAwayError extends RetryableError {
  constructor() {
    super('CUSTOS_SIGNING_KEY_AWAY', '本機的簽章金鑰無法使用。/ the signing key of this recorder cannot be used', {
      remedy: '請還原 state.dir/keys/audit-key.pem；健康狀態會說明原因。/ Restore state.dir/keys/audit-key.pem; health names the reason.',
    })
  }
}

/** What should be signed is no manifest of an evidence package. */
class NoManifestError extends FatalError {
  constructor() {
    super('CUSTOS_NO_MANIFEST', '送簽的內容不是證據包清單，未簽署。/ what was to be signed is no manifest of an evidence package', {
      remedy: '請確認兩個服務的版本相同。/ See that both services are of one version.',
    })
  }
}

/** What the recorder signs for the office besides heads of its log: manifests, each with an entry. */
export function packageRequests({ log, certificate }: PackageRequestsOptions) {
  return {
    'package.certificate': async () => {
      const { pem, publicPem, fingerprint } = await certificate()
      return { pem, publicPem, fingerprint }
    },
    'package.sign': async ({ manifest }) => {
      const bytes = Buffer.from(manifest, 'base64')
      if (bytes.length > MOST_MANIFEST_BYTES || !isManifest(bytes)) throw new NoManifestError()
      const signer = await certificate()
      log.append({
        action: 'package.signed', actor: SYSTEM, object: createHash('sha256').update(bytes).digest('hex'),
        application: null, result: 'done', detail: { key: signer.fingerprint },
      })
      const { signature, cms } = await signer.sign(bytes)
      return { signature: signature.toString('base64'), cms: cms.toString('base64') }
    },
  } as const satisfies Handlers
}

function isManifest(bytes: Buffer): boolean {
  try {
    const said: unknown = JSON.parse(bytes.toString('utf8'))
    return said !== null && typeof said === 'object' && 'format' in said
      && typeof said.format === 'string' && FORMAT.test(said.format)
  } catch { return false }
}
