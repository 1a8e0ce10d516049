import { checkAudit } from './audit-check.ts'
import { equalBytes, hexOf, readSlice, utf8Bytes, utf8Text, type BlobLike, type Bytes } from './bytes.ts'
import { isDigestOf, parseDetachedCms } from './cms.ts'
import { pemBytes, rawSignature, spkiOfCertificate } from './der.ts'
import { faultOf, type Fault } from './faults.ts'
import { ManifestError, MAX_MANIFEST_BYTES, parseManifest, type Manifest, type ManifestVideo } from './manifest.ts'
import type { RecordReport } from './record-check.ts'
import { sha256Of } from './sha256.ts'
import { parseSums } from './sums.ts'
import { isTokenOver, MAX_TOKEN_BYTES } from './time-stamp.ts'

/** What verifying needs from outside: a hash of a large file, a look at its records, and a signature check that some browsers lack. */
export interface VerifyTools {
  hash(blob: BlobLike, onBytes: (bytes: number) => void): Promise<string>
  records(blob: BlobLike, video: ManifestVideo, onBytes: (bytes: number) => void): Promise<RecordReport>
  /** ECDSA P-256 with SHA-256; null when it cannot be checked here. */
  signature(spki: Bytes, raw: Bytes, data: Bytes): Promise<boolean | null>
}

export type CheckState = 'good' | 'bad' | 'not-done'
export interface Check { readonly state: CheckState, readonly zh: string, readonly en: string }
export interface FileLine { readonly path: string, readonly bytes: number, readonly sha256: string, readonly state: 'good' | 'altered' | 'missing' | 'extra' | 'signature' | 'system' }

export interface VerifyReport {
  readonly manifest: Manifest | null
  readonly fingerprint: string | null
  readonly signatureChecked: boolean
  readonly faults: readonly Fault[]
  readonly checks: readonly Check[]
  readonly files: readonly FileLine[]
}

export const MANIFEST = 'manifest.json', SUMS = 'SHA256SUMS', TOKEN = 'manifest.tsr'
/** Made after the lists, so that no list names them; a time stamp may come later as a second file (E8). */
const SIGNATURE_FILES = new Set(['manifest.sig', 'manifest.p7s', TOKEN])
/** What an operating system puts into any folder by itself, by path. Told, but no fault; the same rule as `custos verify`. */
export const SYSTEM_FILE = /(^|\/)(\.DS_Store|Thumbs\.db|desktop\.ini|\._[^/]+|System Volume Information(\/.*)?)$/i
const MAX_SMALL_BYTES = 64 << 20
const MAX_KEY_BYTES = 1 << 20
const MAX_FILES = 100_000
/** A thousand altered files are told as well by the first of them. */
export const MAX_FAULTS = 500

/** Reads and checks everything in the package; never throws for what is in it. `onProgress` gets bytes done and to do. */
export async function verifyPackage(files: ReadonlyMap<string, BlobLike>, tools: VerifyTools, onProgress: (done: number, total: number, path: string) => void = () => {}): Promise<VerifyReport> {
  const run = new VerifyRun(files, tools, onProgress)
  return await run.all()
}

class VerifyRun {
  readonly #files: ReadonlyMap<string, BlobLike>
  readonly #tools: VerifyTools
  readonly #faults: Fault[] = []
  readonly #checks: Check[] = []
  readonly #lines: FileLine[] = []
  readonly #hashes = new Map<string, string>()
  readonly #onBytes: (path: string) => (bytes: number) => void
  readonly #total: { bytes: number }
  #manifest: Manifest | null = null
  #manifestBytes: Bytes | null = null
  #spki: Bytes | null = null
  #certificate: Bytes | null = null
  #signatureChecked = false
  #signatureHolds = false

  constructor(files: ReadonlyMap<string, BlobLike>, tools: VerifyTools, onProgress: (done: number, total: number, path: string) => void) {
    this.#files = files
    this.#tools = tools
    const total = { bytes: [...files.values()].reduce((sum, blob) => sum + blob.size, 0) }
    let done = 0
    this.#total = total
    this.#onBytes = path => bytes => { done += bytes; onProgress(Math.min(done, total.bytes), total.bytes, path) }
  }

  async all(): Promise<VerifyReport> {
    await this.#readManifest()
    if (this.#manifestBytes === null) { // nothing says what belongs here
      await this.#checkKey()
      return this.#report()
    }
    for (const video of this.#manifest?.videos ?? []) this.#total.bytes += this.#files.get(video.path)?.size ?? 0 // their records are read again
    await this.#checkKey()
    await this.#checkSignature()
    if (this.#manifest === null) { // what is in no form one can follow is no list either
      this.#fault('manifest-altered', MANIFEST, { zh: '內容不是標準格式', en: 'it is not in its canonical form' })
      return this.#report()
    }
    await this.#checkCms()
    await this.#checkToken()
    await this.#hashFiles()
    await this.#compare()
    await this.#checkRecords()
    await this.#checkAudit()
    return this.#report()
  }

  #report(): VerifyReport {
    return {
      manifest: this.#manifest, fingerprint: this.#spki === null ? null : hexOf(sha256Of(this.#spki)), signatureChecked: this.#signatureChecked,
      faults: this.#faults.slice(0, MAX_FAULTS), checks: this.#checks, files: this.#lines,
    }
  }

  #fault(...told: Parameters<typeof faultOf>): void {
    const [code, path] = told
    if (path === null || !this.#faults.some(each => each.code === code && each.path === path)) this.#faults.push(faultOf(...told)) // one of a kind for a file is enough
  }
  #check(isGood: boolean | null, zh: string, en: string): void { this.#checks.push({ state: isGood === null ? 'not-done' : isGood ? 'good' : 'bad', zh, en }) }

  /** A small file whole; null, with its fault, when it is missing, too large or unreadable. */
  async #read(path: string, most: number): Promise<Bytes | null> {
    const blob = this.#files.get(path)
    if (blob === undefined) { if (this.#manifest === null || !this.#manifest.files.some(file => file.path === path)) this.#fault('file-missing', path); return null }
    if (blob.size > most) { this.#fault('unreadable', path, { zh: `${blob.size} 位元組，超過上限 ${most}`, en: `${blob.size} bytes are over the bound of ${most}` }); return null }
    try { return await readSlice(blob, 0, blob.size) } catch (error) { return this.#unreadable(path, error) }
  }

  #unreadable(path: string, error: unknown): null {
    const why = (error instanceof Error ? error.message : String(error)).slice(0, 300)
    this.#fault('unreadable', path, { zh: why, en: why })
    return null
  }

  async #readManifest(): Promise<void> {
    const bytes = this.#manifestBytes = await this.#read(MANIFEST, MAX_MANIFEST_BYTES)
    if (bytes === null) return
    try { this.#manifest = parseManifest(bytes) } catch (error) {
      if (!(error instanceof ManifestError)) throw error
      this.#fault('manifest-altered', MANIFEST, { zh: `無法解讀：${error.message}`, en: `it cannot be read: ${error.message}` })
    }
  }

  async #checkKey(): Promise<void> {
    const [pub, certificate] = [await this.#read('pub.pem', MAX_KEY_BYTES), await this.#read('recorder-cert.pem', MAX_KEY_BYTES)]
    if (pub !== null) {
      try { this.#spki = pemBytes(utf8Text(pub), 'PUBLIC KEY') } catch { this.#spki = null } // no UTF-8
    }
    const fingerprint = this.#spki === null ? null : hexOf(sha256Of(this.#spki))
    let certified: string | null = null
    if (certificate !== null) {
      try {
        const der = pemBytes(utf8Text(certificate), 'CERTIFICATE')
        certified = der === null ? null : hexOf(sha256Of(spkiOfCertificate(der)))
        this.#certificate = der
      } catch { certified = null } // no UTF-8, or DER that is no certificate
    }
    if (fingerprint === null || certified !== fingerprint) this.#fault('certificate-mismatch', 'recorder-cert.pem')
    const named = this.#manifest?.fingerprint ?? fingerprint
    if (named !== fingerprint) this.#fault('certificate-mismatch', 'pub.pem', { zh: 'manifest.json 記載另一把金鑰', en: 'manifest.json names another key' })
    this.#check(fingerprint !== null && certified === fingerprint && named === fingerprint, '公鑰、憑證與 manifest.json 記載的金鑰相同', 'Public key, certificate and the key named in manifest.json are the same')
  }

  async #checkSignature(): Promise<void> {
    const signature = await this.#read('manifest.sig', MAX_KEY_BYTES)
    const holds = signature === null || this.#manifestBytes === null ? null : await this.#holds(signature, this.#manifestBytes)
    this.#signatureHolds = holds === true
    this.#signatureChecked = holds !== null
    if (holds === false) this.#fault('manifest-altered', MANIFEST)
    this.#check(holds, 'manifest.json 的數位簽章（ECDSA P-256）', 'Signature over manifest.json (ECDSA P-256)')
  }

  /** Null when it cannot be checked here; a signature that is none does not hold. */
  async #holds(der: Bytes, data: Bytes): Promise<boolean | null> {
    if (this.#spki === null) return false
    let raw: Bytes
    try { raw = rawSignature(der) } catch { return false } // DerError
    return await this.#tools.signature(this.#spki, raw, data)
  }

  async #checkCms(): Promise<void> {
    const cms = await this.#read('manifest.p7s', MAX_KEY_BYTES)
    if (cms === null || this.#manifestBytes === null) return
    let holds: boolean | null = false
    try {
      const parsed = parseDetachedCms(cms)
      holds = this.#certificate !== null && parsed.certificates.some(each => equalBytes(each, this.#certificate!)) && isDigestOf(parsed, sha256Of(this.#manifestBytes)) && await this.#holds(parsed.signature, parsed.signedBytes)
    } catch { holds = false } // DerError
    if (holds === false) this.#fault('cms-invalid', 'manifest.p7s')
    this.#check(holds, 'manifest.p7s（CMS 簽章）', 'manifest.p7s (CMS signature)')
  }

  /** One that was added later counts as well; none announced and none there is no matter. */
  async #checkToken(): Promise<void> {
    const blob = this.#files.get(TOKEN)
    if (this.#manifestBytes === null || (blob === undefined && this.#manifest?.tokenFollows !== true)) return
    let isOver: boolean | null = false
    if (blob === undefined) this.#fault('file-missing', TOKEN)
    else if (blob.size <= MAX_TOKEN_BYTES) {
      const token = await readSlice(blob, 0, blob.size).catch(() => null) // what the medium does not give is none
      isOver = token === null ? false : isTokenOver(token, sha256Of(this.#manifestBytes))
    }
    if (blob !== undefined && isOver === false) this.#fault('token-invalid', TOKEN)
    this.#check(isOver, 'manifest.tsr（RFC 3161 時戳）已核發，且所載為 manifest.json 的 SHA-256', 'manifest.tsr (RFC 3161 time stamp) was granted, and tells the SHA-256 of manifest.json')
    if (isOver !== false) this.#check(null, 'manifest.tsr 時戳機構的簽章與時間：本頁不檢查，請依 VERIFY.txt 以 openssl 驗證', 'The signature and time of the authority in manifest.tsr: this page does not check them; do so with openssl as VERIFY.txt tells')
  }

  async #hashFiles(): Promise<void> {
    if (this.#files.size > MAX_FILES) { this.#fault('unreadable', null, { zh: `超過 ${MAX_FILES} 個檔案`, en: `more than ${MAX_FILES} files` }); return }
    const listed = new Set(this.#manifest?.files.map(file => file.path))
    for (const [path, blob] of this.#files) {
      if (SYSTEM_FILE.test(path) && !listed.has(path)) continue // may be closed to whoever reads the medium
      try { this.#hashes.set(path, await this.#tools.hash(blob, this.#onBytes(path))) } catch (error) { this.#unreadable(path, error) }
    }
  }

  async #compare(): Promise<void> {
    const sumsBytes = await this.#read(SUMS, MAX_SMALL_BYTES)
    let sums: ReadonlyMap<string, string> | null = null
    if (sumsBytes !== null) {
      try { sums = parseSums(utf8Text(sumsBytes)) } catch { sums = null } // no UTF-8
      if (sums === null) this.#fault('sums-altered', SUMS, { zh: '格式不對', en: 'it is not in the form of coreutils' })
    }
    const listed = new Map(this.#manifest?.files.map(file => [file.path, file.sha256]) ?? [])
    for (const [path, sha256] of sums ?? []) if (this.#manifest === null && path !== MANIFEST) listed.set(path, sha256) // the next best list
    let isAllThere = true
    const extras = [...this.#files.keys()].filter(path => !listed.has(path) && path !== MANIFEST && path !== SUMS && !SIGNATURE_FILES.has(path) && !SYSTEM_FILE.test(path))
    const missing = [...listed].filter(([path]) => !this.#files.has(path))
    for (const [path, sha256] of missing) {
      const renamed = extras.find(extra => this.#hashes.get(extra) === sha256)
      this.#fault('file-missing', path, renamed === undefined ? undefined : { zh: `同內容的檔案現名 ${renamed}`, en: `a file of the same content is named ${renamed}` })
      this.#lines.push({ path, bytes: 0, sha256, state: 'missing' })
      isAllThere = false
    }
    for (const path of extras) { this.#fault('file-extra', path); isAllThere = false }
    for (const [path, blob] of this.#files) {
      const sha256 = this.#hashes.get(path) ?? ''
      const wanted = listed.get(path)
      const state = SIGNATURE_FILES.has(path) ? 'signature' : SYSTEM_FILE.test(path) && !listed.has(path) ? 'system' : extras.includes(path) ? 'extra' : wanted !== undefined && wanted !== sha256 ? 'altered'
        : path === MANIFEST && !this.#signatureHolds && this.#signatureChecked ? 'altered' : 'good'
      if (state === 'altered' && path !== MANIFEST) { this.#fault('file-altered', path); isAllThere = false }
      this.#lines.push({ path, bytes: blob.size, sha256, state })
    }
    this.#compareSums(sums, listed)
    this.#check(isAllThere && (this.#manifest !== null || sums !== null), '每個檔案都在，且與清單的 SHA-256 相符', 'Every file is there and has the SHA-256 of the list')
  }

  /** The two lists must say the same of the same files; manifest.json itself stands only in SHA256SUMS. */
  #compareSums(sums: ReadonlyMap<string, string> | null, listed: ReadonlyMap<string, string>): void {
    if (sums === null) return
    const differs = [...listed].find(([path, sha256]) => sums.get(path) !== sha256)?.[0] ?? [...sums.keys()].find(path => path !== MANIFEST && !listed.has(path))
    const manifestHash = this.#hashes.get(MANIFEST)
    const ofManifest = manifestHash !== undefined && sums.get(MANIFEST) !== manifestHash ? MANIFEST : undefined
    const shown = differs ?? ofManifest
    if (shown !== undefined) this.#fault('sums-altered', SUMS, { zh: `差異見於 ${shown}`, en: `it differs at ${shown}` })
    this.#check(shown === undefined, 'SHA256SUMS 與 manifest.json 一致', 'SHA256SUMS agrees with manifest.json')
  }

  async #checkRecords(): Promise<void> {
    let checked = 0, cut = 0, isGood = true
    for (const video of this.#manifest?.videos ?? []) {
      if (this.#manifest?.files.find(file => file.path === video.path)?.sha256 !== video.sha256) {
        isGood = false
        this.#fault('records-altered', video.path, { zh: '影像未列入檔案清單', en: 'it is not among the files as it is among the videos' })
      }
      const blob = this.#files.get(video.path)
      if (blob === undefined) continue
      try {
        const report = await this.#tools.records(blob, video, this.#onBytes(video.path))
        checked += report.checked
        cut += report.cut
        if (report.problem === null) continue
        isGood = false
        const { code, record, zh, en } = report.problem
        const at = record === null ? undefined : video.records[record]?.atMs
        const when = at === undefined ? '' : `，${new Date(at).toISOString()}`
        this.#fault(code, video.path, { zh: `${zh}${when}`, en: `${en}${when.replace('，', ', ')}` })
      } catch (error) { isGood = false; this.#unreadable(video.path, error) }
    }
    if (this.#manifest !== null) this.#check(isGood && checked > 0 ? true : isGood ? null : false, `影像紀錄與錄影當時的雜湊相符（${checked} 筆${cut === 0 ? '' : `，其中 ${cut} 筆於核准範圍邊緣剪裁，僅核對證明`}）`, `Video records hash to what was recorded (${checked}${cut === 0 ? '' : `; of ${cut} cut at a granted edge only the proofs were followed`})`)
  }

  async #checkAudit(): Promise<void> {
    const zh = '稽核紀錄可證明屬於已簽章的檢查點', en = 'Audit entries are proved to belong to a signed checkpoint'
    const texts: string[] = []
    for (const path of ['audit/entries.jsonl', 'audit/proofs.json', 'checkpoint.txt']) {
      const bytes = await this.#read(path, MAX_SMALL_BYTES)
      try { texts.push(bytes === null ? '' : utf8Text(bytes)) } catch { texts.push('') } // no UTF-8: nothing in it proves anything
    }
    const [entriesText = '', proofsText = '', checkpointText = ''] = texts
    const { faults, entries, head } = checkAudit({ entriesText, proofsText, checkpointText, application: this.#manifest?.application.number ?? '', roots: this.#manifest?.videos.flatMap(({ path, segments }) => segments.map(({ merkleRoot, auditSeq }) => ({ path, merkleRoot, auditSeq }))) ?? [] })
    const signed = head?.signature == null ? false : await this.#holds(head.signature, utf8Bytes(head.body))
    if (head !== null && signed === false) faults.unshift({ zh: '檢查點不是以本套件的金鑰簽署', en: 'the checkpoint is not signed by the package\'s key' })
    const [fault] = faults
    if (fault !== undefined) this.#fault('audit-altered', 'audit/entries.jsonl', fault)
    this.#check(fault === undefined ? signed : false, `${zh}（${entries} 筆）`, `${en} (${entries})`)
  }
}
