import { AuditLog } from '../audit/index.ts'
import { formatProblems, loadConfig } from '../config/index.ts'
import { cameraId, FatalError, isoOf, NAME_PATTERN, volumeId } from '../domain/index.ts'
import { openCatalogueBeside } from '../platform/catalogue.ts'
import { systemClock } from '../platform/clock.ts'
import { realFileSystem } from '../platform/file-system.ts'
import { scrubNow, scrubRequests, type ScrubFinding } from '../storage/index.ts'
import { instantOption, localText } from './local-time.ts'
import { RecorderLink } from './recorder-link.ts'

interface Out { write(text: string): unknown }
export interface ScrubCommandOptions {
  readonly configFile: string
  readonly volume: string | undefined
  readonly camera: string | undefined
  readonly from: string | undefined
  readonly to: string | undefined
  readonly json: boolean
  readonly out: Out
}

const KIND_TEXTS = {
  record: '影像內容已改變 / the footage changed', unreadable: '磁碟讀不出 / the disk does not give it', header: '槽標頭損壞，影像另驗 / the header is damaged; the pictures are checked apart',
  index: '索引損壞，影像另驗 / the index is damaged; the pictures are checked apart', frame: '播放用資訊損壞，影像完好 / what players need is damaged, the pictures are whole', missing: '槽內不是這段影像 / the slot does not hold it',
} as const

/**
 * `custos scrub`: reads footage again at full speed. The running recorder is asked what is to be read and told
 * what was found; without one it works on the state folder itself. Exit code 0 when all is as it was sealed, 1
 * when not or when a volume could not be read, 2 for a bad configuration.
 */
export async function scrub(options: ScrubCommandOptions): Promise<number> {
  const { json, out } = options
  const result = await loadConfig(options.configFile, { secrets: 'skip' })
  if (!result.ok) { out.write(formatProblems(result.problems)); return 2 }
  const { config } = result
  const named = (name: string, text: string): string => NAME_PATTERN.test(text) ? text
    : (() => { throw new FatalError('CUSTOS_BAD_NAME', `--${name} ${JSON.stringify(text.slice(0, 60))} is no name`, { remedy: `Known: ${(name === 'volume' ? config.volumes : config.cameras).map(each => each.id).join(', ')}.` }) })()
  const volume = options.volume === undefined ? null : volumeId(named('volume', options.volume))
  if (volume !== null && !config.volumes.some(each => each.id === volume)) throw new FatalError('CUSTOS_BAD_NAME', `there is no volume ${volume} in the configuration`, { remedy: `Known: ${config.volumes.map(each => each.id).join(', ')}.` })
  const range = options.from === undefined && options.to === undefined ? null
    : { startAt: instantOption(options.from ?? '1970-01-01T00:00:00Z', '--from'), endAt: instantOption(options.to ?? '9999-12-31T00:00:00Z', '--to') }
  if (range !== null && range.endAt <= range.startAt) throw new FatalError('CUSTOS_BAD_TIME', '--to is not after --from', { remedy: 'Exchange them.' })
  await using parts = new AsyncDisposableStack()
  const recorder = parts.use(new RecorderLink<'scrub.segments' | 'scrub.finding'>({
    stateDir: config.state.dir,
    alone: async () => {
      const catalogue = parts.use(openCatalogueBeside(config.state.dir, 'write')), clock = systemClock
      return scrubRequests({ catalogue, audit: new AuditLog({ db: catalogue.db, clock }), clock })
    },
  }))
  const tell = ({ volume: id, segment, fault }: ScrubFinding): void => {
    const at = (ms: typeof fault.fromAt) => localText(ms, config.site.timezone)
    out.write(json ? `${JSON.stringify({ camera: segment.cameraId, cameraUuid: segment.cameraUuid, stream: segment.stream, kind: fault.kind, from: isoOf(fault.fromAt), to: isoOf(fault.toAt), volume: id, slot: segment.slot, generation: segment.generation, firstRecord: fault.firstRecord, records: fault.records })}\n`
      : `${segment.cameraId}/${segment.stream}  ${at(fault.fromAt)} - ${at(fault.toAt)}  ${id}/${segment.slot}/${segment.generation}  ${KIND_TEXTS[fault.kind]}\n`)
  }
  const summary = await scrubNow({
    recorder: {
      segments: of => recorder.ask('scrub.segments', of), finding: told => recorder.ask('scrub.finding', told),
    },
    volumes: config.volumes, fs: realFileSystem,
    filter: { volume, camera: options.camera === undefined ? null : cameraId(named('camera', options.camera)), range }, onFinding: tell,
  })
  if (json) out.write(`${JSON.stringify({ ...summary })}\n`)
  else {
    for (const { id, detail } of summary.unread) out.write(`${id}: 無法查驗 / could not be checked: ${detail}\n`)
    out.write(`已查驗 ${summary.segments} 段（${summary.bytes} 位元組），發現 ${summary.findings} 處\n${summary.segments} segments (${summary.bytes} bytes) read, ${summary.findings} findings\n`)
  }
  return summary.findings > 0 || summary.unread.length > 0 ? 1 : 0
}
