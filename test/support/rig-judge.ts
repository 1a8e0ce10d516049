import type { Db } from '../../src/platform/catalogue.ts'
import { checkInvariants, picturesOf, type RecorderRig } from './recorder-rig.ts'

interface Span { readonly start_at: number, readonly end_at: number | null }

const isIn = (spans: readonly Span[], at: number): boolean =>
  spans.some(span => at >= span.start_at && at < (span.end_at ?? Infinity))
const spansOf = (db: Db, sql: string): Span[] => db.prepare<[], Span>(sql).all()

const GAPS = 'SELECT start_at, end_at FROM gap'
const OVERWRITTEN = 'SELECT start_at, end_at FROM segment WHERE freed_kept_until IS NOT NULL'

/** Those of these instants at which something was not recorded, and no gap says so. */
export function untoldBy(rig: RecorderRig, instants: readonly number[]): number[] {
  if (instants.length === 0) return []
  const gaps = rig.catalogue(db => db.prepare<[string, string], Span>(`SELECT start_at, end_at FROM gap
    JOIN camera ON uuid = camera_uuid WHERE id = ? AND stream = ?`).all(rig.camera, rig.stream))
  return instants.filter(at => !isIn(gaps, at))
}

/** Whether `bytes` are these words again and again. */
function repeats(bytes: Buffer, words: string): boolean {
  const first = bytes.subarray(0, words.length)
  return first.equals(Buffer.from(words).subarray(0, first.length))
    && bytes.subarray(words.length).equals(bytes.subarray(0, Math.max(0, bytes.length - words.length)))
}

/** How long a record of the rig lasts. */
const RECORD_MS = 500

/**
 * What is wrong with footage: a record that storage took is gone and the ring did not overwrite it, or it is
 * changed, there twice, out of order, or told as lost though it is found [G7]. With `mayLose` a gap may tell of
 * what is missing.
 */
export async function judgeFootage(rig: RecorderRig, { mayLose = false } = {}): Promise<string[]> {
  const records = await rig.found()
  const found = records.map(record => record.name)
  const names = new Set(found)
  const told = rig.catalogue(db => [...spansOf(db, OVERWRITTEN), ...mayLose ? spansOf(db, GAPS) : []])
  const missing = rig.appended.filter(({ name, startAt }) => !names.has(name) && !isIn(told, startAt))
  const gaps = rig.catalogue(db => db.prepare<[string, string], Span>(`SELECT start_at, end_at FROM gap
    JOIN camera ON uuid = camera_uuid WHERE id = ? AND stream = ?`).all(rig.camera, rig.stream))
  const isTold = ({ startAt }: typeof records[number]): boolean =>
    gaps.some(gap => startAt >= gap.start_at && startAt + RECORD_MS <= (gap.end_at ?? Infinity))
  const isWhole = ({ name, bytes }: typeof records[number]) => repeats(picturesOf(bytes), `${name} `)
  const order = new Map(rig.appended.map(({ name }, position) => [name, position]))
  const positions = found.flatMap(name => order.get(name) ?? [])
  return [
    ...missing.map(({ name }) => `${name} was accepted, is gone, and nothing tells it`),
    ...records.filter(record => !isWhole(record)).map(({ name }) => `${name} is not what was recorded`),
    ...records.filter(isTold).map(({ name }) => `${name} is found, and a gap tells it as lost`),
    ...names.size === found.length ? [] : ['a record is there twice'],
    ...positions.every((at, i) => at > (positions[i - 1] ?? -1)) ? [] : [`out of order: ${found.join(' ')}`],
  ]
}

/** What the recorder counts in memory against what its catalogue says. */
export function judgeCounts(rig: RecorderRig): string[] {
  interface Row { id: string, state: string, n: number }
  const rows = rig.rows<Row>(`SELECT volume.id, state, count(*) AS n FROM slot
    JOIN volume ON volume.uuid = volume_uuid GROUP BY volume.id, state`)
  return rig.storage.volumeStatus().flatMap(({ id, slots }) => Object.entries(slots).flatMap(([state, n]) => {
    const inRows = rows.find(row => row.id === id && row.state === state)?.n ?? 0
    return n === inRows ? [] : [`${id} counts ${n} ${state} slots, the catalogue ${inRows}`]
  }))
}

/** Slots and volumes that were given up. */
export function judgeBlame(rig: RecorderRig): string[] {
  const slots = rig.rows<{ slot: number, reason: string }>("SELECT * FROM slot WHERE state = 'quarantined'")
  const volumes = rig.storage.volumeStatus().filter(({ state }) => state !== 'ok')
  return [
    ...slots.map(({ slot, reason }) => `slot ${slot} was quarantined: ${reason}`),
    ...volumes.map(({ id, state, detail }) => `volume ${id} is ${state}: ${detail}`),
  ]
}

/** All of it, for a recorder whose disks were never at fault. */
export async function judgeAll(rig: RecorderRig): Promise<string[]> {
  return [...await judgeFootage(rig), ...await checkInvariants(rig), ...judgeCounts(rig), ...judgeBlame(rig)]
}
