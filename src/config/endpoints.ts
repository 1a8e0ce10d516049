import type { ConsoleTls, Config, Endpoint } from './config.ts'
import { DEFAULTS } from './defaults.ts'
import { isHost, isLoopback } from './host.ts'
import { absolutePath } from './places.ts'
import type { ProblemList, Steps } from './problem.ts'
import type { RawConfig } from './schema.ts'
import type { Draft } from './shape.ts'
import { texts } from './texts.ts'

type EndpointsDraft = Pick<NonNullable<Draft<RawConfig>>, 'listen' | 'console'>

/** The text if it names a host, else null with the problem told. */
export function checkedHost(text: string | null, steps: Steps, example: string, problems: ProblemList): string | null {
  if (text === null || isHost(text)) return text
  problems.add({ steps, text: text.includes('@') ? texts.hostUserinfo : texts.host, example })
  return null
}

const orDefault = <T>(value: T | null | undefined, fallback: T): T | null => value === undefined ? fallback : value

function readEndpoint(section: 'listen' | 'console', draft: EndpointsDraft, problems: ProblemList): Endpoint | null {
  const given: Draft<{ host?: string, port?: number }> | undefined = draft[section]
  if (given === null) return null
  const host = checkedHost(orDefault(given?.host, DEFAULTS[section].host), [section, 'host'], '127.0.0.1', problems)
  const port = orDefault(given?.port, DEFAULTS[section].port)
  return host !== null && port !== null ? { host, port } : null
}

function readTls(draft: EndpointsDraft, host: string | null, problems: ProblemList): ConsoleTls | null {
  const tls = draft.console?.tls === undefined ? DEFAULTS.console.tls : draft.console.tls
  if (tls === null || tls === 'auto') return tls
  if (tls === 'off') {
    if (host === null || isLoopback(host)) return tls
    problems.add({ steps: ['console', 'tls'], text: texts.tlsOff, example: 'auto' })
    return null
  }
  const path = (key: 'cert' | 'key'): string | null => {
    const text = tls[key]
    if (typeof text !== 'string') return null
    const checked = absolutePath(text)
    if (checked === null) problems.add({ steps: ['console', 'tls', key], text: texts.absolutePath, example: `/etc/custos/console.${key === 'cert' ? 'crt' : 'key'}` })
    return checked
  }
  const [cert, key] = [path('cert'), path('key')]
  return cert !== null && key !== null ? { cert, key } : null
}

/** Health answers without accounts, so it must not be reachable from outside; the console has accounts and TLS. */
export function readEndpoints(draft: EndpointsDraft, problems: ProblemList): Pick<Config, 'listen' | 'console'> | null {
  const listen = readEndpoint('listen', draft, problems)
  if (listen && !isLoopback(listen.host)) problems.add({ steps: ['listen', 'host'], text: texts.loopbackOnly, example: '127.0.0.1' })
  const endpoint = readEndpoint('console', draft, problems)
  const tls = readTls(draft, endpoint?.host ?? null, problems)
  if (listen && endpoint?.port === listen.port) {
    problems.add({ steps: draft.console?.port ? ['console', 'port'] : ['listen', 'port'], text: texts.samePort, example: String(listen.port + 1) })
  }
  return listen && endpoint && tls ? { listen, console: { ...endpoint, tls } } : null
}
