import { resolve } from 'node:path'
import type { Credential } from '../domain/index.ts'
import { lookUpSecrets } from './load.ts'
import { ProblemList, type Problem } from './problem.ts'
import { checkShape, isMapping } from './shape.ts'
import { readTextFile } from './text-file.ts'
import { parseYaml } from './yaml-source.ts'

/**
 * One entry of the secrets file that a configuration names, whether a camera uses it or not; null with what
 * is wrong.
 */
export async function namedCredential(path: string,
  name: string): Promise<{ readonly credential: Credential | null, readonly problems: readonly Problem[] }> {
  const file = resolve(path), source = await readTextFile(file)
  const yaml = source.ok ? parseYaml(source.text) : null
  const problems = new ProblemList(file, yaml?.locate)
  const draft = yaml !== null && isMapping(yaml.value) ? checkShape(yaml.value).draft : null
  if (draft === null) return { credential: null, problems: problems.all() }
  const secrets = await lookUpSecrets(draft, file, { secrets: 'load' }, problems)
  const credential = secrets.book.kind === 'read' ? secrets.book.entries.get(name) ?? null : null
  return { credential, problems: [...problems.all(), ...secrets.problems] }
}
