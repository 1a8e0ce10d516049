import { X509Certificate } from 'node:crypto'
import { readCommand } from './command.ts'
import type { Config, TimestampConfig } from './config.ts'
import { absolutePath } from './places.ts'
import type { ProblemList } from './problem.ts'
import type { RawConfig } from './schema.ts'
import type { Draft } from './shape.ts'
import { readTextFile, shellWord } from './text-file.ts'
import { texts } from './texts.ts'

const COMMAND = { steps: ['package', 'timestamp', 'command'], text: texts.timestampCommand, example: '/opt/custos/config/time-stamp-hook' } as const
const CA = ['package', 'timestamp', 'ca'] as const
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g
/** `scheme://user:word@host`: every user of the machine sees the arguments of a program. */
const ACCOUNT = /:\/\/[^/\s]*@/

/**
 * The time stamping hook. A certificate file that cannot be used is a warning: packages go without a token and say why, and the recorder records all the same.
 */
export async function readPackage(draft: Pick<NonNullable<Draft<RawConfig>>, 'package'>, problems: ProblemList): Promise<Config['package']> {
  const given = draft.package?.timestamp
  if (given === undefined || given === null) return { timestamp: null }
  const command = readCommand(given.command, COMMAND, problems)
  given.command?.forEach((word, index) => { if (word !== null && ACCOUNT.test(word)) problems.add({ steps: [...COMMAND.steps, index], text: texts.timestampAccount, example: 'http://tsa.example.org/tsr' }) })
  return { timestamp: command === null ? null : { command, ca: typeof given.ca === 'string' ? await readCa(given.ca, problems) : null } }
}

async function readCa(text: string, problems: ProblemList): Promise<TimestampConfig['ca']> {
  const file = absolutePath(text)
  if (file === null) { problems.add({ steps: CA, text: texts.absolutePath, example: '/etc/custos/tsa-ca.pem' }); return null }
  const read = await readTextFile(file)
  if (!read.ok) { problems.add({ severity: 'warning', steps: CA, ...read.fault }); return { file, pem: null } }
  const found = read.text.match(CERTIFICATE) ?? []
  const unfit = read.text.includes('PRIVATE KEY-----') ? texts.timestampCaKey : found.length === 0 || !found.every(isCertificate) ? texts.timestampCa : null
  if (unfit !== null) { problems.add({ severity: 'warning', steps: CA, text: unfit, example: `openssl x509 -in ${shellWord(file)} -noout -subject` }); return { file, pem: null } }
  return { file, pem: `${found.join('\n')}\n` } // remarks between them stay here
}

function isCertificate(pem: string): boolean {
  try { return new X509Certificate(pem).raw.length > 0 } catch { return false } // what is no certificate
}
