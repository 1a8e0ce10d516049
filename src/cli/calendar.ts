import { actorOf, atMachine } from '../access/index.ts'
import { formatProblems } from '../config/index.ts'
import { FatalError } from '../domain/index.ts'
import { boundedBytes, keepCalendarYear, parseCalendarFile, readCalendarFolder } from '../rules/index.ts'
import { actingPerson } from './acting-person.ts'
import { officeParts, type Options, type OfficeParts, type Out } from './office-parts.ts'

const EXIT_BAD_CONFIG = 2
const EXIT_REFUSED = 1

const usage = (message: string, remedy: string, cause?: unknown) => new FatalError('CUSTOS_CALENDAR_REFUSED', message, { remedy, cause })

/** `custos calendar import | list`: the office calendars that deadlines are counted by. A running recorder takes a new one over by itself. */
export async function calendar(act: 'import' | 'list', file: string | null, options: Options, out: Out): Promise<number> {
  const config = options['config']
  if (typeof config !== 'string') throw usage('--config is missing', 'See `custos calendar --help`.')
  using parts = await officeParts(config, act === 'list' ? 'read' : 'write', out)
  if (parts === null) return EXIT_BAD_CONFIG
  return act === 'list' ? await list(parts, options, out) : await importFile(parts, file ?? '', options, out)
}

async function importFile({ config, audit, access }: OfficeParts, file: string, options: Options, out: Out): Promise<number> {
  const acting = atMachine(actingPerson(String(options['by'] ?? ''), '--by'))
  const bytes = await boundedBytes(file).catch((error: unknown) => { throw usage(`${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`, 'Name the CSV file that was downloaded; a link is not followed.', error) })
  const parsed = parseCalendarFile(bytes, file)
  if (!parsed.ok) { out.write(formatProblems(parsed.problems)); return EXIT_REFUSED }
  const folder = config.office.calendar, kept = await readCalendarFolder(folder)
  const reason = typeof options['replace'] === 'string' ? options['replace'].trim() : null
  const changed = parsed.years.filter(year => kept.years.find(known => known.year === year.year)?.sourceSha256 !== year.sourceSha256)
  const replaced = changed.filter(({ year }) => kept.years.some(known => known.year === year)).map(({ year }) => year)
  if (replaced.length > 0 && (reason === null || reason === '' || reason.length > 500)) {
    throw usage(`${replaced.join('、')} 年已匯入過不同的日曆，未變更。/ another calendar of ${replaced.join(', ')} was imported before; nothing was changed`, 'Say why it is replaced: --replace "政府修正公布". Deadlines of open cases are counted anew by it.')
  }
  for (const { year, restDays, sourceSha256 } of changed) {
    const before = kept.years.find(known => known.year === year)
    // The entry first: a calendar in force without one could not be explained, one that is missing after a kill is imported again.
    audit.transaction(() => {
      access.sessions.requireRight(acting, 'config')
      audit.append({ action: 'calendar.imported', actor: actorOf(acting), object: String(year), application: null, result: 'done', detail: { sha256: sourceSha256, restDays: restDays.size, replaces: before?.sourceSha256 ?? null, reason: before === undefined ? null : reason } })
    })
    await keepCalendarYear(folder, year, bytes).catch((error: unknown) => { throw usage(`the calendar could not be written to ${folder} (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`, 'Look at the folder and its disk (office.calendar), and run it again.', error) })
  }
  for (const { year, restDays } of parsed.years) out.write(`${year} 年：放假日 ${restDays.size} 天${changed.some(each => each.year === year) ? '，已匯入' : '，先前已匯入相同的檔案'}。\n${year}: ${restDays.size} days off${changed.some(each => each.year === year) ? ', imported' : ', the same file was imported before'}\n`)
  return 0
}

async function list({ config }: OfficeParts, options: Options, out: Out): Promise<number> {
  const { years, problems } = await readCalendarFolder(config.office.calendar)
  if (problems.length > 0) out.write(formatProblems(problems))
  for (const { year, restDays, sourceSha256 } of years) {
    out.write(options['json'] === true ? `${JSON.stringify({ year, restDays: restDays.size, sha256: sourceSha256 })}\n` : `${year}（民國 ${year - 1911} 年）  放假日 days off ${restDays.size}  SHA-256 ${sourceSha256}\n`)
  }
  if (years.length === 0 && options['json'] !== true) out.write('尚未匯入任何一年；期限只扣除星期六、日。\nno year was imported: deadlines know Saturdays and Sundays only\n')
  return problems.length > 0 ? EXIT_REFUSED : 0
}
