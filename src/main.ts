import { Command, CommanderError } from 'commander'
import { CustosError } from './domain/index.ts'

/** Reads the command line and turns outcomes into exit codes; each command's module is loaded only when it is the one asked for. */
async function main(argv: readonly string[]): Promise<number> {
  let exitCode = 0
  const done = async (outcome: Promise<number>) => { exitCode = await outcome }
  const out = process.stdout
  const program = new Command('custos').description('An on-premise network video recorder that an office can prove').exitOverride()
  program.command('run').description('the recorder; logs JSON lines to stdout').requiredOption('--config <file>', 'configuration file')
    .action(async (options: { config: string }) => { await done((await import('./cli/run.ts')).run({ configFile: options.config, err: process.stderr })) })
  program.command('check-config').description('all problems of a configuration at once').requiredOption('--config <file>', 'configuration file').option('--json', 'for programs')
    .action(async (options: { config: string, json?: true }) => {
      await done((await import('./cli/check-config.ts')).checkConfig({ configFile: options.config, json: options.json === true, out: text => out.write(text) }))
    })
  program.command('status').description('the health snapshot; exit 0 healthy, 1 degraded, 2 critical, 3 not running').requiredOption('--config <file>', 'configuration file').option('--json', 'for programs')
    .action(async (options: { config: string, json?: true }) => { await done((await import('./cli/status-command.ts')).statusCommand({ configFile: options.config, json: options.json === true, out })) })
  program.command('volume').description('volumes').addCommand(new Command('init').exitOverride().description('allocate a volume once').argument('<dir>')
    .requiredOption('--id <id>', 'name in the configuration').requiredOption('--size <size>', 'e.g. 4TiB').option('--slot-size <size>', 'e.g. 64MiB')
    .action(async (folder: string, options: { id: string, size: string, slotSize?: string }) => { await done((await import('./cli/volume-init.ts')).volumeInit({ folder, ...options, out })) }))
  program.command('rescue').description('what volumes themselves say, without catalogue or recorder').argument('<dirs...>')
    .option('--list', 'list the footage').option('--json', 'one JSON object a line').option('--camera <id>').option('--stream <name>', 'which stream', 'main')
    .option('--from <time>', 'ISO 8601 with offset').option('--to <time>', 'ISO 8601 with offset').option('--out <file>', 'write a clip').option('--reason <text>', 'why; goes into the rescue log')
    .action(async (folders: string[], options: Record<string, string | true | undefined>) => { await done((await import('./cli/rescue.ts')).rescue(folders, options, { out, err: process.stderr })) })
  await program.parseAsync(argv, { from: 'user' })
  return exitCode
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode
  else if (error instanceof CustosError) {
    process.stderr.write(`${error.code}: ${error.message}\n${error.remedy}\n`)
    process.exitCode = 1
  } else throw error
}
