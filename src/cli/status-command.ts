import { formatProblems, loadConfig, loadStartConfig } from '../config/index.ts'
import { EXIT_NOT_RUNNING, status } from './status.ts'

/** `custos status`: asks the recorder that the configuration names. Opens no secret. */
export async function statusCommand(options: { readonly configFile: string, readonly json: boolean, readonly out: { write(text: string): unknown } }): Promise<number> {
  const result = await loadConfig(options.configFile, { secrets: 'skip' })
  // A recorder that runs on the last good configuration is asked by that one, and says what is wrong with the
  // file.
  const { config } = result.ok ? result : await loadStartConfig(options.configFile, { anyOwner: true })
  if (config === null) {
    if (!result.ok) options.out.write(formatProblems(result.problems))
    return EXIT_NOT_RUNNING
  }
  const { listen, site } = config
  return await status({ ...listen, json: options.json, out: options.out, timeZone: site.timezone })
}
