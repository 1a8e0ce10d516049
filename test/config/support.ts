import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { loadConfig, type Config, type LoadOptions, type Problem } from '../../src/config/index.ts'

export const CAMERA = '{ id: lobby, name: 大廳, streams: { main: { url: "rtsp://10.0.0.11/s" } } }'

/** A sound configuration, one section a line; a section given replaces it, an empty one leaves it out. */
export function yamlOf(sections: Partial<Record<keyof typeof SOUND, string>> = {}): string {
  return Object.entries({ ...SOUND, ...sections }).flatMap(([key, text]) => text === '' ? [] : [`${key}: ${text}\n`]).join('')
}

const SOUND = {
  site: '{ name: 信義區戶政事務所 }',
  state: '{ dir: /var/lib/custos }',
  listen: '',
  console: '',
  volumes: '[ { id: disk1, path: /srv/custos/disk1 } ]',
  archive: '',
  retention: '',
  inbox: '',
  office: '',
  package: '',
  secrets: '',
  cameras: `[ ${CAMERA} ]`,
}

export interface Loaded { readonly config: Config | null, readonly problems: readonly Problem[], readonly folder: string }

/** Writes the files into a folder of the test and loads them. */
export async function loaded(t: Test, yaml: string | Buffer, options: LoadOptions & { secrets0600?: string, secretsMode?: number } = {}): Promise<Loaded> {
  const folder = t.testdir({})
  const { secrets0600, secretsMode, ...loadOptions } = options
  await writeFile(join(folder, 'custos.yaml'), yaml)
  if (secrets0600 !== undefined) {
    await writeFile(join(folder, 'secrets.yaml'), secrets0600)
    await chmod(join(folder, 'secrets.yaml'), secretsMode ?? 0o600)
  }
  const result = await loadConfig(join(folder, 'custos.yaml'), loadOptions)
  return { config: result.ok ? result.config : null, problems: result.ok ? result.warnings : result.problems, folder }
}

/** `path|line|code` of each. */
export const briefly = (problems: readonly Problem[]): string[] => problems.map(({ path, line, code }) => `${path}|${line ?? '-'}|${code}`)
