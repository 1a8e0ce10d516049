import { readCommand } from './command.ts'
import type { Config, WitnessConfig } from './config.ts'
import { DEFAULTS } from './defaults.ts'
import { checkedHost } from './endpoints.ts'
import type { ProblemList } from './problem.ts'
import type { RawConfig } from './schema.ts'
import type { Draft } from './shape.ts'
import { texts } from './texts.ts'

type WitnessDraft = NonNullable<Draft<RawConfig>>['witness']
type SyslogDraft = NonNullable<WitnessDraft>['syslog']

const COMMAND = { steps: ['witness', 'command'], text: texts.witnessCommand, example: '/usr/local/bin/mail-checkpoint' } as const

function readSyslog(draft: SyslogDraft, problems: ProblemList): WitnessConfig['syslog'] {
  if (draft === undefined || draft === null || draft === false) return null
  const { tag, server, port } = draft === true ? {} : draft
  if (port !== undefined && server === undefined) problems.add({ steps: ['witness', 'syslog', 'port'], at: 'key', text: texts.witnessPort, example: 'server: 10.0.0.5' })
  const host = typeof server === 'string' ? checkedHost(server, ['witness', 'syslog', 'server'], '10.0.0.5', problems) : null
  return { tag: tag ?? DEFAULTS.syslogTag, server: host === null ? null : { host, port: port ?? DEFAULTS.syslogPort } }
}

/** Null when the section is left out or switches everything off. What is wrong is in `problems`. */
export function readWitness(draft: { readonly witness?: WitnessDraft }, problems: ProblemList): Config['witness'] {
  const given = draft.witness
  if (given === undefined || given === null) return null
  const isNone = given.syslog !== null && !given.syslog && given.command === undefined && given.print !== null && !given.print
  if (isNone) problems.add({ severity: 'warning', steps: ['witness'], text: texts.witnessNone, example: '{ syslog: true }' })
  const witness = { syslog: readSyslog(given.syslog, problems), command: readCommand(given.command, COMMAND, problems), print: given.print === true }
  return isNone ? null : witness
}
