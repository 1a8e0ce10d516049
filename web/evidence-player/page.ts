import type { Bytes } from './bytes.ts'
import { hexOf } from './bytes.ts'
import { both, byId, el, inputById } from './element.ts'
import { compareFingerprint, verdictOf, type Fault } from './faults.ts'
import { packageOf, placeLoose, type GivenFile } from './folder.ts'
import { footageOfFiles, footageOfManifest } from './footage.ts'
import { MAX_CAMERAS, Player } from './player.ts'
import { sha256Of } from './sha256.ts'
import { bytesText, rocText, utcText } from './time-text.ts'
import { MANIFEST, verifyPackage, type VerifyReport } from './verify.ts'
import { HashWorker } from './worker-client.ts'
import { ManifestError, MAX_MANIFEST_BYTES, parseManifest, type Manifest } from './manifest.ts'

/** The worker's own script, which the build puts beside this one. */
declare const WORKER_SOURCE: string

const MAX_GIVEN = 100_000
const MAX_FOLDER_DEPTH = 12
const MAX_ROWS = 500

let report: VerifyReport | null = null
let player: Player | null = null
let opened = 0

// ---- what the user hands over --------------------------------------------------------------------------------------

async function filesOfDrop(transfer: DataTransfer): Promise<GivenFile<File>[]> {
  const entries = [...transfer.items].map(item => item.webkitGetAsEntry()).filter(entry => entry !== null) // must be asked for before the first wait
  if (entries.length === 0) return [...transfer.files].map(file => ({ path: file.name, file }))
  const found: GivenFile<File>[] = []
  for (const entry of entries) await walk(entry, '', found, 0)
  return found
}

async function walk(entry: FileSystemEntry, parent: string, found: GivenFile<File>[], depth: number): Promise<void> {
  if (found.length >= MAX_GIVEN || depth > MAX_FOLDER_DEPTH) return
  const path = `${parent}${entry.name}`
  if (entry.isFile) {
    found.push({ path, file: await new Promise<File>((resolve, reject) => { (entry as FileSystemFileEntry).file(resolve, reject) }) })
    return
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  for (;;) { // a reader gives at most a hundred at a time
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) => { reader.readEntries(resolve, reject) })
    if (batch.length === 0) return
    for (const each of batch) await walk(each, `${path}/`, found, depth + 1)
  }
}

const filesOfInput = (input: HTMLInputElement): GivenFile<File>[] => [...input.files ?? []].slice(0, MAX_GIVEN).map(file => ({ path: file.webkitRelativePath || file.name, file }))

// ---- opening -------------------------------------------------------------------------------------------------------

async function open(given: readonly GivenFile<File>[]): Promise<void> {
  const mine = ++opened
  if (given.length === 0) { notice('沒有收到任何檔案。', 'No files were received.'); return }
  const { files: found, isLoose } = packageOf(given)
  const { manifest, problem } = await readManifest(found.get(MANIFEST))
  const files = isLoose && manifest !== null ? placeLoose(found, [...manifest.files.map(file => file.path), 'manifest.json', 'SHA256SUMS', 'manifest.sig', 'manifest.p7s', 'manifest.tsr']) : found
  notice('', '')
  if (problem !== null) notice('manifest.json 無法解讀，僅能依影像檔本身的時間播放。', `manifest.json cannot be read; only the times in the video files themselves are used. ${problem}`)
  else if (manifest === null) notice('所選內容沒有 manifest.json：只能播放，無法驗證完整性。請選擇整個套件資料夾。', 'There is no manifest.json in what was chosen: it can be played, but not verified as a package. Choose the whole package folder.')
  else if (isLoose && manifest.files.length > files.size) notice('只收到部分檔案；其餘會列為缺少。建議選擇整個套件資料夾。', 'Only some of the files were received; the others will be listed as missing. Better choose the whole package folder.')
  byId('work').hidden = false
  document.body.classList.add('opened')
  describe(manifest, files.size)
  await Promise.all([play(files, manifest, mine), manifest === null && problem === null && !isPackage(files) ? cannotVerify() : verify(files, mine)])
}

async function readManifest(file: File | undefined): Promise<{ readonly manifest: Manifest | null, readonly problem: string | null }> {
  if (file === undefined) return { manifest: null, problem: null }
  try {
    if (file.size > MAX_MANIFEST_BYTES) throw new ManifestError(`${file.size} bytes are over the bound of ${MAX_MANIFEST_BYTES}`)
    return { manifest: parseManifest(new Uint8Array(await file.arrayBuffer())), problem: null }
  } catch (error) { return { manifest: null, problem: String(error).slice(0, 300) } }
}

function notice(zh: string, en: string): void {
  byId('notice').hidden = zh === ''
  byId('notice').replaceChildren(...both(zh, en))
}

function describe(manifest: Manifest | null, count: number): void {
  const row = (zh: string, en: string, value: string): Node[] => value === '' ? [] : [el('dt', {}, ...both(zh, en)), el('dd', {}, value)]
  const made = manifest === null ? Number.NaN : Date.parse(manifest.createdAt)
  byId('facts').replaceChildren(...(manifest === null ? row('檔案', 'Files', String(count)) : [
    ...row('案號', 'Case', manifest.application.number), ...row('套件', 'Package', manifest.packageId), ...row('申請機關', 'Agency', manifest.application.agency),
    ...row('依據', 'Legal basis', manifest.application.legalBasis), ...row('用途', 'Purpose', manifest.application.purpose),
    ...row('製作時間', 'Made', Number.isNaN(made) ? manifest.createdAt : `${rocText(made)}　${utcText(made)}`),
    ...row('匯出者', 'Exported by', manifest.exporter), ...row('見證', 'Witness', manifest.witness), ...row('錄影主機', 'Recorder', manifest.recorder),
    ...row('檔案', 'Files', String(count)),
  ]))
}

async function play(files: ReadonlyMap<string, File>, manifest: Manifest | null, mine: number): Promise<void> {
  player?.close()
  player = null
  const listed = manifest === null ? [] : footageOfManifest(manifest, files)
  const { cameras, unusable } = listed.length > 0 ? { cameras: listed, unusable: [] } : await footageOfFiles(files)
  if (mine !== opened) return
  byId('no-footage').hidden = cameras.length > 0 && unusable.length === 0
  byId('no-footage').replaceChildren(...(unusable.length > 0 ? [...both('下列檔案沒有錄影主機的時間資料，請用 VLC 開啟：', 'These files carry no times of the recorder. Open them with VLC:'), el('code', {}, unusable.slice(0, 20).join('、'))]
    : both('沒有可播放的影像。', 'There is no footage to play.')))
  byId('stage').hidden = cameras.length === 0
  if (cameras.length === 0) return
  byId('too-many').hidden = cameras.length <= MAX_CAMERAS
  player = new Player(cameras, manifest)
  await player.open()
  byId('stage').dataset.ready = String(mine)
}

// ---- verifying -----------------------------------------------------------------------------------------------------

async function checkSignature(spki: Bytes, raw: Bytes, data: Bytes): Promise<boolean | null> {
  const subtle = (globalThis.crypto as Crypto | undefined)?.subtle as SubtleCrypto | undefined
  if (subtle === undefined) return null
  try {
    const key = await subtle.importKey('spki', spki, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify'])
    return await subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, key, raw, data)
  } catch { return false } // a key of another kind
}

/** A package that lost its manifest is broken; a video by itself is just a video. */
const isPackage = (files: ReadonlyMap<string, File>): boolean => ['SHA256SUMS', 'manifest.sig', 'manifest.p7s', 'checkpoint.txt'].some(name => files.has(name))

async function cannotVerify(): Promise<void> {
  report = null
  byId('verdict').dataset.kind = 'undecided'
  byId('verdict-text').replaceChildren(...both('無法驗證：沒有 manifest.json。', 'Cannot verify: there is no manifest.json.'))
  for (const id of ['origin', 'checks', 'faults', 'file-list', 'progress']) byId(id).hidden = true
}

async function verify(files: ReadonlyMap<string, File>, mine: number): Promise<void> {
  report = null
  byId('verdict').dataset.kind = 'working'
  byId('verdict-text').replaceChildren(...both('驗證中…', 'Verifying…'))
  for (const id of ['origin', 'checks', 'faults', 'file-list']) byId(id).hidden = true
  const progress = byId('progress') as HTMLProgressElement, note = byId('progress-text')
  progress.hidden = false
  const worker = new HashWorker(WORKER_SOURCE)
  const startedAt = performance.now()
  try {
    const made = await verifyPackage(files, { hash: (blob, onBytes) => worker.hash(blob, onBytes), records: (blob, video, onBytes) => worker.records(blob, video, onBytes), signature: checkSignature }, (done, total, path) => {
      if (mine !== opened) return
      progress.max = Math.max(1, total)
      progress.value = done
      note.textContent = `${bytesText(done)} / ${bytesText(total)}　${path}`
    })
    if (mine !== opened) return
    report = made
    progress.hidden = true
    const seconds = (performance.now() - startedAt) / 1000
    note.textContent = `${files.size} 個檔案 files・${bytesText([...files.values()].reduce((sum, file) => sum + file.size, 0))}・${seconds.toFixed(1)} s・${rocText(Date.now())}（${utcText(Date.now())}）`
    showReport()
  } finally { worker.close() }
}

const MARKS = { good: ['✓', '相符', 'good'], bad: ['✗', '不符', 'failed'], 'not-done': ['–', '未檢查', 'not checked'] } as const
const FILE_STATES = { good: ['相符', 'good'], altered: ['已更動', 'altered'], missing: ['缺少', 'missing'], extra: ['多出', 'extra'], signature: ['簽章檔', 'signature'], system: ['系統檔', 'made by the system'] } as const

function showReport(): void {
  if (report === null) return
  const { fingerprint, checks, files, signatureChecked } = report
  const typed = inputById('typed').value
  const verdict = verdictOf({ faults: report.faults, signatureChecked, fingerprint, typed })
  byId('verdict').dataset.kind = verdict.kind
  byId('verdict-text').replaceChildren(...both(verdict.zh, verdict.en))
  byId('origin').hidden = false
  byId('fingerprint').replaceChildren(...(fingerprint?.match(/.{1,4}/g) ?? []).map(group => el('span', {}, group)))
  const compared = compareFingerprint(typed, fingerprint)
  byId('typed-state').dataset.state = compared
  byId('typed-state').replaceChildren(...({
    none: both('尚未輸入：內容完整與否已可判斷，但尚不能確認是本所主機簽署。', 'Not typed yet: it cannot be said that the office\'s recorder signed this.'),
    incomplete: both('輸入中，目前相符。', 'So far the same; go on.'),
    same: both('指紋相符。', 'The fingerprints are the same.'), other: both('指紋不符！請核對是否輸入錯誤。', 'The fingerprints differ! Look whether you typed it right.'),
  })[compared])
  byId('checks').hidden = false
  byId('checks').replaceChildren(...checks.map(({ state, zh, en }) => el('li', { class: state }, el('span', { class: 'mark', 'aria-hidden': 'true' }, MARKS[state][0]), el('span', {}, ...both(zh, en)), el('span', { class: 'state' }, ...both(MARKS[state][1], MARKS[state][2])))))
  showFaults(verdict.faults)
  byId('file-list').hidden = false
  const rank = { altered: 0, missing: 0, extra: 0, system: 1, signature: 2, good: 2 }
  byId('file-rows').replaceChildren(...files.toSorted((a, b) => rank[a.state] - rank[b.state] || (a.path < b.path ? -1 : 1)).slice(0, MAX_ROWS).map(file => el('tr', { class: `file-${file.state}` },
    el('td', { class: 'path' }, file.path), el('td', {}, ...both(FILE_STATES[file.state][0], FILE_STATES[file.state][1])), el('td', { class: 'number' }, bytesText(file.bytes)), el('td', { class: 'hash' }, file.sha256))))
}

function showFaults(faults: readonly Fault[]): void {
  byId('faults').hidden = faults.length === 0
  byId('fault-rows').replaceChildren(...faults.slice(0, MAX_ROWS).map(({ code, zh, en }) => el('li', {}, el('code', {}, code), el('span', { class: 'zh' }, zh), el('span', { class: 'en', lang: 'en' }, en))))
}

// ---- the page ------------------------------------------------------------------------------------------------------

function showTab(name: 'verify' | 'play'): void {
  for (const each of ['verify', 'play'] as const) {
    byId(`panel-${each}`).hidden = each !== name
    byId(`tab-${each}`).setAttribute('aria-selected', String(each === name))
    byId(`tab-${each}`).setAttribute('tabindex', each === name ? '0' : '-1')
  }
  if (name !== 'play') player?.pause()
}

const KEYS: Readonly<Record<string, (player: Player) => unknown>> = {
  ' ': p => p.toggle(), k: p => p.toggle(), '.': p => p.step(1), ',': p => p.step(-1), ArrowRight: p => p.skip(5000), ArrowLeft: p => p.skip(-5000),
  ']': p => p.step(1, true), '[': p => p.step(-1, true), '+': p => { p.changeSpeed(1) }, '=': p => { p.changeSpeed(1) }, '-': p => { p.changeSpeed(-1) }, f: p => p.fullScreen(), s: p => p.snapshot(), m: p => { p.toggleSound() },
  1: p => { p.pickNumber(1) }, 2: p => { p.pickNumber(2) }, 3: p => { p.pickNumber(3) }, 4: p => { p.pickNumber(4) },
}

function onKey(event: KeyboardEvent): void {
  const target = event.target as HTMLElement
  if (player === null || byId('panel-play').hidden || event.ctrlKey || event.metaKey || event.altKey || target.matches('input[type=text], textarea')) return
  if (event.key === ' ' && target.matches('button, summary, input')) return // its own key
  if (event.key.startsWith('Arrow') && target.matches('input, [role=tab]')) return
  const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key]
  if (act === undefined) return
  event.preventDefault()
  void act(player)
}

function onTabKey(event: KeyboardEvent): void {
  if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return
  const other = byId('panel-verify').hidden ? 'verify' : 'play'
  showTab(other)
  byId(`tab-${other}`).focus()
}

function start(): void {
  const dropped = (given: Promise<GivenFile<File>[]> | GivenFile<File>[]): void => {
    void (async () => { await open(await given) })().catch((error: unknown) => { notice('檔案無法讀取。', `The files cannot be read: ${String(error).slice(0, 200)}`) })
  }
  for (const id of ['pick-folder', 'pick-files']) inputById(id).addEventListener('change', () => { dropped(filesOfInput(inputById(id))) })
  addEventListener('dragover', event => { event.preventDefault(); document.body.classList.add('dragging') })
  addEventListener('dragleave', event => { if (event.relatedTarget === null) document.body.classList.remove('dragging') })
  addEventListener('drop', event => {
    event.preventDefault()
    document.body.classList.remove('dragging')
    if (event.dataTransfer !== null) dropped(filesOfDrop(event.dataTransfer))
  })
  for (const name of ['verify', 'play'] as const) {
    byId(`tab-${name}`).addEventListener('click', () => { showTab(name) })
    byId(`tab-${name}`).addEventListener('keydown', onTabKey)
  }
  inputById('typed').addEventListener('input', showReport)
  byId('print').addEventListener('click', () => { (byId('file-list') as HTMLDetailsElement).open = true; print() })
  byId('theme').addEventListener('click', () => {
    const root = document.documentElement
    const isDark = root.dataset.theme === 'dark' || (root.dataset.theme === undefined && matchMedia('(prefers-color-scheme: dark)').matches)
    root.dataset.theme = isDark ? 'light' : 'dark'
  })
  const acts: Readonly<Record<string, (player: Player) => unknown>> = {
    play: p => p.toggle(), back: p => p.step(-1), forward: p => p.step(1), 'key-back': p => p.step(-1, true), 'key-forward': p => p.step(1, true), 'skip-back': p => p.skip(-5000), 'skip-forward': p => p.skip(5000),
    slower: p => { p.changeSpeed(-1) }, faster: p => { p.changeSpeed(1) }, speed: p => { p.setSpeed(1) }, sound: p => { p.toggleSound() }, full: p => p.fullScreen(), snapshot: p => p.snapshot(),
  }
  for (const [id, act] of Object.entries(acts)) byId(id).addEventListener('click', () => { if (player !== null) void act(player) })
  addEventListener('keydown', onKey)
  byId('page-hash').textContent = hexOf(sha256Of(new TextEncoder().encode(document.querySelector('script')?.textContent ?? ''))).slice(0, 16)
}

start()
