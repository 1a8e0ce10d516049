import { canonicalJson } from '../../audit/index.ts'
import { cameraUuid, epochMs, streamName, type AuditActor, type AuditValue, type CameraUuid, type EpochMs, type StreamName } from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'
import type { ApplicationNumber } from '../cases/application-number.ts'

/** `ending`: let go here, and the recorder may still have it. */
export type CaseHoldState = 'wanted' | 'held' | 'ending' | 'ended'
export interface HoldCost { readonly slots: number, readonly bytes: number, readonly newlyHeld: number }
export interface LetGo { readonly by: AuditActor, readonly at: EpochMs, readonly reason: string }
/** Why the last try failed. `isRefused`: by the recorder, for good. */
export interface HoldTrouble { readonly code: string, readonly text: string, readonly isRefused: boolean }

/** What a step of a case wishes to be held. */
export interface NewCaseHold {
  readonly holdId: string
  readonly application: ApplicationNumber
  readonly version: number
  readonly camera: CameraUuid
  readonly from: EpochMs
  readonly to: EpochMs
  readonly authority: string
  readonly wishedBy: AuditActor
  readonly wishedAt: EpochMs
}
export interface CaseHold extends NewCaseHold {
  /** In the order of wishing. */
  readonly place: number
  readonly stream: StreamName | null
  readonly state: CaseHoldState
  readonly heldAt: EpochMs | null
  /** Null: not known. */
  readonly cost: HoldCost | null
  readonly letGo: LetGo | null
  readonly trouble: HoldTrouble | null
}

interface Raw {
  place: number, hold_id: string, application: string, version: number, camera_uuid: string, stream: string | null
  from_at: number, to_at: number, authority: string, wished_by: string, wished_at: number, state: CaseHoldState
  held_at: number | null, slots: number | null, bytes: number | null, newly_held: number | null
  let_go_by: string | null, let_go_at: number | null, let_go_reason: string | null
  trouble: string | null, trouble_code: string | null, is_refused: number
}
const instant = (at: number | null): EpochMs | null => at === null ? null : epochMs(at)
const holdOf = (raw: Raw): CaseHold => ({
  place: raw.place, holdId: raw.hold_id, application: raw.application as ApplicationNumber, version: raw.version,
  camera: cameraUuid(raw.camera_uuid), stream: raw.stream === null ? null : streamName(raw.stream),
  from: epochMs(raw.from_at), to: epochMs(raw.to_at), authority: raw.authority,
  wishedBy: JSON.parse(raw.wished_by) as AuditActor, wishedAt: epochMs(raw.wished_at), state: raw.state,
  heldAt: instant(raw.held_at),
  cost: raw.slots === null ? null : { slots: raw.slots, bytes: raw.bytes ?? 0, newlyHeld: raw.newly_held ?? 0 },
  letGo: raw.let_go_at === null ? null
    : { by: JSON.parse(raw.let_go_by!) as AuditActor, at: epochMs(raw.let_go_at), reason: raw.let_go_reason! },
  trouble: raw.trouble === null ? null
    : { code: raw.trouble_code ?? '', text: raw.trouble, isRefused: raw.is_refused === 1 },
})

const actorText = (actor: AuditActor): string => canonicalJson(actor as unknown as AuditValue)
const UNTROUBLED = 'trouble = NULL, trouble_code = NULL, is_refused = 0'
const TO_DO = "state IN ('wanted', 'ending')"

/** Table `case_hold`. The statements that change a state say from which; others change nothing. */
export function caseHoldTable(db: Db) {
  const columns = 'rowid AS place, *'
  const insert = db.prepare<[string, string, number, string, number, number, string, string, number, number]>(
    `INSERT INTO case_hold (hold_id, application, version, camera_uuid, from_at, to_at, authority, wished_by, wished_at,
     state, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'wanted', ?)`)
  const get = db.prepare<[string], Raw>(`SELECT ${columns} FROM case_hold WHERE hold_id = ?`)
  const ofApplication = db.prepare<[string], Raw>(
    `SELECT ${columns} FROM case_hold WHERE application = ? AND state != 'ended' ORDER BY rowid`)
  const wishedIn = db.prepare<[string, number], Raw>(
    `SELECT ${columns} FROM case_hold WHERE application = ? AND version = ? ORDER BY rowid`)
  const wanted = db.prepare<[number, number], Raw>(`SELECT ${columns} FROM case_hold INDEXED BY case_hold_to_do
    WHERE ${TO_DO} AND state = 'wanted' AND rowid > ? ORDER BY rowid LIMIT ?`)
  // What replaces a hold is held before the old one goes.
  const ending = db.prepare<[number, number], Raw>(`SELECT ${columns} FROM case_hold INDEXED BY case_hold_to_do
    WHERE ${TO_DO} AND state = 'ending' AND rowid > ? AND NOT EXISTS (SELECT 1 FROM case_hold AS other
      WHERE other.application = case_hold.application AND other.state != 'ended' AND other.state = 'wanted')
    ORDER BY rowid LIMIT ?`)
  const held = db.prepare<[number, number], { place: number, hold_id: string }>(
    "SELECT rowid AS place, hold_id FROM case_hold WHERE state = 'held' AND rowid > ? ORDER BY rowid LIMIT ?")
  const waiting = db.prepare<[number], { count: number, since: number | null }>(
    `SELECT count(*) AS count, min(changed_at) AS since FROM case_hold WHERE ${TO_DO} AND changed_at <= ?`)
  // What the recorder was never asked for needs no end there.
  const letGo = db.prepare<[number, string, number, string, string]>(`UPDATE case_hold
    SET state = CASE is_asked WHEN 0 THEN 'ended' ELSE 'ending' END, changed_at = ?, let_go_by = ?, let_go_at = ?,
      let_go_reason = ?, ${UNTROUBLED} WHERE hold_id = ? AND state IN ('wanted', 'held')`)
  const costs = db.prepare<[number, number, number, string]>(
    'UPDATE case_hold SET slots = ?, bytes = ?, newly_held = ? WHERE hold_id = ?')
  const asked = db.prepare<[string]>("UPDATE case_hold SET is_asked = 1 WHERE hold_id = ? AND state = 'wanted'")
  const nowHeld = db.prepare<[number, number, string]>(`UPDATE case_hold SET state = 'held', changed_at = ?,
    held_at = coalesce(held_at, ?), ${UNTROUBLED} WHERE hold_id = ? AND state = 'wanted'`)
  const wasHeld = db.prepare<[number, string]>(
    "UPDATE case_hold SET held_at = coalesce(held_at, ?) WHERE hold_id = ? AND state = 'ending'")
  const over = db.prepare<[number, string]>(
    `UPDATE case_hold SET state = 'ended', changed_at = ?, ${UNTROUBLED} WHERE hold_id = ? AND state = 'ending'`)
  const wantedAgain = db.prepare<[number, string]>(
    "UPDATE case_hold SET state = 'wanted', changed_at = ?, held_at = NULL WHERE hold_id = ? AND state = 'held'")
  const endingAgain = db.prepare<[number, string]>(
    "UPDATE case_hold SET state = 'ending', changed_at = ?, is_asked = 1 WHERE hold_id = ? AND state = 'ended'")
  const trouble = db.prepare<[string, string, number, string, string, string, number]>(
    `UPDATE case_hold SET trouble_code = ?, trouble = ?, is_refused = ? WHERE hold_id = ? AND ${TO_DO}
     AND (trouble_code IS NOT ? OR trouble IS NOT ? OR is_refused != ?)`)
  return {
    wish(hold: NewCaseHold): void {
      insert.run(hold.holdId, hold.application, hold.version, hold.camera, hold.from, hold.to, hold.authority,
        actorText(hold.wishedBy), hold.wishedAt, hold.wishedAt)
    },
    get(holdId: string): CaseHold | null { const raw = get.get(holdId); return raw === undefined ? null : holdOf(raw) },
    /** Not ended. */
    ofApplication: (number: string): CaseHold[] => ofApplication.all(number).map(holdOf),
    /** By one step, whatever became of them. */
    wishedIn: (number: string, version: number): CaseHold[] => wishedIn.all(number, version).map(holdOf),
    /** So many at most, of those behind `after`. Those that end wait until nothing of their case is wanted any more. */
    toDo: (state: 'wanted' | 'ending', after: number, most: number): CaseHold[] =>
      (state === 'wanted' ? wanted : ending).all(after, most).map(holdOf),
    held: (after: number, most: number) => held.all(after, most).map(raw => ({ place: raw.place, holdId: raw.hold_id })),
    /** Wanted or ending since then, or longer. */
    waitingSince(at: EpochMs): { readonly count: number, readonly since: EpochMs | null } {
      const { count, since } = waiting.get(at)!
      return { count, since: instant(since) }
    },
    letGo(holdId: string, { by, at, reason }: LetGo): void { letGo.run(at, actorText(by), at, reason, holdId) },
    costs(holdId: string, { slots, bytes, newlyHeld }: HoldCost): void { costs.run(slots, bytes, newlyHeld, holdId) },
    /** To be written before the recorder is asked. False when it is not wanted any more. */
    asked: (holdId: string): boolean => asked.run(holdId).changes === 1,
    /** The recorder said so. */
    isHeld(holdId: string, at: EpochMs): void {
      if (nowHeld.run(at, at, holdId).changes === 0) wasHeld.run(at, holdId)
    },
    /** The recorder has it no more. */
    isOver(holdId: string, at: EpochMs): void { over.run(at, holdId) },
    wantedAgain(holdId: string, at: EpochMs): void { wantedAgain.run(at, holdId) },
    endingAgain(holdId: string, at: EpochMs): void { endingAgain.run(at, holdId) },
    troubled(holdId: string, { code, text, isRefused }: HoldTrouble): void {
      const flag = isRefused ? 1 : 0
      trouble.run(code, text, flag, holdId, code, text, flag)
    },
  }
}
