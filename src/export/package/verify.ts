import { createHash, verify, type KeyObject } from 'node:crypto'
import { parseCheckpoints } from '../../audit/index.ts'
import { FAULT_TEXTS, type FaultCode, type PackageFault } from './faults.ts'
import { OUTSIDE_MANIFEST, type Manifest } from './manifest.ts'
import { MANIFEST_MOST_BYTES, readManifest } from './manifest-shape.ts'
import { openSource, type PackageSource } from './package-source.ts'
import { SYSTEM_FILE } from './system-file.ts'
import { MOST_TOKEN_BYTES, TIMESTAMP_TEXTS, tokenFault } from './time-stamp.ts'
import { checkAudit, compareCheckpoint } from './verify-audit.ts'
import { certificateKey, cmsSigner, fingerprintOf, keyOf } from './verify-keys.ts'
import { grantedIn, VideoCheck } from './verify-video.ts'

export interface VerifyOptions {
  /** Hex SHA-256 of the public key, from the cover sheet or the office's notice. */
  readonly fingerprint?: string | null
  /** Text of a checkpoint that was kept elsewhere. */
  readonly checkpoint?: string | null
  /** This machine's own key, where there is one. */
  readonly machineFingerprint?: string | null
  /** Of an encrypted ZIP. */
  readonly password?: string | null
  /** Read and checked. */
  readonly onBytes?: (bytes: number) => void
}
export interface Verdict {
  readonly isIntact: boolean
  /** `confirmed`: by the fingerprint that was asked for, or this machine's, and not left open by the checkpoint that was given. */
  readonly origin: 'confirmed' | 'not-confirmed'
  readonly packageId: string | null
  readonly fingerprint: string | null
  readonly faults: readonly PackageFault[]
  /** Paths of what an operating system put there. Told, and no fault. */
  readonly systemFiles: readonly string[]
  /** `unrelated`: the one that was kept neither fits nor contradicts, for it covers a number of entries that the package proves nothing of. */
  readonly checkpoint: 'none' | 'fits' | 'mismatch' | 'unrelated'
  readonly checked: { readonly files: number, readonly bytes: number, readonly videos: number, readonly records: number, readonly entries: number }
}

const MOST_FAULTS = 200
const SMALL_MOST_BYTES = 32 << 20
const SIGNATURE_MOST_BYTES = 1 << 20

/** Looks at a package, folder or ZIP, with nothing but the package: no configuration, no network. Faults are values; it throws only when the place itself cannot be opened. */
export async function verifyPackage(place: string, options: VerifyOptions = {}): Promise<Verdict> {
  let source: PackageSource
  try { source = await openSource(place, options.password ?? null) } catch (error) {
    return nothing(problem('unreadable', place, { zh: '無法開啟', en: `cannot be opened (${(error as Error).message.slice(0, 200)})` }))
  }
  await using _ = source
  return await new Verification(source, options).run()
}

const problem = (code: FaultCode, where: string, more?: { readonly zh: string, readonly en: string }): PackageFault => ({
  code, where, zh: `${FAULT_TEXTS[code].zh}${more === undefined ? '' : `：${more.zh}`}`, en: `${FAULT_TEXTS[code].en}${more === undefined ? '' : `: ${more.en}`}`,
})
const nothing = (...faults: readonly PackageFault[]): Verdict =>
  ({ isIntact: false, origin: 'not-confirmed', packageId: null, fingerprint: null, faults, systemFiles: [], checkpoint: 'none', checked: { files: 0, bytes: 0, videos: 0, records: 0, entries: 0 } })

class Verification {
  readonly #source: PackageSource
  readonly #options: VerifyOptions
  readonly #faults: PackageFault[] = []
  readonly #systemFiles: string[] = []
  readonly #checked = { files: 0, bytes: 0, videos: 0, records: 0, entries: 0 }
  /** Small files as they were hashed, so that nothing is read twice. */
  readonly #kept = new Map<string, Buffer>()
  constructor(source: PackageSource, options: VerifyOptions) {
    this.#source = source
    this.#options = options
  }

  #tell(code: FaultCode, where: string, more?: { readonly zh: string, readonly en: string }): void {
    if (this.#faults.length < MOST_FAULTS) this.#faults.push(problem(code, where, more))
  }

  async run(): Promise<Verdict> {
    for (const { path: where, zh, en } of this.#source.problems) this.#tell('unreadable', where, { zh, en })
    const bytes = await this.#small('manifest.json', MANIFEST_MOST_BYTES)
    if (bytes === null) {
      const { files, problems } = this.#source
      if (files.has('manifest.json')) this.#tell('unreadable', 'manifest.json')
      else if (files.size > 0 || problems.length === 0) this.#tell('file-missing', 'manifest.json') // of what cannot be looked at, nothing is missing
      return nothing(...this.#faults)
    }
    const manifest = readManifest(bytes.toString('utf8'))
    const pem = (await this.#small('pub.pem', SIGNATURE_MOST_BYTES))?.toString('utf8') ?? ''
    const key = keyOf(pem)
    const fingerprint = key === null ? null : fingerprintOf(key)
    await this.#signature(bytes, key)
    if (manifest === null) {
      this.#tell('manifest-altered', 'manifest.json', { zh: '內容不是標準格式', en: 'it is not in its canonical form' })
      return { ...nothing(...this.#faults), fingerprint }
    }
    await this.#keys(manifest, fingerprint, bytes)
    await this.#token(manifest, bytes)
    await this.#files(manifest)
    await this.#sums(manifest, createHash('sha256').update(bytes).digest('hex'))
    const checkpoint = await this.#audit(manifest, pem, fingerprint)
    const wanted = this.#options.fingerprint?.toLowerCase().replaceAll(/[\s:]/g, '') ?? null
    if (wanted !== null && wanted !== fingerprint) this.#tell('wrong-key', 'pub.pem', { zh: `套件金鑰 ${fingerprint ?? '無'}`, en: `the package's is ${fingerprint ?? 'none'}` })
    const isConfirmed = fingerprint !== null && checkpoint !== 'unrelated' && (wanted === null ? this.#options.machineFingerprint === fingerprint : wanted === fingerprint)
    const isIntact = this.#faults.length === 0
    return { isIntact, origin: isIntact && isConfirmed ? 'confirmed' : 'not-confirmed', packageId: manifest.packageId, fingerprint, faults: this.#faults, systemFiles: this.#systemFiles, checkpoint, checked: this.#checked }
  }

  /** A whole small file; null when it is missing, too large or cannot be read. */
  async #small(name: string, mostBytes: number): Promise<Buffer | null> {
    const known = this.#kept.get(name)
    if (known !== undefined) return known
    const file = this.#source.files.get(name)
    if (file === undefined || file.bytes > mostBytes) return null
    const chunks: Uint8Array[] = []
    try { for await (const chunk of this.#source.read(name)) chunks.push(chunk) } catch { return null }
    const whole = Buffer.concat(chunks)
    this.#kept.set(name, whole)
    return whole
  }

  async #signature(manifest: Buffer, key: KeyObject | null): Promise<void> {
    const signature = await this.#small('manifest.sig', SIGNATURE_MOST_BYTES)
    if (signature === null) { this.#tell('file-missing', 'manifest.sig'); return }
    let holds = false
    try { holds = key !== null && verify('sha256', manifest, key, signature) } catch { /* what is no signature */ }
    if (holds) return
    const sums = await this.#small('SHA256SUMS', SMALL_MOST_BYTES)
    const isAsSummed = sums?.toString('utf8').includes(`${createHash('sha256').update(manifest).digest('hex')}  manifest.json\n`) === true
    this.#tell('manifest-altered', isAsSummed ? 'manifest.sig' : 'manifest.json')
  }

  async #keys(manifest: Manifest, fingerprint: string | null, bytes: Buffer): Promise<void> {
    const certificate = (await this.#small('recorder-cert.pem', SIGNATURE_MOST_BYTES))?.toString('utf8') ?? ''
    const ofCertificate = certificateKey(certificate)
    if (fingerprint === null || fingerprint !== manifest.key.fingerprint || ofCertificate !== fingerprint) this.#tell('certificate-mismatch', 'recorder-cert.pem')
    const cms = await this.#small('manifest.p7s', SIGNATURE_MOST_BYTES)
    if (cms === null) { this.#tell('file-missing', 'manifest.p7s'); return }
    if (fingerprint === null || await cmsSigner(bytes, cms, certificate) !== fingerprint) this.#tell('cms-invalid', 'manifest.p7s')
  }

  /** One that was added later counts as well. */
  async #token(manifest: Manifest, bytes: Buffer): Promise<void> {
    const isThere = this.#source.files.has('manifest.tsr')
    if (!isThere) { if (manifest.time.timestampAuthority === 'token-follows') this.#tell('file-missing', 'manifest.tsr'); return }
    const token = await this.#small('manifest.tsr', MOST_TOKEN_BYTES)
    const ca = manifest.files.some(file => file.path === 'tsa-ca.pem') ? await this.#small('tsa-ca.pem', SIGNATURE_MOST_BYTES) : null
    const fault = token === null ? { why: 'no-answer' as const, words: '' } : await tokenFault(token, bytes, ca?.toString('utf8') ?? null)
    if (fault !== null) this.#tell('token-invalid', 'manifest.tsr', { zh: TIMESTAMP_TEXTS[fault.why].zh, en: [TIMESTAMP_TEXTS[fault.why].en, fault.words].filter(text => text !== '').join(': ') })
  }

  async #files(manifest: Manifest): Promise<void> {
    const listed = new Map(manifest.files.map(file => [file.path, file]))
    if (listed.size !== manifest.files.length) this.#tell('manifest-altered', 'manifest.json', { zh: '檔案重複列出', en: 'a file is listed twice' })
    const videos = new Map(manifest.videos.map(video => [video.path, video]))
    for (const name of this.#source.files.keys()) {
      if (listed.has(name) || OUTSIDE_MANIFEST.includes(name)) continue
      if (!SYSTEM_FILE.test(name)) this.#tell('file-extra', name)
      else if (this.#systemFiles.length < MOST_FAULTS) this.#systemFiles.push(name)
    }
    for (const video of manifest.videos) {
      const file = listed.get(video.path)
      if (file === undefined || file.sha256 !== video.sha256 || file.bytes !== video.bytes) this.#tell('records-altered', video.path, { zh: '影像未列入檔案清單', en: 'it is not among the files as it is among the videos' })
    }
    for (const [name, { bytes, sha256 }] of listed) {
      const found = this.#source.files.get(name)
      if (found === undefined) { this.#tell('file-missing', name); continue }
      const video = videos.get(name)
      const check = video === undefined ? null : new VideoCheck(video, grantedIn(video, manifest.application.scope))
      const digest = createHash('sha256'), keep: Uint8Array[] | null = check === null && found.bytes <= SMALL_MOST_BYTES ? [] : null
      let read = 0
      try {
        for await (const chunk of this.#source.read(name)) {
          if (check !== null) check.take(chunk)
          else digest.update(chunk)
          keep?.push(chunk)
          read += chunk.length
          this.#options.onBytes?.(chunk.length)
        }
      } catch (error) {
        this.#tell('unreadable', name, { zh: '讀取失敗', en: (error as Error).message.slice(0, 200) })
        continue
      }
      if (keep !== null) this.#kept.set(name, Buffer.concat(keep))
      const seen = check?.end()
      const isSame = read === bytes && (seen?.sha256 ?? digest.digest('hex')) === sha256
      if (!isSame) this.#tell('file-altered', name)
      if (seen !== undefined && seen.fault !== null) this.#tell('records-altered', name, { zh: '見英文說明', en: seen.fault })
      if (seen !== undefined && seen.outside !== null) this.#tell('outside-grant', name, { zh: '見英文說明', en: seen.outside })
      this.#checked.files += 1
      this.#checked.bytes += read
      if (video !== undefined) { this.#checked.videos += 1; this.#checked.records += video.records.length }
    }
  }

  async #sums(manifest: Manifest, manifestSha256: string): Promise<void> {
    const text = await this.#small('SHA256SUMS', SMALL_MOST_BYTES)
    if (text === null) { this.#tell(this.#source.files.has('SHA256SUMS') ? 'unreadable' : 'file-missing', 'SHA256SUMS'); return }
    const wanted = [...manifest.files.map(({ path: name, sha256 }) => `${sha256}  ${name}`), `${manifestSha256}  manifest.json`].sort()
    const found = text.toString('utf8').split('\n').filter(line => line !== '').sort()
    if (wanted.length !== found.length || wanted.some((line, i) => line !== found[i])) this.#tell('sums-altered', 'SHA256SUMS')
  }

  async #audit(manifest: Manifest, pem: string, fingerprint: string | null): Promise<Verdict['checkpoint']> {
    const [entries, proofs, checkpoint] = await Promise.all(['audit/entries.jsonl', 'audit/proofs.json', 'checkpoint.txt'].map(name => this.#small(name, SMALL_MOST_BYTES)))
    const text = (bytes: Buffer | null | undefined) => bytes?.toString('utf8') ?? ''
    const check = checkAudit({ entriesJsonl: text(entries), proofsJson: text(proofs), checkpointTxt: text(checkpoint) }, manifest, pem)
    this.#checked.entries = check.entries
    for (const fault of check.faults) this.#tell('audit-altered', 'audit', { zh: '見英文說明', en: fault })
    const { checkpoint: kept } = this.#options
    if (kept === undefined || kept === null) return 'none'
    const told = parseCheckpoints(kept)
    if (told.length === 0) { this.#tell('unreadable', 'checkpoint', { zh: '所給的檔案中沒有查核點', en: 'the file that was given holds no checkpoint' }); return 'none' }
    let answer: Verdict['checkpoint'] = 'unrelated'
    for (const each of told) {
      const compared = compareCheckpoint(each, check, fingerprint ?? '')
      if (typeof compared === 'object') { this.#tell('checkpoint-mismatch', 'checkpoint.txt', compared); answer = 'mismatch' }
      else if (compared === 'fits' && answer !== 'mismatch') answer = 'fits'
    }
    return answer
  }
}
