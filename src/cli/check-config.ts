import { join, resolve } from 'node:path'
import { bothLanguages, configTexts, countProblems, formatProblems, loadConfig, type VolumeConfig } from '../config/index.ts'
import { realFileSystem, StorageError } from '../platform/file-system.ts'
import { fitLines, fitOf, fitProblem, type VolumeFact } from '../retention/index.ts'
import { IDENTITY_FILE, parseIdentity } from '../storage/index.ts'

export interface CheckConfigOptions {
  readonly configFile: string
  /** Takes whole lines, final newline included. */
  readonly out: (text: string) => void
  /** One JSON object instead of text for people: { schema: 1, file, ok, errors, warnings, problems, fit }; `fit` is null for a file that cannot be read. */
  readonly json?: boolean
}

const EXIT_REFUSED = 2
const IDENTITY_MAX_BYTES = 4096

/**
 * `custos check-config`: every problem at once, and whether the volumes can keep the floor. Exit code 2 when the file would be refused, else 0, warnings or not.
 * A configuration that does not fit is refused by a reload; at start the daemon records anyway, for not recording would be worse, and health is critical.
 */
export async function checkConfig(options: CheckConfigOptions): Promise<number> {
  const result = await loadConfig(options.configFile, { secrets: 'try' })
  const fit = result.ok ? fitOf(result.config, await Promise.all(result.config.volumes.map(volumeFact))) : null
  const lacking = result.ok && fit !== null ? fitProblem(fit, result.config) : null
  const problems = [...result.ok ? result.warnings : result.problems, ...lacking === null ? [] : [lacking]]
  const ok = result.ok && lacking?.severity !== 'error'
  if (options.json) {
    options.out(`${JSON.stringify({ schema: 1, file: resolve(options.configFile), ok, ...countProblems(problems), problems, fit })}\n`)
  } else {
    if (problems.length > 0) options.out(formatProblems(problems))
    if (fit !== null) for (const line of fitLines(fit)) options.out(`${bothLanguages(line)}\n`)
    if (result.ok && ok) {
      const { file, cameras, volumes } = result.config
      options.out(`${bothLanguages(configTexts.allRight({ file, cameras: cameras.length, volumes: volumes.length }))}\n`)
    }
  }
  return ok ? 0 : EXIT_REFUSED
}

/** By its identity file alone: a check may run where the disk is not mounted, or without the right to look. */
async function volumeFact({ id, path }: VolumeConfig): Promise<VolumeFact> {
  try {
    const identity = parseIdentity(await realFileSystem.readText(join(path, IDENTITY_FILE), IDENTITY_MAX_BYTES, 'volume identity'))
    return { id, size: identity?.id === id ? { slotSizeBytes: identity.slotSizeBytes, slots: identity.slotCount } : null }
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    return { id, size: null }
  }
}
