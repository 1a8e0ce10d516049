import type { Config } from '../config/index.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import type { ConsoleParts } from './parts.ts'
import { ConsoleServer, type ConsoleServerOptions } from './server.ts'

/** The console as the configuration has it. Closed by whoever opened it. Throws like `ConsoleServer.open`; recording must not end for it [G9]. */
export const openConsole = ({ console: { host, port, tls }, state }: Pick<Config, 'console' | 'state'>, parts: ConsoleParts, { clock, log, ...more }: { readonly clock: Clock, readonly log: Logger } & Partial<Pick<ConsoleServerOptions, 'routes' | 'rates' | 'extend'>>): Promise<ConsoleServer> =>
  ConsoleServer.open({ host, port, tls, stateDir: state.dir, parts, clock, log, ...more })
