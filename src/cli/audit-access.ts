import { existsSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import path from 'node:path'
import { sqliteCode, type AuditLog } from '../audit/index.ts'
import { formatProblems, loadConfig, type Config } from '../config/index.ts'
import { FatalError, type AuditActor } from '../domain/index.ts'
import { OFFICE_FILE, openCatalogueBeside, type Catalogue, type Db } from '../platform/catalogue.ts'
import { openOfficeBeside } from '../platform/office-database.ts'
import { loginName } from './acting-person.ts'
import { logBeside } from './log-beside.ts'

export interface Output { write(text: string): unknown }
export interface AuditAccess { readonly config: Config, readonly db: Db, readonly log: AuditLog }
/** The recorder's log, and the office's where it has one of its own. */
export type LogName = 'recorder' | 'office'
export interface OneLog { readonly name: LogName, readonly db: Db, readonly log: AuditLog }

export const EXIT_BAD_CONFIG = 2

export function usage(message: string, remedy: string): never { throw new FatalError('CUSTOS_AUDIT_USAGE', message, { remedy }) }

type Mode = 'read' | 'write'

/** Opens the log beside the running program, hands it to `use` and closes it. Exit 2 when the configuration cannot be read. */
export async function withAudit(
  options: { readonly configFile: string, readonly mode: Mode | ((stateDir: string) => Mode), readonly out: Output },
  use: (access: AuditAccess) => number,
): Promise<number> {
  const result = await loadConfig(options.configFile, { secrets: 'skip' })
  if (!result.ok) {
    options.out.write(formatProblems(result.problems))
    return EXIT_BAD_CONFIG
  }
  const { dir } = result.config.state, { mode } = options
  using catalogue = openCatalogueBeside(dir, typeof mode === 'string' ? mode : mode(dir))
  const log = logBeside(catalogue.db)
  try {
    return use({ config: result.config, db: catalogue.db, log })
  } catch (error) {
    if (sqliteCode(error) === null) throw error
    throw new FatalError('CUSTOS_CATALOGUE_UNUSABLE', `the catalogue in ${result.config.state.dir} cannot be used: ${(error as Error).message}`, {
      remedy: 'Keep the file for examination, restore the last backup or move it away and run `custos rebuild`.', cause: error,
    })
  }
}

/**
 * Opens both logs beside the running programs, hands them to `use` and closes them: the office's to be written, for
 * reading is an act of a person, which is noted in the last of them. As `withAudit`.
 */
export async function withBothLogs(
  options: { readonly configFile: string, readonly out: Output },
  use: (config: Config, logs: readonly OneLog[]) => number,
): Promise<number> {
  const mode = (stateDir: string) => hasOffice(stateDir) ? 'read' : 'write'
  return await withAudit({ ...options, mode }, ({ config, ...recorder }) => {
    if (!hasOffice(config.state.dir)) return use(config, [{ name: 'recorder', ...recorder }])
    using office = openOfficeBeside(config.state.dir, 'write')
    return use(config, [{ name: 'recorder', ...recorder }, { name: 'office', db: office.db, log: logBeside(office.db) }])
  })
}

/** Throws FatalError where the name is none, or there is no such log. */
export function logNamed(logs: readonly OneLog[], name: string): OneLog {
  return logs.find(log => log.name === name) ?? usage(`there is no log ${JSON.stringify(name)}`, `Write --log ${logs.map(log => log.name).join(' or --log ')}.`)
}

const hasOffice = (stateDir: string): boolean => existsSync(path.join(stateDir, OFFICE_FILE))

/** The office's database, to be read beside the office that runs; null where there is none. The caller closes it. */
export function officeToRead(stateDir: string): Catalogue | null {
  return hasOffice(stateDir) ? openOfficeBeside(stateDir, 'read') : null
}

/** Whoever is logged in, where a command asks for no name. */
export const loggedInPerson = (): AuditActor => ({ kind: 'machine-user', name: process.env['SUDO_USER'] ?? userInfo().username, role: null, source: `login ${loginName()}` })

/** Throws FatalError with the reason when the file cannot be written, also when it is there already. */
export function writeNew(file: string, content: string | Buffer): void {
  try { writeFileSync(file, content, { flag: 'wx', mode: 0o644 }) } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    usage(code === 'EEXIST' ? `${file} exists already and is left as it is` : `${file} cannot be written (${code ?? 'unknown'})`, 'Give another path with --out.')
  }
}

export function wholeNumber(text: string, option: string): number {
  if (!/^\d{1,15}$/.test(text)) usage(`${option} ${JSON.stringify(text)} is no whole number`, `Write it as ${option} 1234.`)
  return Number(text)
}
