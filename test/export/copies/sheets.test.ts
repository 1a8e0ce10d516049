import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { SYSTEM } from '../../../src/domain/index.ts'
import { CopyDesk, printedForms, verifyPackage, type CopyDeskOptions, type CopyTarget, type Papers } from '../../../src/export/index.ts'
import { PaperPress } from '../../../src/paper/index.ts'
import { readPdf } from '../../paper/support/poppler.ts'
import { CHIEF, CUSTODIAN, police } from '../../requests/support/front-desk.ts'
import { medium, Stick } from './media.ts'
import { Steps, type Step } from './steps.ts'
import { CopyOffice, LINE, namesOf, never } from './support.ts'

const HAND_OVER = { recipient: { name: '𡍼𠮷喆', unit: '信義分局', idType: '服務證' }, forInquiry: true, other: null, medium: { type: 'USB 隨身碟', serial: '4C53', label: '信戶-1' }, password: null as string | null }
const NAMES = ['保管移轉紀錄及收據.pdf', '封面.pdf'] as const, PASSWORD = '一二三四五六七八九十一二三'

const office = await CopyOffice.open(t)
const press = new PaperPress()
t.teardown(() => press[Symbol.asyncDispose]())
const PRINTED = printedForms({ press, office: office.options.office, cameraName: () => '大廳' })
const { number } = await office.approved(police({ asked: [LINE] }))
const chief = await office.front.as(...CHIEF), custodian = await office.front.as(...CUSTODIAN)
const fingerprint = (await office.options.signer()).fingerprint
const flatOf = (pdf: Buffer): string => readPdf(t, pdf).flat

async function ready(target: CopyTarget, changes: Partial<CopyDeskOptions> = {}) {
  const desk = new CopyDesk({ ...office.options, papers: PRINTED, ...changes })
  const { copyId, packageId } = desk.ask(custodian, { application: number, target })
  await desk.runNext(never)
  return { desk, copyId, packageId }
}
function folderAt(name: string): string {
  const folder = path.join(office.root, name)
  mkdirSync(folder)
  return folder
}
/** Another use, entered in the book. */
function another(): number {
  return office.front.office.audit.transaction(() => {
    const { seq } = office.front.office.audit.append({ action: 'viewing.opened', actor: SYSTEM, object: 'c'.repeat(32), application: number, result: 'done', detail: {} })
    return office.book.enter({ auditSeq: seq, application: number, applicant: '趙警員', unit: '信義分局', matter: '偵辦竊盜案', basis: '刑事訴訟法第230條', uses: { accompanied: true, copied: false, forInquiry: false, other: null }, persons: [], ranges: [{ camera: LINE.camera, cameraName: '大廳', from: LINE.from, to: LINE.to }] })
  })
}

t.test('cover and custody sheet lie beside the package, say what is sealed in it and which line of the book it is, and leave it intact', async t => {
  const target = medium(t, path.join(office.root, 'usb'))
  const { desk, copyId, packageId } = await ready({ kind: 'medium', path: target })
  const { bookLine, job } = await desk.release(chief, copyId, HAND_OVER)
  const folder = path.join(target, packageId), beside = `${folder}.隨附文件`
  t.same(readdirSync(beside).sort(), NAMES)
  const [custody, cover] = NAMES.map(name => flatOf(readFileSync(path.join(beside, name)))) as [string, string]
  for (const [what, said] of Object.entries({ packageId, number, manifest: job.manifestSha256!, fingerprint, recipient: '𡍼𠮷喆', unit: '信義分局', idType: '服務證', medium: '4C53' })) for (const sheet of [custody, cover]) t.ok(sheet.includes(said), what)
  for (const said of ['臺北市政府警察局信義分局', '刑事訴訟法第230條', '偵辦竊盜案', '大廳（lobby）', '（管理人員）', '（課長）', '115年11月20日09時00分00秒', '2026-11-20T01:00:00.000Z', '管理人員（簽章）', '領取人（簽章）及日期']) t.ok(cover.includes(said), said)
  for (const said of ['申請', '核准', '擷取', '封裝完成', '寫入媒體', '移交', `第${bookLine}行`, 'A115-0001', '茲收到', 'USB隨身碟', '移交人（簽章）', '見證人（簽章）']) t.ok(custody.includes(said), said)
  t.notMatch(`${custody}${cover}`, /[A-Z][12]\d{8}|undefined|null/u, 'no ID number, no hole')
  t.same(readdirSync(path.join(folder, 'forms')).sort(), ['附件2.pdf', '附件5.pdf'])
  const line = flatOf(readFileSync(path.join(folder, 'forms/附件5.pdf'))), { line: written } = office.book.get(bookLine)!
  for (const said of ['影音應用紀錄簿', written.applicant, written.unit, written.matter, number, '大廳115年11月20日09時00分00秒', '☑複製', '☑提供檢調', '□陪同閱覽', '本行於交付時登錄']) t.ok(line.includes(said), `附件5: ${said}`)
  t.notMatch(line, /null|undefined|𡍼/u, 'and nobody else than the line names')
  t.same(execFileSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: folder, encoding: 'utf8' }), '')
  t.match(await verifyPackage(folder, { fingerprint }), { isIntact: true, origin: 'confirmed', faults: [] })
})

t.test('beside a ZIP they are a folder; what is encrypted for carriage has its sheets encrypted with it; what stays here has them here', async t => {
  const plain = folderAt('plain'), locked = folderAt('locked')
  const one = await ready({ kind: 'zip', path: plain })
  await one.desk.release(chief, one.copyId, HAND_OVER)
  t.same(readdirSync(plain).sort(), [`${one.packageId}.zip`, `${one.packageId}.隨附文件`])
  const two = await ready({ kind: 'zip', path: locked })
  await two.desk.release(chief, two.copyId, { ...HAND_OVER, password: PASSWORD })
  t.same(readdirSync(locked).sort(), [`${two.packageId}.zip`, `${two.packageId}.隨附文件.zip`])
  const sheets = readFileSync(path.join(locked, `${two.packageId}.隨附文件.zip`))
  t.equal(sheets.readUInt16LE(6) & 1, 1, 'encrypted')
  t.notOk(sheets.includes('%PDF'))
  t.match(await verifyPackage(path.join(locked, `${two.packageId}.zip`), { fingerprint, password: PASSWORD }), { isIntact: true, origin: 'confirmed' })
  const here = await ready({ kind: 'here' })
  t.equal(here.desk.sheetsOf(here.copyId), null, 'not before the release')
  await here.desk.release(chief, here.copyId, { ...HAND_OVER, medium: null })
  t.same(readdirSync(here.desk.sheetsOf(here.copyId)!).sort(), NAMES)
  t.match(await verifyPackage(here.desk.folderOf(here.copyId)!, { fingerprint }), { isIntact: true })
  t.match(flatOf(readFileSync(path.join(here.desk.sheetsOf(here.copyId)!, '封面.pdf'))), '未以媒體交付')
})

t.test('another use that takes the line meanwhile: the sheets are printed anew with the number that is written', async t => {
  const target = folderAt('meanwhile'), asked: number[] = []
  const papers: Papers = { ...PRINTED, sheets: async facts => { const made = await PRINTED.sheets(facts); if (asked.push(facts.bookLine) === 1) another(); return made } }
  const { desk, copyId, packageId } = await ready({ kind: 'folder', path: target }, { papers })
  const { bookLine } = await desk.release(chief, copyId, HAND_OVER)
  t.same(asked, [bookLine - 1, bookLine])
  t.match(flatOf(readFileSync(path.join(target, `${packageId}.隨附文件`, '保管移轉紀錄及收據.pdf'))), `第${bookLine}行`)
  t.match(office.book.get(bookLine)?.line, { act: 'copy', object: copyId })
})

t.test('no sheets, no release: a press that fails, or something of their name at the destination', async t => {
  const target = folderAt('fails'), lines = office.book.last()
  let isBroken = true
  const papers: Papers = { ...PRINTED, sheets: async facts => { if (isBroken) throw new Error('no face'); return await PRINTED.sheets(facts) } }
  const { desk, copyId, packageId } = await ready({ kind: 'folder', path: target }, { papers })
  await t.rejects(desk.release(chief, copyId, HAND_OVER), /no face/)
  t.same([readdirSync(target), office.book.last(), desk.get(copyId)?.state], [[], lines, 'ready'], 'nothing half')
  isBroken = false
  writeFileSync(path.join(target, `${packageId}.隨附文件.zip`), 'of somebody')
  await t.rejects(desk.release(chief, copyId, HAND_OVER), { code: 'CUSTOS_COPY_TARGET', fault: 'exists' })
  t.same([readdirSync(target), office.book.last()], [[`${packageId}.隨附文件.zip`], lines])
  renameSync(path.join(target, `${packageId}.隨附文件.zip`), path.join(target, 'elsewhere'))
  t.match(await desk.release(chief, copyId, HAND_OVER), { bookLine: lines + 1 })
})

const AWAY: readonly (readonly [string, (stick: Stick) => void, Step['what'], RegExp])[] = [
  ['pulled out before the sheets are written', stick => { stick.pull() }, 'mkdir', /^gone$/], ['pulled out once they are written', stick => { stick.pull() }, 'sync', /^gone$/],
  ['broken while they are written', stick => { stick.break() }, 'create', /^(gone|read-only)$/], ['write-protected', stick => { stick.remount('ro') }, 'create', /^read-only$/], // the kernel may mount a broken one read-only
]
for (const [what, happens, when, fault] of AWAY) t.test(`the package is there and the stick is ${what}: nothing is released, nothing half, no book line; the same hand-over goes out later`, async t => {
  const mine = await CopyOffice.open(t), stick = new Stick(t, path.join(mine.root, 'media', 'stick'))
  const { copyId, packageId } = await mine.made({ kind: 'medium', path: stick.folder })
  let isDone = false
  const steps = new Steps(step => { if (!isDone && step.what === when && step.file.includes('.sheets.part')) { isDone = true; happens(stick) } })
  await t.rejects(mine.release(copyId, { steps }), { code: 'CUSTOS_COPY_TARGET', fault })
  t.ok(isDone, 'it happened in the midst')
  t.match([mine.desk.get(copyId), mine.book.last()], [{ state: 'ready' }, 0])
  if (what.startsWith('pulled')) { t.same(readdirSync(stick.folder), [], 'nor in the empty folder below'); stick.plug() }
  else if (what.startsWith('broken')) stick.replace()
  else stick.remount('rw')
  t.match(await mine.release(copyId), { job: { state: 'released', isPublished: true }, bookLine: 1 })
  t.same(readdirSync(stick.folder).sort(), namesOf(packageId))
})

t.test('the destination goes away between books and names: both get theirs later, the package last, also when only one had it', async t => {
  for (const hasOne of [false, true]) {
    const target = medium(t, path.join(office.root, `away-${hasOne}`), 64 << 20)
    const book: CopyDeskOptions['book'] = { last: () => office.book.last(), enter: use => { const line = office.book.enter(use); execFileSync('mount', ['-o', 'remount,ro', target]); return line } }
    const { desk, copyId, packageId } = await ready({ kind: 'medium', path: target }, { book })
    t.match(await desk.release(chief, copyId, HAND_OVER), { job: { state: 'released', isPublished: false } })
    t.same(readdirSync(target).sort(), [`.custos-${copyId}.part`, `.custos-${copyId}.sheets.part`])
    await t.rejects(desk.publishAgain(copyId), { code: 'CUSTOS_COPY_TARGET', fault: 'read-only' })
    execFileSync('mount', ['-o', 'remount,rw', target])
    if (hasOne) renameSync(path.join(target, `.custos-${copyId}.sheets.part`), path.join(target, `${packageId}.隨附文件`))
    await desk.resume()
    t.same(readdirSync(target).sort(), [packageId, `${packageId}.隨附文件`])
    t.equal(desk.get(copyId)?.isPublished, true)
    t.notOk(existsSync(path.join(office.root, 'copies', copyId)))
  }
})
