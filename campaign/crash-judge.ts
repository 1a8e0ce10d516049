import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import type { Site, SiteCamera } from './site.ts'

/** `at`: wall time of the signal. */
export interface Kill { readonly at: number }
interface Gap { readonly from: number, readonly to: number, readonly cause: string }

/** The catalogue's times are the recorder's, the counters' the camera's; a frame and the network lie between. */
const CLOCK_SLACK_MS = 400
export const MAX_LOSS_MS = 2_000
/** After PLAY the camera waits for its next key frame. */
const KEY_WAIT_MS = 1_200
/** Or begins with its last one: the first frames of a life may be older than the kill before it. */
const REWIND_MS = 2_500

/** `unseenFrames`: overwritten, as they may be after their floor, before anybody looked for them. */
export interface LossFigures {
  worstLossMs: number, worstUnbornMs: number, holes: number, lostFrames: number, unseenFrames: number
}

interface Allowed {
  isExplained?: (hole: { from: number, to: number, cause: string }) => boolean
  maxLossMs?: number
  /** The ring may turn over before the frames are fetched, as on a machine that is short of time. */
  mayBeUnseen?: boolean
}

/** Every frame that a camera sent is found or lies in a told gap, and no kill cost more than two seconds before it. */
export function judgeFrames(
  site: Site, kills: readonly Kill[],
  { isExplained = () => false, maxLossMs = MAX_LOSS_MS, mayBeUnseen = false }: Allowed = {},
): { problems: string[], figures: LossFigures } {
  const problems: string[] = []
  const figures: LossFigures = { worstLossMs: 0, worstUnbornMs: 0, holes: 0, lostFrames: 0, unseenFrames: 0 }
  const gapsOf = gapsByCamera(site), overwrittenOf = overwrittenByCamera(site)
  for (const camera of site.cameras) {
    const told = gapsOf.get(camera.id) ?? [], overwritten = overwrittenOf.get(camera.id) ?? []
    const gaps = joined(told)
    const toldOrOverwritten = joined([...told, ...overwritten].sort((a, b) => a.from - b.from))
    for (const hole of camera.ledger.holes()) {
      figures.holes++
      const where = `${camera.id}: ${hole.frames} frames from ${hole.fromCounter} on (${new Date(hole.lastBeforeMs).toISOString()} to ${new Date(hole.firstAfterMs).toISOString()})`
      const gap = coverOf(hole, gaps)
      if (gap === undefined && coverOf(hole, toldOrOverwritten) !== undefined) {
        figures.unseenFrames += hole.frames
        if (!mayBeUnseen) problems.push(`${where} were overwritten before they were looked for: give the ring more slots`)
        continue
      }
      figures.lostFrames += hole.frames
      if (gap === undefined) problems.push(`${where} are in no gap that was told`)
      // One that is asked to stop still stores what has come.
      const inside = kills.filter(kill =>
        kill.at >= hole.lastBeforeMs - CLOCK_SLACK_MS && kill.at <= hole.firstAfterMs)
      const during = inside.length > 0 ? inside : kills.filter(kill => kill.at > hole.firstAfterMs && kill.at <= hole.firstAfterMs + REWIND_MS).slice(0, 1)
      if (during.length === 0 && !isExplained({ from: hole.lastBeforeMs, to: hole.firstAfterMs, cause: gap?.cause ?? '' })) problems.push(`${where} were lost without a kill (${gap?.cause ?? 'no gap'})`)
      for (const [i, kill] of during.entries()) noteLoss(camera, kill, during[i - 1]?.at ?? null, hole.lastBeforeMs, figures, problems)
    }
    problems.push(...falseGaps(camera, gapsOf.get(camera.id) ?? []), ...camera.ledger.faults)
    const torn = camera.ledger.tornFrames()
    problems.push(...torn.elsewhere.map(counter => `${camera.id}: frame ${counter} has a wrong size`))
    if (camera.ledger.unnumbered > 0) problems.push(`${camera.id}: ${camera.ledger.unnumbered} frames without a number`)
  }
  if (figures.worstLossMs > maxLossMs) problems.push(`a kill cost ${figures.worstLossMs} ms before it`)
  return { problems, figures }
}

const coverOf = (hole: { lastBeforeMs: number, firstAfterMs: number }, spans: readonly Gap[]): Gap | undefined =>
  spans.find(({ from, to }) =>
    from <= hole.lastBeforeMs + CLOCK_SLACK_MS && to >= hole.firstAfterMs - CLOCK_SLACK_MS)

/** A life that left no frame lost what came since the camera was asked to play; another, what came since its last frame. */
function noteLoss(camera: SiteCamera, kill: Kill, killBefore: number | null, lastFrameMs: number, figures: LossFigures, problems: string[]): void {
  if (killBefore === null) { figures.worstLossMs = Math.max(figures.worstLossMs, kill.at - lastFrameMs); return }
  const played = camera.proxy.connections.flatMap(({ playedAt }) => playedAt === undefined ? [] : [performance.timeOrigin + playedAt]).filter(at => at > killBefore && at < kill.at)
  if (played[0] === undefined) return
  const unbornMs = kill.at - played[0]
  figures.worstUnbornMs = Math.max(figures.worstUnbornMs, unbornMs)
  if (unbornMs > MAX_LOSS_MS + KEY_WAIT_MS) problems.push(`${camera.id}: asked to play ${Math.round(unbornMs)} ms before the kill at ${new Date(kill.at).toISOString()}, and nothing of it was kept`)
}

/** Gaps in which frames were found: lost time that was not lost. After a failed sync nobody can know, so those say what may be lost. */
function falseGaps(camera: SiteCamera, gaps: readonly Gap[]): string[] {
  return gaps.filter(({ cause }) => cause !== 'storage-failed').flatMap(({ from, to, cause }) => {
    const inside = camera.ledger.foundBetween(from + CLOCK_SLACK_MS, to - CLOCK_SLACK_MS)
    return inside.length === 0 ? [] : [`${camera.id}: ${inside.length} frames were found inside the gap ${new Date(from).toISOString()} to ${new Date(to).toISOString()} (${cause})`]
  })
}

function gapsByCamera(site: Site): Map<string, Gap[]> {
  const db = new Database(site.catalogueFile, { readonly: true })
  try {
    const rows = db.prepare<[], { id: string, from: number, to: number | null, cause: string }>(
      'SELECT camera.id AS id, start_at AS "from", end_at AS "to", cause FROM gap JOIN camera ON camera.uuid = gap.camera_uuid ORDER BY start_at').all()
    const gaps = new Map<string, Gap[]>()
    for (const { id, from, to, cause } of rows) gaps.set(id, [...gaps.get(id) ?? [], { from, to: to ?? Infinity, cause }])
    return gaps
  } finally { db.close() }
}

/** Of segments that were given away; `judgeCatalogue` asks whether they might be. */
function overwrittenByCamera(site: Site): Map<string, Gap[]> {
  const db = new Database(site.catalogueFile, { readonly: true })
  try {
    const rows = db.prepare<[], { id: string, from: number, to: number }>(`SELECT camera.id AS id,
        start_at AS "from", end_at AS "to"
      FROM segment JOIN camera ON camera.uuid = camera_uuid
      WHERE ended_at IS NOT NULL AND sealed_at IS NOT NULL AND records > 0`).all()
    return Map.groupBy(rows.map(row => ({ ...row, cause: 'overwritten' })), ({ id }) => id)
  } finally { db.close() }
}

/** Gaps that follow each other without a frame between, as one: a run that ended before its first frame was stored splits them. */
function joined(gaps: readonly Gap[]): Gap[] {
  const spans: Gap[] = []
  for (const gap of gaps) {
    const last = spans.at(-1)
    if (last !== undefined && gap.from <= last.to + 100) spans[spans.length - 1] = { from: last.from, to: Math.max(last.to, gap.to), cause: `${last.cause}, ${gap.cause}` }
    else spans.push(gap)
  }
  return spans
}

export interface RingFigures { readonly reused: number, readonly slots: number, readonly leastAgeAtReuseMs: number | null, readonly auditEntries: number, readonly quarantined: number }

/** Floors, holds and the audit chain, by SQL on the catalogue and by arithmetic of our own. The recorder is not running. */
export function judgeCatalogue(site: Site, { floorMs, acknowledgedHolds, mayQuarantine = false }: { floorMs: number, acknowledgedHolds: readonly string[], mayQuarantine?: boolean }): { problems: string[], figures: RingFigures } {
  const db = new Database(site.catalogueFile, { readonly: true })
  const problems: string[] = []
  const count = (sql: string): number => db.prepare<[], { n: number }>(sql).get()!.n
  const none = (sql: string, what: string) => {
    const n = count(sql)
    if (n > 0) problems.push(`${n} ${what}`)
  }
  try {
    const given = 'ended_at IS NOT NULL AND sealed_at IS NOT NULL AND records > 0'
    none(`SELECT count(*) AS n FROM segment WHERE ${given} AND (freed_trusted_at IS NULL OR freed_kept_until IS NULL)`, 'segments were given away without a reason')
    none(`SELECT count(*) AS n FROM segment WHERE ${given} AND freed_trusted_at < freed_kept_until`, 'segments were overwritten before the guard allowed it')
    none(`SELECT count(*) AS n FROM segment WHERE ${given} AND freed_kept_until < end_at + ${floorMs}`, 'segments have a keepUntil below their floor')
    none(`SELECT count(*) AS n FROM segment WHERE ${given} AND ended_at < end_at + ${floorMs}`, 'segments were overwritten inside their floor by the wall clock')
    none(`SELECT count(*) AS n FROM segment JOIN hold ON hold.camera_uuid = segment.camera_uuid AND hold.from_at < segment.end_at AND hold.to_at > segment.start_at
      WHERE ${given.replaceAll('ended_at', 'segment.ended_at')} AND hold.placed_at <= segment.ended_at AND coalesce(hold.ended_at, 9e15) > segment.ended_at`, 'segments under a hold were overwritten')
    none('SELECT count(*) AS n FROM sacrifice_step', 'steps of the order of sacrifice: this ring is too small for a campaign that looks for each frame')
    none("SELECT count(*) AS n FROM slot WHERE state IN ('preparing', 'open')", 'slots are open or being prepared though the recorder was stopped in good order')
    none('SELECT count(*) AS n FROM segment WHERE sealed_at IS NULL AND ended_at IS NULL', 'segments are not sealed though the recorder was stopped in good order')
    none(`SELECT count(*) AS n FROM segment WHERE ${given} AND NOT EXISTS (SELECT 1 FROM audit_entry WHERE seq = freed_audit_seq AND action = 'slot.overwritten')`, 'overwritten segments have no audit entry')
    if (!mayQuarantine) none("SELECT count(*) AS n FROM slot WHERE state = 'quarantined'", 'slots are quarantined though no disk failed')
    for (const id of acknowledgedHolds) if (db.prepare<[string]>("SELECT 1 FROM hold JOIN audit_entry ON object = hold_id AND action = 'hold.placed' WHERE hold_id = ?").get(id) === undefined) problems.push(`hold ${id} was acknowledged and is not in the catalogue and the audit log`)
    problems.push(...auditProblems(db))
    const age = db.prepare<[], { age: number | null }>(`SELECT min(ended_at - end_at) AS age FROM segment WHERE ${given}`).get()!.age
    return { problems, figures: {
      reused: count(`SELECT count(*) AS n FROM segment WHERE ${given}`), slots: count('SELECT count(*) AS n FROM slot'), leastAgeAtReuseMs: age,
      auditEntries: count('SELECT count(*) AS n FROM audit_entry'), quarantined: count("SELECT count(*) AS n FROM slot WHERE state = 'quarantined'"),
    } }
  } finally { db.close() }
}

type AuditRow = { seq: number, at: number, trusted_at: number | null, clock: string, actor_kind: string, actor_name: string, actor_role: string | null, actor_source: string | null, action: string, object: string | null, application: string | null, result: string, detail: string, prev_hash: Buffer, hash: Buffer }

/** Hashes every entry again, by the documented form and with code of our own. */
function auditProblems(db: Database.Database): string[] {
  let before = Buffer.alloc(32), seq = 0
  const iso = (at: number | null) => at === null ? null : new Date(at).toISOString()
  for (const row of db.prepare<[], AuditRow>('SELECT * FROM audit_entry ORDER BY seq').iterate()) {
    seq++
    const text = sortedJson({
      action: row.action, actor: { kind: row.actor_kind, name: row.actor_name, role: row.actor_role, source: row.actor_source }, application: row.application, at: iso(row.at), clock: row.clock,
      detail: JSON.parse(row.detail) as unknown, format: 1, object: row.object, prev: row.prev_hash.toString('hex'), result: row.result, seq: row.seq, trustedAt: iso(row.trusted_at),
    })
    const hash = createHash('sha256').update(`\0${text}`).digest()
    if (row.seq !== seq || !row.prev_hash.equals(before) || !row.hash.equals(hash)) return [`the audit chain breaks at entry ${row.seq}`]
    before = hash
  }
  return seq === 0 ? ['the audit log is empty'] : []
}

function sortedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(sortedJson).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  return `{${Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1).map(([key, each]) => `${JSON.stringify(key)}:${sortedJson(each)}`).join(',')}}`
}

interface Listed { readonly volume: string, readonly slot: number, readonly generation: number, readonly sealed: boolean, readonly records: number }

/**
 * What the volumes themselves say must be what the catalogue says, both ways: same generations, sealed, as
 * many records; and every run whose records were found has ended.
 */
export async function judgeVolumes(site: Site): Promise<string[]> {
  const said = await site.custos(['rescue', ...site.volumes.map(volume => volume.path), '--list', '--json'])
  const listed = said.out.split('\n').filter(line => line !== '').map(line => JSON.parse(line) as Listed)
  const keyOf = ({ volume, slot }: Listed) => `${volume}/${slot}`
  const textOf = (row: Listed) => `${row.generation} ${row.sealed ? 'sealed' : 'open'} ${row.records}`
  const onDisk = new Map<string, string>(listed.map(row => [keyOf(row), textOf(row)]))
  const { known, setAside, ended } = catalogued(site)
  const differing = [...known].map(([key, text]) => ({ key, text, found: onDisk.get(key) ?? 'nothing' }))
    .filter(({ text, found }) => text !== found)
  const unknown = listed.filter(row => row.records > 0 && !known.has(keyOf(row)) && !setAside.has(keyOf(row)))
  const endless = [...site.runsFound].filter(run => !ended.has(run))
  return [
    ...differing.map(({ key, text, found }) => `slot ${key}: catalogue ${text}, volume ${found}`),
    ...unknown.map(row => `slot ${keyOf(row)}: the volume says ${textOf(row)}, the catalogue nothing`),
    ...endless.map(run => `run ${run} is on a volume; in the catalogue it has no end`),
    ...said.code === 0 ? [] : [`rescue --list failed: ${said.err.slice(0, 300)}`],
  ]
}

interface Catalogued {
  /** What stands in each slot. */
  readonly known: ReadonlyMap<string, string>
  /** Slots that are not used any more; what is in them is asked of nobody. */
  readonly setAside: ReadonlySet<string>
  readonly ended: ReadonlySet<number>
}

function catalogued(site: Site): Catalogued {
  const db = new Database(site.catalogueFile, { readonly: true })
  try {
    const known = db.prepare<[], { key: string, text: string }>(`SELECT
        volume.id || '/' || segment.slot AS key,
        generation || ' ' || iif(sealed_at IS NULL, 'open', 'sealed') || ' ' || records AS text
      FROM segment JOIN volume ON volume.uuid = volume_uuid
      WHERE ended_at IS NULL AND is_quarantined = 0 AND records > 0`).all()
    const setAside = db.prepare<[], { key: string }>(`SELECT volume.id || '/' || slot.slot AS key
      FROM slot JOIN volume ON volume.uuid = volume_uuid WHERE state = 'quarantined'`).all()
    const ended = db.prepare<[], { run: number }>(
      'SELECT run_id AS run FROM run WHERE end_at IS NOT NULL').all()
    return {
      known: new Map(known.map(({ key, text }) => [key, text])),
      setAside: new Set(setAside.map(({ key }) => key)), ended: new Set(ended.map(({ run }) => run)),
    }
  } finally { db.close() }
}

/** What the recorder itself said of its recoveries. */
export function recoveriesTold(site: Site): { zeroedAgain: number, recovered: number } {
  const log = existsSync(site.logFile) ? readFileSync(site.logFile, 'utf8') : ''
  return { zeroedAgain: log.split('unfinished slot zeroed again').length - 1, recovered: log.split('open slot recovered').length - 1 }
}
