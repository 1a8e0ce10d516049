import { writeFileSync } from 'node:fs'
import { openAccess, steadyTime } from '../access/index.ts'
import { AuditLog, checkpointTable, signedTextOf } from '../audit/index.ts'
import { LogBook } from '../book/index.ts'
import { formatProblems, loadConfig, type Config } from '../config/index.ts'
import { epochMs, FatalError, type CameraUuid } from '../domain/index.ts'
import { applicationHash, bookPaperOf, formNamed, FORM_NAMES, layOut, paperHash, PaperRefusedError, printPaper, refusalNoticeOf, requestPaperOf, staffEntryOf, Typeface, type FormName, type PaperJob } from '../paper/index.ts'
import { openCatalogueBeside, type Db } from '../platform/catalogue.ts'
import { systemClock } from '../platform/clock.ts'
import { applicationTables, UnknownApplicationError, type Application } from '../requests/index.ts'
import { loadRuleShelf, parseRocDate, rocDateText, startOfOfficeDay, type RuleSet, type RuleShelf } from '../rules/index.ts'
import { footageFinder } from '../storage/index.ts'
import { openHostClock } from '../trusted-time/index.ts'
import { actingPerson } from './acting-person.ts'
import type { Output } from './audit-access.ts'

/** What the command line gives; each form takes those of its own. */
export interface PaperOptions {
  readonly config: string
  readonly out: string
  readonly blank?: true
  readonly application?: readonly string[]
  readonly bookPage?: string
  readonly zone?: readonly string[]
  readonly date?: string
  readonly edition?: string
  readonly listPlace?: string
  readonly purpose?: string
  readonly contact?: string
  readonly url?: string
  readonly by?: string
}
interface Job { readonly job: PaperJob, readonly ruleSet: RuleSet, /** Who and what it is about, for the audit log; null where nobody is named on it. */ readonly printed: { readonly action: string, readonly object: string, readonly applications: readonly string[] } | null }

const EXIT_BAD_CONFIG = 2
const RULE_SETS = new URL('../../config/rule-sets', import.meta.url).pathname
const MOST_ENTRIES = 50, MOST_ZONES = 200

function usage(zh: string, en: string): never { throw new FatalError('CUSTOS_PAPER_USAGE', `${zh}／${en}`, { remedy: '用法見 custos paper --help 與操作說明「紙本」。/ See `custos paper --help` and the operating page on paper.' }) }

/** `custos paper FORM`: a form as PDF, blank or filled, beside a running recorder or without one. What names a person is written into the audit log. Exit 1 when a character could not be drawn. */
export async function paper(formName: string, options: PaperOptions, out: Output): Promise<number> {
  const form = formNamed(formName) ?? usage(`沒有「${formName.slice(0, 40)}」這種文件。可用：${Object.values(FORM_NAMES).join('、')}`, `there is no such paper; known: ${Object.keys(FORM_NAMES).join(', ')}`)
  const result = await loadConfig(options.config, { secrets: 'skip' })
  if (!result.ok) { out.write(formatProblems(result.problems)); return EXIT_BAD_CONFIG }
  const { config } = result
  const shelf = await loadRuleShelf(RULE_SETS)
  if (!shelf.ok) { out.write(formatProblems(shelf.problems)); return EXIT_BAD_CONFIG }
  const today = Temporal.Now.plainDateISO('Asia/Taipei')
  const current = shelf.shelf.inForceOn(today) ?? usage('目前沒有施行中的規定。', 'no rule set is in force')
  const { job, ruleSet, printed } = options.blank === true ? { job: { form: 'blank', name: form } as const, ruleSet: current, printed: null } : filled(form, options, config, shelf.shelf, current)
  const actor = printed === null ? null : actingPerson(options.by ?? '', '--by')
  await using face = await Typeface.open()
  const { pdf, pages, missing } = await printPaper(face, layOut({ face, ruleSet, office: config.site.name }, job))
  if (printed === null || actor === null) writeOut(options.out, pdf)
  else {
    using catalogue = openCatalogueBeside(config.state.dir, 'write')
    const audit = new AuditLog({ db: catalogue.db, clock: systemClock, trusted: () => ({ at: null, state: 'command-line' }) })
    audit.transaction(() => {
      for (const application of printed.applications.length === 0 ? [null] : printed.applications) {
        audit.append({ action: printed.action, actor, object: printed.object, application, result: 'done', detail: { form, pages, sha256: hashOf(job), missing: missing.length } })
      }
      writeOut(options.out, pdf) // a file that cannot be written takes the entry back with it
    })
  }
  out.write(`已寫入 ${options.out}（${FORM_NAMES[form]}，${pages} 頁）。\nwritten ${options.out} (${form}, ${pages} pages)\n`)
  if (missing.length === 0) return 0
  out.write(`注意：下列字元無字形，紙上以方框標示字碼，請手寫補正：${missing.join('、')}\nno glyph for these characters; they stand on the paper as boxes with their code points, to be written by hand: ${missing.join(', ')}\n`)
  return 1
}

const hashOf = (job: PaperJob): string | null => ('data' in job && 'sha256' in job.data ? job.data.sha256 : null)

function filled(form: FormName, options: PaperOptions, config: Config, shelf: RuleShelf, current: RuleSet): Job {
  switch (form) {
    case 'form-2': case 'form-3': case 'form-4': case 'refusal': return ofApplications(form, options, config, shelf)
    case 'form-5': {
      using catalogue = openCatalogueBeside(config.state.dir, 'read')
      const page = Number(/^\d{1,7}$/.exec(options.bookPage ?? '')?.[0] ?? usage('請以 --book-page 指定頁次，或 --blank。', 'give --book-page N, or --blank'))
      const data = bookPaperOf(bookOf(catalogue.db, config).page(page))
      return { job: { form, data }, ruleSet: current, printed: { action: 'book.printed', object: String(page), applications: [] } }
    }
    case 'announcement': case 'signage': return { job: ofZones(form, options, config), ruleSet: current, printed: null }
    case 'checkpoint': {
      using catalogue = openCatalogueBeside(config.state.dir, 'read')
      const table = checkpointTable(catalogue.db)
      const stored = options.date === undefined ? table.newestDay() ?? table.newest() : table.ofDay(dayOf(options.date).toString())
      const text = stored === null ? null : signedTextOf(stored)
      if (text === null || text.at === null) throw new FatalError('CUSTOS_AUDIT_NO_CHECKPOINT', 'there is no such checkpoint', { remedy: 'The recorder makes one at each start and each day: start it once, or give another day.' })
      return { job: { form, data: { site: config.site.name, timezone: config.site.timezone, checkpoint: { ...text, at: text.at } } }, ruleSet: current, printed: null }
    }
    case 'form-1': case 'cover': case 'custody': case 'destruction': throw new PaperRefusedError(`${FORM_NAMES[form]}在此只能印空白表單（--blank）；填好的由產生該紀錄的作業印出。`, `${form} prints blank here (--blank); a filled one comes from the act that makes the record`)
  }
}

function ofApplications(form: 'form-2' | 'form-3' | 'form-4' | 'refusal', options: PaperOptions, config: Config, shelf: RuleShelf): Job {
  const numbers = options.application ?? []
  if (numbers.length === 0 || numbers.length > (form === 'form-4' ? MOST_ENTRIES : 1)) usage('請以 --application 指定案號（附件4可有數件），或 --blank。', 'give --application NO (form-4 takes several), or --blank')
  using catalogue = openCatalogueBeside(config.state.dir, 'read')
  const tables = applicationTables(catalogue.db)
  const applications = numbers.map((number): Application => tables.newest(number)?.record ?? (() => { throw new UnknownApplicationError(number) })())
  const [first] = applications as [Application]
  const ruleSet = shelf.get(first.ruleSet)
  const strange = applications.find(each => each.content.form !== (form === 'refusal' ? each.content.form : form) || each.ruleSet.sha256 !== first.ruleSet.sha256)
  if (strange !== undefined) throw new PaperRefusedError(`案號 ${strange.number} 不是這種表單，或不是同一版規定。`, `${strange.number} was not made on this form, or under other rules`)
  const facts = { ruleSet, cameraName: cameraNames(catalogue.db, config) }
  const printed = { action: 'application.printed', object: first.number, applications: applications.map(each => each.number) }
  if (form === 'refusal') return { job: { form, data: refusalNoticeOf(first, facts) }, ruleSet, printed }
  if (form !== 'form-4') return { job: { form, data: requestPaperOf(first, facts) }, ruleSet, printed }
  const sha256 = applications.length === 1 ? applicationHash(first) : paperHash(applications.map(applicationHash))
  const at = epochMs(Math.max(...applications.map(each => each.signatures.at(-1)?.at ?? each.receivedAt)))
  return { job: { form, data: { systemNo: numbers.length === 1 ? first.number : `${first.number} 等 ${numbers.length} 件`, sha256, at, entries: applications.map(each => staffEntryOf(each, facts)) } }, ruleSet, printed }
}

/** Places of the configured cameras, each with its number, where nobody names zones. */
function placesOf({ cameras }: Config): readonly { readonly zone: string, readonly count: number }[] {
  const without = cameras.filter(({ place }) => place === null).map(({ id }) => id)
  if (without.length > 0) usage(`下列鏡頭在設定檔沒有 place，請補上，或以 --zone 指定區位：${without.slice(0, 10).join('、')}`, `these cameras have no place in the configuration; give it, or name zones by --zone: ${without.slice(0, 10).join(', ')}`)
  return [...Map.groupBy(cameras, ({ place }) => place ?? '')].map(([zone, each]) => ({ zone, count: each.length }))
}

/** `--zone 一樓大廳=4`; a sign needs no number. */
function ofZones(form: 'announcement' | 'signage', options: PaperOptions, config: Config): PaperJob {
  const zones = options.zone === undefined ? placesOf(config) : options.zone.map(text => { const [, zone = text, count = '1'] = /^(.*?)(?:[=＝](\d{1,4}))?$/su.exec(text) ?? []; return { zone: words(zone, '--zone'), count: Number(count) } })
  if (zones.length === 0 || zones.length > MOST_ZONES) usage('請以 --zone 指定區位，如 --zone 一樓大廳=4。', 'give --zone, such as --zone 一樓大廳=4')
  const day = dayOf(options.date ?? usage('請以 --date 指定公告日期，如 115-11-26。', 'give --date, such as 115-11-26'))
  const at = startOfOfficeDay(day), listPlace = words(options.listPlace ?? '', '--list-place')
  const version = Number(/^\d{1,4}$/.exec(options.edition ?? '1')?.[0] ?? usage('--edition 須為版次。', '--edition is a whole number'))
  if (form === 'announcement') {
    const data = { announcedOn: rocDateText(day), version, zones, listPlace }
    return { form, data: { ...data, systemNo: `公告-${version}`, sha256: paperHash({ ...data }), at } }
  }
  const url = options.url ?? usage('請以 --url 指定完整告知事項的網址。', 'give --url, where the full notice stands')
  if (!/^https?:\/\/[\x21-\x7e]{1,200}$/.test(url)) usage('--url 須為 http 或 https 網址。', '--url must be an http or https address')
  const data = { zones: zones.map(each => each.zone), purpose: words(options.purpose ?? '維護場所安全', '--purpose'), contact: words(options.contact ?? '', '--contact'), listPlace, noticeUrl: url }
  return { form, data: { ...data, systemNo: `標示-${version}`, sha256: paperHash({ ...data }), at } }
}

function words(text: string, option: string): string {
  if (Array.from(text).length > 100) usage(`${option} 過長。`, `${option} is too long`)
  return text
}
function dayOf(text: string): Temporal.PlainDate {
  const parsed = parseRocDate(text)
  if (!parsed.ok) usage(`--date「${text.slice(0, 40)}」不是民國日期，如 115-11-26。`, '--date is a day of the ROC calendar, such as 115-11-26')
  return parsed.date
}

/** Name and id of the configuration; the id alone for a camera that left it. */
function cameraNames(db: Db, { cameras }: Config): (camera: CameraUuid) => string {
  const finder = footageFinder(db)
  return uuid => { const id = finder.camera(uuid)?.id; const name = cameras.find(camera => camera.id === id)?.name; return id === undefined ? uuid : name === undefined || name === id ? id : `${name}（${id}）` }
}

function bookOf(db: Db, config: Config): LogBook {
  const audit = new AuditLog({ db, clock: systemClock, trusted: () => ({ at: null, state: 'command-line' }) })
  const access = openAccess({ db, audit, time: steadyTime(db, systemClock, openHostClock().bootId), stateDir: config.state.dir, officeName: config.site.name, mayCombine: () => null })
  return new LogBook({ db, audit, rights: access.sessions, time: systemClock })
}

/** For the owner alone: it may name people. Throws FatalError, also when the file is there already. */
function writeOut(file: string, pdf: Buffer): void {
  try { writeFileSync(file, pdf, { flag: 'wx', mode: 0o600 }) } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') usage(`${file} 已存在，未覆寫。`, `${file} exists already and is left as it is`)
    usage(`${file} 無法寫入（${code ?? '不明'}）。`, `${file} cannot be written (${code ?? 'unknown'})`)
  }
}
