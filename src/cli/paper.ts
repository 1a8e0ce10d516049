import { writeFileSync } from 'node:fs'
import { openAccess } from '../access/index.ts'
import { checkpointTable } from '../audit/index.ts'
import { LogBook } from '../book/index.ts'
import { formatProblems, loadConfig, type Config } from '../config/index.ts'
import { FatalError, type CameraUuid } from '../domain/index.ts'
import { cameraOf } from '../footage/index.ts'
import { announcementOrder, blankOrder, bookOrder, cameraLabel, caseOrder, checkpointOrder, formNamed, FORM_NAMES, layOut, notePrinted, PaperRefusedError, printPaper, signageOrder, Typeface, type CaseForm, type FormName, type PaperOrder } from '../paper/index.ts'
import { openCatalogueBeside, type Db } from '../platform/catalogue.ts'
import { systemClock } from '../platform/clock.ts'
import { applicationTables, UnknownApplicationError, type Application } from '../requests/index.ts'
import { loadRuleShelf, parseRocDate, type RuleSet, type RuleShelf } from '../rules/index.ts'
import { recordedCameras } from '../storage/index.ts'
import { actingPerson } from './acting-person.ts'
import type { Output } from './audit-access.ts'
import { officeBeside, type OfficeBeside } from './office-beside.ts'

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

const EXIT_BAD_CONFIG = 2
const RULE_SETS = new URL('../../config/rule-sets', import.meta.url).pathname

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
  const order = options.blank === true ? blankOrder(form, current) : filled(form, options, config, shelf.shelf, current)
  const actor = order.named === null ? null : actingPerson(options.by ?? '', '--by')
  await using face = await Typeface.open()
  const printed = await printPaper(face, layOut({ face, ruleSet: order.ruleSet, office: config.site.name }, order.job)), { pdf, pages, missing } = printed
  if (actor === null) writeOut(options.out, pdf)
  else {
    using office = officeBeside(config, 'write')
    const { audit } = office
    audit.transaction(() => {
      notePrinted(audit, actor, order, printed)
      writeOut(options.out, pdf) // a file that cannot be written takes the entry back with it
    })
  }
  out.write(`已寫入 ${options.out}（${FORM_NAMES[form]}，${pages} 頁）。\nwritten ${options.out} (${form}, ${pages} pages)\n`)
  if (missing.length === 0) return 0
  out.write(`注意：下列字元無字形，紙上以方框標示字碼，請手寫補正：${missing.join('、')}\nno glyph for these characters; they stand on the paper as boxes with their code points, to be written by hand: ${missing.join(', ')}\n`)
  return 1
}

function filled(form: FormName, options: PaperOptions, config: Config, shelf: RuleShelf, current: RuleSet): PaperOrder {
  switch (form) {
    case 'form-2': case 'form-3': case 'form-4': case 'refusal': return ofApplications(form, options, config, shelf)
    case 'form-5': {
      using office = officeBeside(config, 'read')
      const page = Number(/^\d{1,7}$/.exec(options.bookPage ?? '')?.[0] ?? usage('請以 --book-page 指定頁次，或 --blank。', 'give --book-page N, or --blank'))
      return bookOrder(bookOf(office, config).page(page), current)
    }
    case 'announcement': case 'signage': return ofZones(form, options, current, config)
    case 'checkpoint': {
      using catalogue = openCatalogueBeside(config.state.dir, 'read')
      const table = checkpointTable(catalogue.db)
      const stored = options.date === undefined ? table.newestDay() ?? table.newest() : table.ofDay(dayOf(options.date).toString())
      const order = stored === null ? null : checkpointOrder(stored, { site: config.site.name, timezone: config.site.timezone }, current)
      if (order === null) throw new FatalError('CUSTOS_AUDIT_NO_CHECKPOINT', 'there is no such checkpoint', { remedy: 'The recorder makes one at each start and each day: start it once, or give another day.' })
      return order
    }
    case 'form-1': case 'cover': case 'custody': case 'destruction': throw new PaperRefusedError(`${FORM_NAMES[form]}在此只能印空白表單（--blank）；填好的由產生該紀錄的作業印出。`, `${form} prints blank here (--blank); a filled one comes from the act that makes the record`)
  }
}

function ofApplications(form: CaseForm, options: PaperOptions, config: Config, shelf: RuleShelf): PaperOrder {
  const numbers = options.application ?? []
  if (numbers.length === 0 || (numbers.length > 1 && form !== 'form-4')) usage('請以 --application 指定案號（附件4可有數件），或 --blank。', 'give --application NO (form-4 takes several), or --blank')
  using office = officeBeside(config, 'read')
  using catalogue = openCatalogueBeside(config.state.dir, 'read')
  const tables = applicationTables(office.db)
  const applications = numbers.map((number): Application => tables.newest(number)?.record ?? (() => { throw new UnknownApplicationError(number) })())
  return caseOrder(form, applications as [Application, ...Application[]], { shelf, cameraName: cameraNames(catalogue.db, config) })
}

/** Places of the configured cameras, each with its number, where nobody names zones. */
function placesOf({ cameras }: Config): readonly { readonly zone: string, readonly count: number }[] {
  const without = cameras.filter(({ place }) => place === null).map(({ id }) => id)
  if (without.length > 0) usage(`下列鏡頭在設定檔沒有 place，請補上，或以 --zone 指定區位：${without.slice(0, 10).join('、')}`, `these cameras have no place in the configuration; give it, or name zones by --zone: ${without.slice(0, 10).join(', ')}`)
  return [...Map.groupBy(cameras, ({ place }) => place ?? '')].map(([zone, each]) => ({ zone, count: each.length }))
}

/** `--zone 一樓大廳=4`; a sign needs no number. */
function ofZones(form: 'announcement' | 'signage', options: PaperOptions, current: RuleSet, config: Config): PaperOrder {
  const zones = options.zone === undefined ? placesOf(config) : options.zone.map(text => { const [, zone = text, count = '1'] = /^(.*?)(?:[=＝](\d{1,4}))?$/su.exec(text) ?? []; return { zone, count: Number(count) } })
  if (zones.length === 0) usage('請以 --zone 指定區位，如 --zone 一樓大廳=4。', 'give --zone, such as --zone 一樓大廳=4')
  const on = dayOf(options.date ?? usage('請以 --date 指定公告日期，如 115-11-26。', 'give --date, such as 115-11-26'))
  const edition = Number(/^\d{1,4}$/.exec(options.edition ?? '1')?.[0] ?? usage('--edition 須為版次。', '--edition is a whole number'))
  const facts = { zones, on, edition, listPlace: options.listPlace ?? '' }
  if (form === 'announcement') return announcementOrder(facts, current)
  return signageOrder({ ...facts, purpose: options.purpose ?? '維護場所安全', contact: options.contact ?? '', noticeUrl: options.url ?? usage('請以 --url 指定完整告知事項的網址。', 'give --url, where the full notice stands') }, current)
}

function dayOf(text: string): Temporal.PlainDate {
  const parsed = parseRocDate(text)
  if (!parsed.ok) usage(`--date「${text.slice(0, 40)}」不是民國日期，如 115-11-26。`, '--date is a day of the ROC calendar, such as 115-11-26')
  return parsed.date
}

/** Name and id of the configuration; the id alone for a camera that left it. */
function cameraNames(db: Db, { cameras }: Config): (camera: CameraUuid) => string {
  const recorded = recordedCameras(db), footage = { cameras: () => recorded }
  return uuid => { const id = cameraOf(footage, uuid)?.id; return cameraLabel(uuid, id === undefined ? null : { id, name: cameras.find(camera => camera.id === id)?.name }) }
}

function bookOf(office: OfficeBeside, config: Config): LogBook {
  const access = openAccess({ ...office, stateDir: config.state.dir, officeName: config.site.name, mayCombine: () => null })
  return new LogBook({ ...office, rights: access.sessions, time: systemClock })
}

/** For the owner alone: it may name people. Throws FatalError, also when the file is there already. */
function writeOut(file: string, pdf: Buffer): void {
  try { writeFileSync(file, pdf, { flag: 'wx', mode: 0o600 }) } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') usage(`${file} 已存在，未覆寫。`, `${file} exists already and is left as it is`)
    usage(`${file} 無法寫入（${code ?? '不明'}）。`, `${file} cannot be written (${code ?? 'unknown'})`)
  }
}
