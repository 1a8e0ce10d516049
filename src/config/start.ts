import { resolve } from 'node:path'
import type { EpochMs } from '../domain/index.ts'
import type { Config } from './config.ts'
import { keptConfigs } from './last-good.ts'
import { loadConfig, type LoadOptions } from './load.ts'
import type { Problem } from './problem.ts'
import type { ConfigSource } from './source.ts'

export interface RejectedFile {
  readonly problems: readonly Problem[]
  /** Null where it cannot be read. */
  readonly sha256: string | null
  readonly takenOverAt: EpochMs
}
/** A configuration to start with. */
export interface StartConfig {
  readonly config: Config
  readonly source: ConfigSource
  /** Files whose change may change the configuration. */
  readonly files: readonly string[]
  /**
   * Null: `config` is what the file says. Else what is wrong with the file, and since when the copy used in
   * its place was in force.
   */
  readonly rejected: RejectedFile | null
}
/** There has never been a good configuration. */
export interface NoStartConfig {
  readonly config: null
  readonly problems: readonly Problem[]
  readonly files: readonly string[]
}

export interface StartOptions extends Pick<LoadOptions, 'credentialsDirectory' | 'uid'> {
  /** `skip`: no account of a camera is read. */
  readonly secrets?: 'load' | 'skip'
  /** Stands in for the environment of this process. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Also what another user keeps: for who only looks. */
  readonly anyOwner?: boolean
}

/**
 * The configuration, or the last good one while the file is missing, unreadable or wrong, or its secrets are
 * refused.
 */
export async function loadStartConfig(
  path: string, { env = process.env, anyOwner = false, ...options }: StartOptions = {},
): Promise<StartConfig | NoStartConfig> {
  const result = await loadConfig(path, options)
  if (result.ok) return { config: result.config, source: result.source, files: result.files, rejected: null }
  const { problems, stateDir, sha256, files } = result
  for (const { takenOverAt, copy } of await keptConfigs(resolve(path), { hint: stateDir, env, anyOwner })) {
    // Without its accounts as a last resort: what systemd hands over is not copied, and cameras without a
    // password are recorded then.
    for (const secrets of options.secrets === 'skip' ? ['skip'] as const : ['load', 'skip'] as const) {
      const kept = await loadConfig(path, { ...options, copy, secrets })
      if (kept.ok) {
        const { config, source } = kept
        const all = [...new Set([...files, ...kept.files])]
        return { config, source, files: all, rejected: { problems, sha256, takenOverAt } }
      }
    }
  }
  return { config: null, problems, files }
}
