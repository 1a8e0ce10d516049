import { randomBytes } from 'node:crypto'
import { AuditLog } from '../audit/index.ts'
import { formatProblems, loadConfig, type Config } from '../config/index.ts'
import { epochMs, FatalError, isoOf, NAME_PATTERN } from '../domain/index.ts'
import type { HoldMessage } from '../link/index.ts'
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
const KEYED = { isKeyed: true } as const
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
      return holdRequests(await openHoldDesk({ catalogue, audit, fs: realFileSystem, clock: systemClock, volumes: config.volumes }))
    },
  }))
  if (act === 'list') return await list(holds, options, config, out)
  const by = actingPerson(textOf(options, 'by'), '--by')
  if (act === 'end') {
    const { hold: ended } = await holds.ask('hold.end', { holdId: textOf(options, 'id'), by, reason: textOf(options, 'reason') }, KEYED)
    out.write(`保全已解除：${ended.cameraId} ${range(ended, config)}\nhold ended: ${ended.holdId}\n`)
    return 0
  }
  return await place(holds, options, by, config, out)
}

async function place(holds: Holds, options: Options, by: ReturnType<typeof actingPerson>, config: Config, out: Out): Promise<number> {
  const camera = {
    camera: knownCamera(textOf(options, 'camera'), config), stream: options['stream'] === undefined ? null : streamOf(textOf(options, 'stream')),
    fromAt: instantOption(textOf(options, 'from'), '--from'), toAt: instantOption(textOf(options, 'to'), '--to'),
  }
  const authority = textOf(options, 'authority'), application = options['application'] === undefined ? null : textOf(options, 'application')
  const { slots, bytes, newlyHeld, days } = await holds.ask('hold.cost', camera, KEYED)
  out.write(`此範圍目前有 ${slots} 槽（${bytes} 位元組）；將新增保全 ${newlyHeld} 槽，循環容量減少${days === null ? '（錄影時間尚短，無法估計天數）' : `約 ${days.toFixed(2)} 天`}\n`
    + `the range now has ${slots} slots (${bytes} bytes); ${newlyHeld} are newly held, which takes ${days === null ? 'an unknown number of' : days.toFixed(2)} days from the ring\n`)
  if (slots === 0) out.write('注意：此範圍目前沒有任何影像；之後錄到的仍會保全。\nnote: no footage lies in the range now; what is recorded in it later will be held.\n')
  if (options['dryRun'] === true) return 0
  const { hold: placed, refused } = await holds.ask('hold.place', { ...camera, holdId: randomBytes(16).toString('hex'), authority, application, by }, KEYED)
  for (const { id, detail } of refused) out.write(`注意：${id} 目前無法寫入（${detail}），錄影程式會在它恢復後補寫。\nnote: volume ${id} cannot be written now (${detail}); the recorder writes the hold there when it is back.\n`)
  out.write(`已保全：${placed.cameraId} ${range(placed, config)}\nhold placed: ${placed.holdId}\n`)
  return 0
}

async function list(holds: Holds, options: Options, config: Config, out: Out): Promise<number> {
  let shown = 0
  for (let after: number | null = 0; after !== null;) {
    const page: { holds: HoldMessage[], next: number | null } = await holds.ask('hold.list', { withEnded: options['all'] === true, after }, KEYED)
    for (const each of page.holds) out.write(options['json'] === true ? `${JSON.stringify(jsonOf(each))}\n` : lineOf(each, config))
    shown += page.holds.length
    after = page.next
  }
  if (shown === 0 && options['json'] !== true) out.write('目前沒有保全中的影像。\nNo holds are in force.\n')
  return 0
}

function lineOf(each: HoldMessage, config: Config): string {
  const local = (at: number): string => localText(epochMs(at), config.site.timezone)
  const { ended } = each
  const end = ended === null ? '' : `；已於 ${local(ended.at)} 由 ${ended.by} 解除（${ended.reason}）`
  return `${each.holdId}  ${each.cameraId}/${each.stream ?? '*'}  ${range(each, config)}\n    依據 authority: ${each.authority}${each.application === null ? '' : ` (${each.application})`}；${each.placedBy} ${local(each.placedAt)}${end}\n`
}

const range = ({ fromAt, toAt }: HoldMessage, { site: { timezone } }: Config): string => `${localText(epochMs(fromAt), timezone)} – ${localText(epochMs(toAt), timezone)}`

const jsonOf = ({ ended, ...each }: HoldMessage) => ({
  id: each.holdId, camera: each.cameraId, cameraUuid: each.cameraUuid, stream: each.stream, from: isoOf(epochMs(each.fromAt)), to: isoOf(epochMs(each.toAt)), authority: each.authority, application: each.application,
  placedBy: each.placedBy, placedAt: isoOf(epochMs(each.placedAt)), ...(ended === null ? {} : { endedAt: isoOf(epochMs(ended.at)), endedBy: ended.by, endReason: ended.reason }),
})

function textOf(options: Options, key: string): string {
  const value = options[key]
  if (typeof value !== 'string') throw new FatalError('CUSTOS_HOLD_REFUSED', `--${key} is missing`, { remedy: 'See `custos hold --help`.' })
  if (value.length > MOST_CHARS) throw new FatalError('CUSTOS_HOLD_REFUSED', `--${key} is longer than ${MOST_CHARS} characters`, { remedy: 'Say it in fewer words.' })
  return value
}

function streamOf(name: string): string {
  if (NAME_PATTERN.test(name)) return name
  throw new FatalError('CUSTOS_HOLD_REFUSED', `--stream ${JSON.stringify(name)} is no name`, { remedy: 'Streams are named as in the configuration: main, sub.' })
}

function knownCamera(id: string, config: Config): string {
  if (NAME_PATTERN.test(id)) return id
  throw new FatalError('CUSTOS_HOLD_REFUSED', `no footage of a camera ${JSON.stringify(id)} is known`, { remedy: `Known cameras: ${config.cameras.map(each => each.id).join(', ') || 'none'}.` })
}
