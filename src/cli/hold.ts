import { AuditLog } from '../audit/index.ts'
import { formatProblems, loadConfig, type Config } from '../config/index.ts'
import { cameraId, FatalError, isoOf, NAME_PATTERN, streamName } from '../domain/index.ts'
import { openCatalogueBeside, type Catalogue } from '../platform/catalogue.ts'
import { systemClock } from '../platform/clock.ts'
import { realFileSystem } from '../platform/file-system.ts'
import { openHoldDesk, type EndedHold, type Hold, type HoldDesk } from '../storage/index.ts'
import { actingPerson } from './acting-person.ts'
import { instantOption, localText } from './local-time.ts'

interface Out { write(text: string): unknown }
type Options = Readonly<Record<string, string | true | undefined>>

/** `custos hold place | end | list`: footage that stays until a recorded act lets it go [G2]. Beside a running recorder or without one. */
export async function hold(act: 'place' | 'end' | 'list', options: Options, out: Out): Promise<number> {
  const result = await loadConfig(textOf(options, 'config'), { secrets: 'skip' })
  if (!result.ok) { out.write(formatProblems(result.problems)); return 2 }
  const { config } = result
  using catalogue = openCatalogueBeside(config.state.dir, act === 'list' ? 'read' : 'write')
  const desk = await deskOf(config, catalogue)
  if (act === 'list') return list(desk, options, config, out)
  const by = actingPerson(textOf(options, 'by'), '--by')
  if (act === 'end') {
    const ended = await desk.book.end(textOf(options, 'id'), by, textOf(options, 'reason'))
    out.write(`保全已解除：${ended.cameraId} ${range(ended, config)}\nhold ended: ${ended.holdId}\n`)
    return 0
  }
  return await place(desk, options, by, config, out)
}

async function place(desk: HoldDesk, options: Options, by: ReturnType<typeof actingPerson>, config: Config, out: Out): Promise<number> {
  const id = textOf(options, 'camera')
  const camera = NAME_PATTERN.test(id) ? desk.findCamera(cameraId(id)) : null
  if (camera === null) throw new FatalError('CUSTOS_HOLD_REFUSED', `no footage of a camera ${JSON.stringify(id)} is known`, { remedy: `Known cameras: ${config.cameras.map(each => each.id).join(', ') || 'none'}.` })
  const request = {
    camera, stream: options['stream'] === undefined ? null : streamName(textOf(options, 'stream')), fromAt: instantOption(textOf(options, 'from'), '--from'), toAt: instantOption(textOf(options, 'to'), '--to'),
    authority: textOf(options, 'authority'), application: options['application'] === undefined ? null : textOf(options, 'application'), by,
  }
  const cost = desk.book.cost(request)
  const days = desk.costInDays(cost.newlyHeld)
  out.write(`此範圍目前有 ${cost.slots} 槽（${cost.bytes} 位元組）；將新增保全 ${cost.newlyHeld} 槽，循環容量減少${days === null ? '（錄影時間尚短，無法估計天數）' : `約 ${days.toFixed(2)} 天`}\n`
    + `the range now has ${cost.slots} slots (${cost.bytes} bytes); ${cost.newlyHeld} are newly held, which takes ${days === null ? 'an unknown number of' : days.toFixed(2)} days from the ring\n`)
  if (cost.slots === 0) out.write('注意：此範圍目前沒有任何影像；之後錄到的仍會保全。\nnote: no footage lies in the range now; what is recorded in it later will be held.\n')
  if (options['dryRun'] === true) return 0
  const placed = await desk.book.place(request)
  for (const refusal of desk.refused) out.write(`注意：${refusal.id} 目前無法寫入（${refusal.detail}），錄影程式會在它恢復後補寫。\nnote: volume ${refusal.id} cannot be written now (${refusal.detail}); the recorder writes the hold there when it is back.\n`)
  out.write(`已保全：${placed.cameraId} ${range(placed, config)}\nhold placed: ${placed.holdId}\n`)
  return 0
}

function list(desk: HoldDesk, options: Options, config: Config, out: Out): number {
  const holds = desk.list().filter(each => options['all'] === true || !('endedAt' in each))
  if (options['json'] === true) {
    for (const each of holds) out.write(`${JSON.stringify(jsonOf(each))}\n`)
    return 0
  }
  if (holds.length === 0) out.write('目前沒有保全中的影像。\nNo holds are in force.\n')
  for (const each of holds) {
    const ended = 'endedAt' in each ? `；已於 ${localText(each.endedAt, config.site.timezone)} 由 ${each.endedBy} 解除（${each.endReason}）` : ''
    out.write(`${each.holdId}  ${each.cameraId}/${each.stream ?? '*'}  ${range(each, config)}\n    依據 authority: ${each.authority}${each.application === null ? '' : ` (${each.application})`}；${each.placedBy} ${localText(each.placedAt, config.site.timezone)}${ended}\n`)
  }
  return 0
}

async function deskOf(config: Config, catalogue: Catalogue): Promise<HoldDesk> {
  const audit = new AuditLog({ db: catalogue.db, clock: systemClock })
  return await openHoldDesk({ catalogue, audit, fs: realFileSystem, clock: systemClock, volumes: config.volumes })
}

const range = (each: Hold, { site }: Config): string => `${localText(each.fromAt, site.timezone)} – ${localText(each.toAt, site.timezone)}`

const jsonOf = (each: Hold | EndedHold) => ({
  id: each.holdId, camera: each.cameraId, cameraUuid: each.cameraUuid, stream: each.stream, from: isoOf(each.fromAt), to: isoOf(each.toAt), authority: each.authority, application: each.application,
  placedBy: each.placedBy, placedAt: isoOf(each.placedAt), ...('endedAt' in each ? { endedAt: isoOf(each.endedAt), endedBy: each.endedBy, endReason: each.endReason } : {}),
})

function textOf(options: Options, key: string): string {
  const value = options[key]
  if (typeof value !== 'string') throw new FatalError('CUSTOS_HOLD_REFUSED', `--${key} is missing`, { remedy: 'See `custos hold --help`.' })
  return value
}
