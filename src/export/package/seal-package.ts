import { createHash } from 'node:crypto'
import { mkdir, open, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { writeSynced } from '../../platform/publish-file.ts'
import { canonicalJson, rocText } from '../../audit/index.ts'
import { isoOf, type AuditValue, type EpochMs } from '../../domain/index.ts'
import type { AuditEvidence } from './audit-evidence.ts'
import { manifestText, PACKAGE_FORMAT, type Manifest, type ManifestFile, type ManifestGap, type ManifestVideo } from './manifest.ts'
import { readmeHtml, verifyText, type TextFacts } from './package-texts.ts'
import { timestampOf, type NoTimestamp, type TimestampHook } from './time-stamp.ts'

/** One step of the chain of custody (E9). Later ones are added by hand, on paper. */
export interface CustodyStep { readonly at: EpochMs, readonly step: 'requested' | 'approved' | 'acquired' | 'closed' | 'written' | 'handed-over' | 'kept', readonly by: string, readonly words: string }
/** A printed form that goes along, from the part that makes paper. */
export interface FormFile { readonly name: string, readonly bytes: Buffer }

export interface SealFacts extends Pick<Manifest, 'packageId' | 'timezone' | 'intent' | 'application' | 'exporter' | 'witness' | 'recorder' | 'playback'> {
  readonly office: string
  readonly createdAt: EpochMs
  readonly time: Omit<Manifest['time'], 'timestampAuthority' | 'timestampWhyNot'>
  readonly videos: readonly ManifestVideo[]
  readonly gaps: readonly ManifestGap[]
  readonly custody: readonly CustodyStep[]
  readonly evidence: AuditEvidence
  readonly forms: readonly FormFile[]
}
/** Who signs: the recorder, which alone has the key. */
export interface PackageSigner {
  readonly publicPem: string
  /** Of the key, hex. */
  readonly fingerprint: string
  /** Certificate of the key. */
  readonly pem: string
  /** Signs the manifest; has to give up by itself when no answer comes. */
  sign(manifest: Buffer): Promise<{ readonly signature: Buffer, readonly cms: Buffer }>
}
export interface SealTools { readonly signer: PackageSigner, readonly timestamp: TimestampHook | null, readonly signal: AbortSignal }
export interface Sealed { readonly manifestSha256: string, readonly manifest: Manifest, readonly timestamp: 'obtained' | NoTimestamp }

const PLAYER = path.join(import.meta.dirname, 'assets', 'player.html')

/**
 * Writes everything but the videos, which stand in `folder` already, then signs. All on the medium on return. What a former try left is written anew, so that it can be called again.
 * Throws OpensslError, and the error of the file system.
 */
export async function sealPackage(folder: string, facts: SealFacts, { signer, timestamp, signal }: SealTools): Promise<Sealed> {
  for (const name of ['manifest.json', 'manifest.sig', 'manifest.p7s', 'manifest.tsr', 'tsa-ca.pem', 'SHA256SUMS', 'custody.json', 'forms', 'audit', 'player']) await rm(path.join(folder, name), { recursive: true, force: true })
  const unstamped = async (why: NoTimestamp): Promise<Sealed> => ({ ...await writeAndSign(folder, facts, signer, why), timestamp: why })
  if (timestamp === null || timestamp.ca === 'unusable') return await unstamped({ why: timestamp === null ? 'not-configured' : 'ca-unusable', words: '' })
  const first = await writeAndSign(folder, facts, signer, { caPem: timestamp.ca?.pem ?? null })
  const stamped = await timestampOf(path.join(folder, 'manifest.json'), { ...timestamp, ca: timestamp.ca }, signal)
  if ('why' in stamped) return await unstamped(stamped) // it said that a token follows, and none does
  await write(folder, 'manifest.tsr', stamped.token)
  await syncTree(folder)
  return { ...first, timestamp: 'obtained' }
}

async function writeAndSign(folder: string, facts: SealFacts, signer: PackageSigner, stamp: { readonly caPem: string | null } | NoTimestamp): Promise<Omit<Sealed, 'timestamp'>> {
  const { fingerprint, publicPem, pem } = signer
  const keyFacts = { algorithm: 'ECDSA P-256 SHA-256', fingerprint } as const
  const { evidence, forms, custody, office, videos, ...rest } = facts
  const createdAt = isoOf(facts.createdAt), caPem = 'why' in stamp ? null : stamp.caPem
  const texts: TextFacts = {
    ...facts, createdAt, key: keyFacts, token: 'why' in stamp ? stamp.why : 'follows', hasTsaCa: caPem !== null, hasOutsideCheckpoint: evidence.proofsJson.includes('"consistency":{'),
    checkpointLines: evidence.checkpointTxt.split('\n').indexOf(''),
  }
  const files: ManifestFile[] = videos.map(({ path: name, bytes, sha256 }) => ({ path: name, bytes, sha256 }))
  const add = async (name: string, content: string | Buffer): Promise<void> => {
    const bytes = Buffer.from(content)
    await write(folder, name, bytes)
    files.push({ path: name, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') })
  }
  await add('README_請先閱讀.html', readmeHtml(texts))
  await add('VERIFY.txt', verifyText(texts))
  await add('pub.pem', publicPem)
  await add('recorder-cert.pem', pem)
  await rm(path.join(folder, 'tsa-ca.pem'), { force: true })
  if (caPem !== null) await add('tsa-ca.pem', caPem)
  await add('custody.json', `${canonicalJson({ format: 'custos-custody/1', packageId: facts.packageId, steps: custody.map(step => ({ ...step, at: isoOf(step.at) })) } as unknown as AuditValue)}\n`)
  await add('checkpoint.txt', evidence.checkpointTxt)
  await add('audit/entries.jsonl', evidence.entriesJsonl)
  await add('audit/proofs.json', evidence.proofsJson)
  await add('player/player.html', await readFile(PLAYER))
  for (const form of forms) await add(`forms/${form.name}`, form.bytes)
  files.sort((a, b) => (a.path < b.path ? -1 : 1))
  const { packageId, timezone, intent, application, exporter, witness, recorder, gaps, playback, time } = rest
  const manifest: Manifest = {
    format: PACKAGE_FORMAT, packageId, createdAt, createdOn: rocText(facts.createdAt, timezone).split('（')[0] ?? '', timezone, intent, application, exporter, witness, recorder, key: keyFacts,
    time: { ...time, timestampAuthority: 'why' in stamp ? 'not-obtained' : 'token-follows', timestampWhyNot: 'why' in stamp ? stamp.why : null }, redaction: 'none', masks: [], videos, gaps, playback, files,
  }
  const text = Buffer.from(manifestText(manifest))
  await write(folder, 'manifest.json', text)
  const manifestSha256 = createHash('sha256').update(text).digest('hex')
  const sums = [...files.map(({ path: name, sha256 }) => ({ name, sha256 })), { name: 'manifest.json', sha256: manifestSha256 }].sort((a, b) => (a.name < b.name ? -1 : 1))
  await write(folder, 'SHA256SUMS', sums.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join(''))
  const { signature, cms } = await signer.sign(text)
  await write(folder, 'manifest.sig', signature)
  await write(folder, 'manifest.p7s', cms)
  await syncTree(folder)
  return { manifestSha256, manifest }
}

async function write(folder: string, name: string, content: string | Buffer): Promise<void> {
  const file = path.join(folder, name)
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
  await writeSynced(file, content, { mode: 0o600 })
}

/** The names themselves, so that a crash leaves none of them out. */
export async function syncTree(folder: string): Promise<void> {
  for (const name of [folder, ...['video', 'audit', 'player', 'forms'].map(each => path.join(folder, each))]) {
    const handle = await open(name, 'r').catch(() => null)
    if (handle === null) continue
    try { await handle.sync() } finally { await handle.close() }
  }
}
