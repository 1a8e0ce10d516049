import { randomBytes } from 'node:crypto'
import { AuditLog } from '../audit/index.ts'
import { formatProblems, loadConfig, type Config } from '../config/index.ts'
import { epochMs, FatalError, isoOf, NAME_PATTERN } from '../domain/index.ts'
import type { Answer, HoldMessage } from '../link/index.ts'
import { openCatalogueBeside } from '../platform/catalogue.ts'
import { systemClock } from '../platform/clock.ts'
import { realFileSystem } from '../platform/file-system.ts'
import { holdRequests, openHoldDesk } from '../storage/index.ts'
import { actingPerson } from './acting-person.ts'
import { instantOption, localText } from './local-time.ts'
import { RecorderLink } from './recorder-link.ts'

interface Out { write(text: string): unknown }
type Options = Readonly<Record<string, string | true | undefined>>
/** What the link carries. */
const MOST_CHARS = 2000
type Holds = RecorderLink<'hold.cost' | 'hold.place' | 'hold.end' | 'hold.list'>

/**
 * `custos hold place | end | list`: footage that stays until a recorded act lets it go [G2]. Asks the running
 * recorder; without one it works on the state folder itself.
 */
export async function hold(act: 'place' | 'end' | 'list', options: Options, out: Out): Promise<number> {
  const result = await loadConfig(textOf(options, 'config'), { secrets: 'skip' })
  if (!result.ok) { out.write(formatProblems(result.problems)); return 2 }
  const { config } = result
  await using parts = new AsyncDisposableStack()
  const holds: Holds = parts.use(new RecorderLink({
    stateDir: config.state.dir,
    alone: async () => {
      const catalogue = parts.use(openCatalogueBeside(config.state.dir, act === 'list' ? 'read' : 'write'))
      const audit = new AuditLog({ db: catalogue.db, clock: systemClock })
      const { volumes } = config
      return holdRequests(await openHoldDesk({ catalogue, audit, fs: realFileSystem, clock: systemClock, volumes }))
    },
  }))
  if (act === 'list') return await list(holds, options, config, out)
  const by = actingPerson(textOf(options, 'by'), '--by')
  if (act === 'end') {
    const reason = textOf(options, 'reason'), holdId = textOf(options, 'id')
    const { hold: ended } = await holds.ask('hold.end', { holdId, by, reason })
    out.write(`保全已解除：${ended.cameraId} ${range(ended, config)}\nhold ended: ${ended.holdId}\n`)
    return 0
  }
  return await place(holds, options, by, config, out)
}

async function place(
  holds: Holds, options: Options, by: ReturnType<typeof actingPerson>, config: Config, out: Out,
): Promise<number> {
  const stream = optionalOf(options, 'stream')
  const asked = {
    camera: { id: knownCamera(textOf(options, 'camera'), config) }, stream: stream === null ? null : streamOf(stream),
    fromAt: instantOption(textOf(options, 'from'), '--from'), toAt: instantOption(textOf(options, 'to'), '--to'),
  }
  const authority = textOf(options, 'authority'), application = optionalOf(options, 'application')
  const cost = await holds.ask('hold.cost', asked)
  out.write(costText(cost))
  if (options['dryRun'] === true) return 0
  const holdId = randomBytes(16).toString('hex')
  const { hold: placed, refused } = await holds.ask('hold.place', { ...asked, holdId, authority, application, by })
  for (const { id, detail } of refused) {
    out.write(`注意：${id} 目前無法寫入（${detail}），錄影程式會在它恢復後補寫。\n`
      + `note: volume ${id} cannot be written now (${detail}); the recorder writes the hold there when it is back.\n`)
  }
  out.write(`已保全：${placed.cameraId} ${range(placed, config)}\nhold placed: ${placed.holdId}\n`)
  return 0
}

function costText({ slots, bytes, newlyHeld, days }: Answer<'hold.cost'>): string {
  const zhDays = days === null ? '（錄影時間尚短，無法估計天數）' : `約 ${days.toFixed(2)} 天`
  const enDays = days === null ? 'an unknown number of' : days.toFixed(2)
  const nothing = '注意：此範圍目前沒有任何影像；之後錄到的仍會保全。\n'
    + 'note: no footage lies in the range now; what is recorded in it later will be held.\n'
  return `此範圍目前有 ${slots} 槽（${bytes} 位元組）；將新增保全 ${newlyHeld} 槽，循環容量減少${zhDays}\n`
    + `the range now has ${slots} slots (${bytes} bytes); ${newlyHeld} are newly held, `
    + `which takes ${enDays} days from the ring\n${slots === 0 ? nothing : ''}`
}

async function list(holds: Holds, options: Options, config: Config, out: Out): Promise<number> {
  const withEnded = options['all'] === true, isJson = options['json'] === true
  let shown = 0
  for (let after: number | null = 0; after !== null;) {
    const page: Answer<'hold.list'> = await holds.ask('hold.list', { withEnded, after })
    for (const each of page.holds) out.write(isJson ? `${JSON.stringify(jsonOf(each))}\n` : lineOf(each, config))
    shown += page.holds.length
    after = page.next
  }
  if (shown === 0 && !isJson) out.write('目前沒有保全中的影像。\nNo holds are in force.\n')
  return 0
}

function lineOf(each: HoldMessage, config: Config): string {
  const local = (at: number): string => localText(epochMs(at), config.site.timezone)
  const { ended } = each
  const application = each.application === null ? '' : ` (${each.application})`
  const end = ended === null ? '' : `；已於 ${local(ended.at)} 由 ${ended.by} 解除（${ended.reason}）`
  return `${each.holdId}  ${each.cameraId}/${each.stream ?? '*'}  ${range(each, config)}\n`
    + `    依據 authority: ${each.authority}${application}；${each.placedBy} ${local(each.placedAt)}${end}\n`
}

function range({ fromAt, toAt }: HoldMessage, { site: { timezone } }: Config): string {
  return `${localText(epochMs(fromAt), timezone)} – ${localText(epochMs(toAt), timezone)}`
}

function jsonOf({ holdId, cameraId, cameraUuid, stream, fromAt, toAt, authority, application, ...each }: HoldMessage) {
  const iso = (at: number): string => isoOf(epochMs(at)), { placedBy, placedAt, ended } = each
  const end = ended === null ? {} : { endedAt: iso(ended.at), endedBy: ended.by, endReason: ended.reason }
  return {
    id: holdId, camera: cameraId, cameraUuid, stream, from: iso(fromAt), to: iso(toAt), authority, application,
    placedBy, placedAt: iso(placedAt), ...end,
  }
}

function refuse(message: string, remedy: string): never {
  throw new FatalError('CUSTOS_HOLD_REFUSED', message, { remedy })
}

function textOf(options: Options, key: string): string {
  const value = options[key]
  if (typeof value !== 'string') return refuse(`--${key} is missing`, 'See `custos hold --help`.')
  if (value.length > MOST_CHARS) refuse(`--${key} is longer than ${MOST_CHARS} characters`, 'Say it in fewer words.')
  return value
}
const optionalOf = (options: Options, key: string): string | null =>
  options[key] === undefined ? null : textOf(options, key)

function streamOf(name: string): string {
  if (NAME_PATTERN.test(name)) return name
  return refuse(`--stream ${JSON.stringify(name)} is no name`, 'Streams are named as in the configuration: main, sub.')
}

function knownCamera(id: string, config: Config): string {
  if (NAME_PATTERN.test(id)) return id
  const known = config.cameras.map(each => each.id).join(', ') || 'none'
  return refuse(`no footage of a camera ${JSON.stringify(id)} is known`, `Known cameras: ${known}.`)
}
