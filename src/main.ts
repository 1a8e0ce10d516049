import { Command, CommanderError } from 'commander'
import type { AccountAct } from './cli/account.ts'
import type { ArchiveAct } from './cli/archive.ts'
import type { ArchiveHoldAct } from './cli/archive-hold.ts'
import type { CamerasOptions } from './cli/cameras.ts'
import type { CamerasProbeOptions } from './cli/cameras-probe.ts'
import type { CamerasSetClockOptions } from './cli/cameras-set-clock.ts'
import type { InboxKeyAct } from './cli/inbox-key.ts'
import type { PaperOptions } from './cli/paper.ts'
import { CustosError } from './domain/index.ts'

/** Reads the command line and turns outcomes into exit codes; each command's module is loaded only when it is the one asked for. */
async function main(argv: readonly string[]): Promise<number> {
  let exitCode = 0
  const done = async (outcome: Promise<number>) => { exitCode = await outcome }
  const out = process.stdout
  const program = new Command('custos').description('An on-premise network video recorder that an office can prove').exitOverride()
  program.command('run').description('the recorder; logs JSON lines to stdout').requiredOption('--config <file>', 'configuration file')
    .option('--without-office', 'start no office: it runs as a service of its own')
    .action(async (options: { config: string, withoutOffice?: true }) => {
      await done((await import('./cli/run.ts')).run({ configFile: options.config, isWithOffice: options.withoutOffice !== true, err: process.stderr }))
    })
  program.command('office').description('what serves people, beside a running recorder; `run` starts it').requiredOption('--config <file>', 'configuration file').option('--child', 'end with the process that started it')
    .action(async (options: { config: string, child?: true }) => { await done((await import('./cli/office.ts')).office({ configFile: options.config, isChild: options.child === true })) })
  program.command('warm-up', { hidden: true }).description('compile what run needs, for the first start; the installer does it').action(async () => { await done((await import('./cli/warm-up.ts')).warmUp()) })
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
  program.command('rebuild').description('the catalogue from the volumes, while no recorder runs').requiredOption('--config <file>', 'configuration file').option('--json', 'for programs')
    .action(async (options: { config: string, json?: true }) => { await done((await import('./cli/rebuild.ts')).rebuild({ configFile: options.config, json: options.json === true, out, err: process.stderr })) })
  program.command('scrub').description('read footage again now and say what rotted; exit 0 only if nothing did').requiredOption('--config <file>', 'configuration file').option('--volume <id>').option('--camera <id>')
    .option('--from <time>', 'ISO 8601 with offset').option('--to <time>', 'ISO 8601 with offset').option('--json', 'one JSON object a line')
    .action(async ({ config, volume, camera, from, to, json }: { config: string, volume?: string, camera?: string, from?: string, to?: string, json?: true }) => {
      await done((await import('./cli/scrub.ts')).scrub({ configFile: config, volume, camera, from, to, json: json === true, out }))
    })
  const holdOf = (act: 'place' | 'end' | 'list', description: string) => new Command(act).exitOverride().description(description).requiredOption('--config <file>', 'configuration file')
    .action(async (options: Record<string, string | true | undefined>) => { await done((await import('./cli/hold.ts')).hold(act, options, out)) })
  program.command('hold').description('footage that stays until a recorded act lets it go')
    .addCommand(holdOf('place', 'keep a range from being overwritten; shows what it costs').requiredOption('--camera <id>').option('--stream <name>', 'one stream only').requiredOption('--from <time>', 'ISO 8601 with offset')
      .requiredOption('--to <time>', 'ISO 8601 with offset').requiredOption('--authority <text>', 'on whose word: order, document').option('--application <no>', 'number of the application').requiredOption('--by <name>', 'who places it').option('--dry-run', 'show the cost only'))
    .addCommand(holdOf('end', 'let a held range go').requiredOption('--id <id>').requiredOption('--reason <text>').requiredOption('--by <name>', 'who ends it'))
    .addCommand(holdOf('list', 'holds in force').option('--all', 'ended ones too').option('--json', 'one JSON object a line'))
  program.command('verify').description('an evidence package, folder or ZIP: exit 0 intact and of the key asked for, 3 intact but origin not confirmed, 1 a fault').argument('<package>')
    .option('--fingerprint <hex>', 'of the recorder\'s key, as printed on the cover sheet').option('--checkpoint <file>', 'a checkpoint that was kept elsewhere').option('--json', 'for programs')
    .action(async (place: string, options: { fingerprint?: string, checkpoint?: string, json?: true }) => {
      await done((await import('./cli/verify.ts')).verifyCommand({ place, fingerprint: options.fingerprint, checkpointFile: options.checkpoint, json: options.json === true, out }))
    })
  program.command('overwrites').description('the overwrite record of a day, and why each slot was free to go').requiredOption('--config <file>', 'configuration file').requiredOption('--day <day>', 'local day, e.g. 2026-11-22').option('--json', 'one JSON object a line')
    .action(async (options: { config: string, day: string, json?: true }) => { await done((await import('./cli/overwrites.ts')).overwrites({ configFile: options.config, day: options.day, json: options.json === true, out })) })
  const ofCameras = (name: string, description: string) =>
    new Command(name).exitOverride().description(description)
  program.command('cameras').description('the register of the cameras, and tools to bring them in')
    .addCommand(ofCameras('list', 'the cameras with place and device, as far as the device tells')
      .requiredOption('--config <file>', 'configuration file')
      .option('--csv', 'for a spreadsheet').option('--json', 'one JSON object a line')
      .action(async (options: CamerasOptions) => {
        await done((await import('./cli/cameras.ts')).cameras(options, out)) }), { isDefault: true })
    .addCommand(ofCameras('set-clock', 'sets the clock of a camera by ONVIF, on record').argument('<id>',
      'camera of the configuration').requiredOption('--config <file>', 'configuration file')
      .requiredOption('--by <name>', 'who acts').option('--ntp <host>',
        'time server that the camera is to follow; else it gets the time of this machine once')
      .action(async (id: string, options: CamerasSetClockOptions) => {
        await done((await import('./cli/cameras-set-clock.ts')).camerasSetClock(id, options, out)) }))
    .addCommand(ofCameras('discover', 'devices that answer on the networks of this machine; connects to none')
      .option('--json', 'for programs')
      .action(async (options: { json?: true }) => {
        await done((await import('./cli/cameras-discover.ts')).camerasDiscover(options, out)) }))
    .addCommand(ofCameras('probe',
      'what a camera says of itself and sends, and the lines for the configuration').argument(
        '<host-or-url>', 'address of a device, or rtsp://…')
      .option('--config <file>', 'configuration file, for its secrets').option('--credential <name>',
        'entry of the secrets file').option('--port <number>', 'ONVIF port', '80')
      .option('--source <token>', 'lens of a device with several').option('--seconds <number>',
        'how long to look into the stream').option('--json', 'for programs')
      .action(async (at: string, options: CamerasProbeOptions) => {
        await done((await import('./cli/cameras-probe.ts')).camerasProbe(at, options, out)) }))
  const auditOf = (name: string, description: string) => new Command(name).exitOverride().description(description).requiredOption('--config <file>', 'configuration file')
  program.command('audit').description('the audit log')
    .addCommand(auditOf('verify', 'walk the whole log, beside a running recorder; exit 0 only if unbroken').option('--checkpoint <file...>', 'checkpoints kept elsewhere').option('--json', 'for programs')
      .action(async ({ config, checkpoint, json }: { config: string, checkpoint?: string[], json?: true }) => { await done((await import('./cli/audit-verify.ts')).auditVerify({ configFile: config, checkpointFiles: checkpoint ?? [], json: json === true, out })) }))
    .addCommand(auditOf('checkpoint', 'the newest checkpoint, with its signature').option('--out <file>', 'write FILE, FILE.body, FILE.sig and FILE.pub.pem')
      .action(async ({ config, out: outFile }: { config: string, out?: string }) => { await done((await import('./cli/audit-checkpoint.ts')).auditCheckpoint({ configFile: config, outFile, out })) }))
    .addCommand(auditOf('page', 'a checkpoint as one A4 page to print, sign and file').option('--date <day>', '115-11-22 or 2026-11-22; else the newest').requiredOption('--out <file>', 'HTML file to write')
      .action(async ({ config, date, out: outFile }: { config: string, date?: string, out: string }) => { await done((await import('./cli/audit-checkpoint.ts')).auditPage({ configFile: config, date, outFile, out })) }))
    .addCommand(auditOf('witnessed', 'say that a printed checkpoint was filed').requiredOption('--size <n>', 'second line of the page').requiredOption('--by <name>', 'who printed it').requiredOption('--how <way>', 'print')
      .action(async ({ config, size, by, how }: { config: string, size: string, by: string, how: string }) => { await done((await import('./cli/audit-checkpoint.ts')).auditWitnessed({ configFile: config, size, by, how, out })) }))
    .addCommand(auditOf('accept-office-log', 'say that the office\'s log that did not fit is the right one; it counts from then on').requiredOption('--reason <text>', 'why it is').requiredOption('--by <name>', 'who says so')
      .action(async ({ config, reason, by }: { config: string, reason: string, by: string }) => { await done((await import('./cli/audit-accept.ts')).auditAcceptOfficeLog({ configFile: config, reason, by, out })) }))
    .addCommand(auditOf('proof', 'that an entry stands under a checkpoint, as JSON').requiredOption('--seq <n>', 'number of the entry').option('--size <n>', 'second line of the checkpoint; else the newest').option('--log <name>', 'recorder or office; else the recorder\'s').option('--out <file>', 'file to write')
      .action(async ({ config, seq, size, log, out: outFile }: { config: string, seq: string, size?: string, log?: string, out?: string }) => {
        await done((await import('./cli/audit-read.ts')).auditProof({ configFile: config, seq, size, log, outFile, out }))
      }))
    .addCommand(auditOf('list', 'entries in order').option('--from <time>', 'ISO 8601 with offset').option('--to <time>', 'ISO 8601 with offset').option('--action <name>', 'e.g. slot.overwritten, or slot').option('--application <no>').option('--log <name>', 'recorder or office; else both').option('--json', 'canonical JSON, one entry a line; of one log, else the recorder\'s')
      .action(async ({ json, config, ...filters }: { config: string, from?: string, to?: string, action?: string, application?: string, log?: string, json?: true }) => {
        const { from, to, action, application, log } = filters
        await done((await import('./cli/audit-read.ts')).auditList({ configFile: config, from, to, action, application, log, json: json === true, out }))
      }))
  const time = program.command('time').description('trusted time: where it stands, and the word of two people that the clock is right')
  time.command('status').description('both clocks; exit 0 when they agree').requiredOption('--config <file>', 'configuration file')
    .action(async (options: { config: string }) => { await done((await import('./cli/time.ts')).timeStatus({ configFile: options.config, out })) })
  time.command('confirm').description('one person says the clock is right; a second one must within five minutes').requiredOption('--config <file>', 'configuration file')
    .requiredOption('--as <name>', 'who says so').requiredOption('--reason <text>', 'why; goes into the audit log')
    .action(async (options: { config: string, as: string, reason: string }) => { await done((await import('./cli/time.ts')).timeConfirm({ configFile: options.config, as: options.as, reason: options.reason, out })) })
  const accountOf = (act: AccountAct, description: string) => new Command(act).exitOverride().description(description).requiredOption('--config <file>', 'configuration file')
    .action(async (options: Record<string, string | true | undefined>) => { await done((await import('./cli/account.ts')).account(act, options, out)) })
  const person = (act: AccountAct, description: string) => accountOf(act, description).requiredOption('--id <name>', 'the account').requiredOption('--by <name>', 'who acts; goes into the audit log')
  const oneTime = (command: Command) => command.option('--print', 'show the one-time password even where there is no terminal').option('--token-file <file>', 'where it is written otherwise')
  program.command('account').description('persons: the first account, and what the machine may do for the others')
    .addCommand(oneTime(person('create', 'make an account; active at once while nobody could approve it').requiredOption('--name <name>', 'as the person writes it').requiredOption('--roles <list>', 'e.g. 系統管理, or 管理人員,查核')
      .option('--unit <text>', 'unit', '本所').option('--post <text>', 'post', '未填').option('--reason <text>', 'why', '建立帳號').option('--ends <day>', 'last day of a temporary account, e.g. 2026-12-31').option('--custodian <id>', 'who is present at a vendor\'s visit')))
    .addCommand(accountOf('list', 'all accounts and how they stand').option('--json', 'one JSON object a line'))
    .addCommand(person('disable', 'close an account until it is enabled by request').requiredOption('--reason <text>'))
    .addCommand(person('leave', 'close the account of who leaves, for good').requiredOption('--reason <text>').requiredOption('--undertaking <signed|why not>', 'the secrecy undertaking at leaving'))
    .addCommand(person('unlock', 'end the lock after failed sign-ins'))
    .addCommand(oneTime(person('reset', 'a one-time password; the old one is void').requiredOption('--reason <text>').option('--factor', 'take the second factor away instead')))
    .addCommand(accountOf('break-glass', 'one of two persons; a second must within five minutes').requiredOption('--by <name>', 'who says so').option('--reason <text>', 'why').option('--close <no>', 'close an opening'))
  program.command('calendar').description('office calendars, which deadlines are counted by')
    .addCommand(new Command('import').exitOverride().description('take a year over, as the government publishes it').argument('<file>', 'CSV').requiredOption('--config <file>', 'configuration file').requiredOption('--by <name>', 'who acts; goes into the audit log')
      .option('--replace <why>', 'put it in the place of another one of that year')
      .action(async (file: string, options: Record<string, string | true | undefined>) => { await done((await import('./cli/calendar.ts')).calendar('import', file, options, out)) }))
    .addCommand(new Command('list').exitOverride().description('the years that are known').requiredOption('--config <file>', 'configuration file').option('--json', 'one JSON object a line')
      .action(async (options: Record<string, string | true | undefined>) => { await done((await import('./cli/calendar.ts')).calendar('list', null, options, out)) }))
  const inboxKeyOf = (act: InboxKeyAct, description: string) => new Command(act).exitOverride().description(description).requiredOption('--config <file>', 'configuration file')
    .action(async (options: Record<string, string | true | undefined>) => { await done((await import('./cli/inbox-key.ts')).inboxKey(act, options, out)) })
  program.command('inbox').description('approved requests as files').addCommand(new Command('key').exitOverride().description('document systems that may send them')
    .addCommand(inboxKeyOf('add', 'enrol the public key of a system').requiredOption('--system <name>', 'as the messages name it').requiredOption('--file <pem>', 'Ed25519 public key').requiredOption('--until <day>', 'last day, e.g. 2027-12-31').option('--from <day>', 'first day; else now').requiredOption('--by <name>', 'who acts; goes into the audit log'))
    .addCommand(inboxKeyOf('list', 'all keys and how they stand').option('--json', 'one JSON object a line'))
    .addCommand(inboxKeyOf('revoke', 'take nothing that it signs from now on').requiredOption('--id <id>').requiredOption('--reason <text>').requiredOption('--by <name>', 'who acts; goes into the audit log')))

  const several = (value: string, before: string[] | undefined): string[] => [...before ?? [], value]
  program.command('paper').description('a form as PDF, blank or filled; what names a person goes into the audit log; exit 1 when a character could not be drawn').argument('<form>', '附件1 to 附件5 (form-1 to form-5), 封面 cover, 保管移轉 custody, 銷毀紀錄 destruction, 駁回通知 refusal, 鏡頭公告 announcement, 標示 signage, 查核點 checkpoint')
    .requiredOption('--config <file>', 'configuration file').requiredOption('--out <file>', 'PDF to write; never overwritten').option('--blank', 'the empty form; needs no catalogue')
    .option('--application <no>', 'case to print; form-4 takes several', several).option('--book-page <n>', 'page of the log book').option('--by <name>', 'who prints; needed where a person is named')
    .option('--zone <zone=count>', 'for the announcement and signs; several', several).option('--date <day>', 'of the announcement or checkpoint, e.g. 115-11-26').option('--edition <n>', 'of the announcement').option('--list-place <text>', 'where the list is posted')
    .option('--purpose <text>', 'on signs').option('--contact <text>', 'on signs').option('--url <address>', 'of the full notice, on signs')
    .action(async (form: string, options: PaperOptions) => { await done((await import('./cli/paper.ts')).paper(form, options, out)) })
  const archiveOf = (act: ArchiveAct, description: string) => new Command(act).exitOverride().description(description).requiredOption('--config <file>', 'configuration file')
    .action(async ({ config, id, json }: { config: string, id?: string, json?: true }) => { await done((await import('./cli/archive.ts')).archive(act, { config, id, json: json === true }, out)) })
  const archiveHoldOf = (act: ArchiveHoldAct, description: string) => new Command(act).exitOverride().description(description).requiredOption('--config <file>', 'configuration file')
    .action(async (options: Record<string, string | true | undefined>) => { await done((await import('./cli/archive-hold.ts')).archiveHold(act, options, out)) })
  program.command('archive').description('copies that are kept a year')
    .addCommand(archiveOf('init', 'make the archive in an empty folder, once'))
    .addCommand(archiveOf('list', 'items, their ends and states').option('--json', 'one JSON object a line'))
    .addCommand(archiveOf('verify', 'read items again as a whole, beside a running recorder or without one; exit 0 only if all are as they were put in').option('--id <no>', 'one item only'))
    .addCommand(archiveOf('rebuild', 'rows from the volume after the catalogue was lost, while no recorder runs'))
    .addCommand(new Command('key-backup').exitOverride().description('other places that still hold the key file; destruction records name them')
      .addCommand(archiveHoldOf('key-backup', 'tell of one').name('add').requiredOption('--where <text>', 'where it is kept').requiredOption('--until <day>', 'last day before it is overwritten').requiredOption('--by <name>', 'who acts; goes into the audit log'))
      .addCommand(archiveHoldOf('key-backups', 'those that hold it now').name('list')))
    .addCommand(new Command('hold').exitOverride().description('archived copies that stay past their year')
      .addCommand(archiveHoldOf('place', 'in force at once; another person approves it').requiredOption('--item <no>', 'e.g. A115-0001').requiredOption('--authority <text>', 'document that asks for it').requiredOption('--until <day>', 'last day, e.g. 2027-12-31').requiredOption('--by <name>', 'who acts; goes into the audit log'))
      .addCommand(archiveHoldOf('approve', 'by another person than who placed it').requiredOption('--id <id>').requiredOption('--by <name>', 'who approves'))
      .addCommand(archiveHoldOf('ask-end', 'the first of the two who end one early').requiredOption('--id <id>').requiredOption('--reason <text>').requiredOption('--by <name>', 'who asks'))
      .addCommand(archiveHoldOf('end', 'the second, another person, within five minutes').requiredOption('--id <id>').requiredOption('--by <name>', 'who ends it'))
      .addCommand(archiveHoldOf('list', 'all holds and how they stand').option('--json', 'one JSON object a line')))
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
