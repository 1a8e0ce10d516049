import { resolve } from 'node:path'
import { bothLanguages, configTexts, countProblems, formatProblems, loadConfig } from '../config/index.ts'

export interface CheckConfigOptions {
  readonly configFile: string
  /** Takes whole lines, final newline included. */
  readonly out: (text: string) => void
  /** One JSON object instead of text for people: { schema: 1, file, ok, errors, warnings, problems }. */
  readonly json?: boolean
}

const EXIT_REFUSED = 2

/** `custos check-config`: every problem at once. Exit code 2 when the daemon would refuse the file, else 0, warnings or not. */
export async function checkConfig(options: CheckConfigOptions): Promise<number> {
  const result = await loadConfig(options.configFile, { secrets: 'try' })
  const problems = result.ok ? result.warnings : result.problems
  if (options.json) {
    options.out(`${JSON.stringify({ schema: 1, file: resolve(options.configFile), ok: result.ok, ...countProblems(problems), problems })}\n`)
  } else {
    if (problems.length > 0) options.out(formatProblems(problems))
    if (result.ok) {
      const { file, cameras, volumes } = result.config
      options.out(`${bothLanguages(configTexts.allRight({ file, cameras: cameras.length, volumes: volumes.length }))}\n`)
    }
  }
  return result.ok ? 0 : EXIT_REFUSED
}
