import type { CameraUuid, EpochMs, TimeRange } from '../../domain/index.ts'
import { CASE_LIMITS } from './limits.ts'

/** One camera from an instant to another, half-open. */
export interface ScopeLine { readonly camera: CameraUuid, readonly from: EpochMs, readonly to: EpochMs }
/** Cameras x ranges: what is asked, proposed or granted. In normal form: by camera, then time; what touches is one line. */
export type Scope = readonly ScopeLine[]

const byPlace = (a: ScopeLine, b: ScopeLine): number => (a.camera < b.camera ? -1 : a.camera > b.camera ? 1 : a.from - b.from)

/** The normal form: the same footage always gives the same lines. Empty and reversed lines cover nothing and go. */
export function scopeOf(lines: readonly ScopeLine[]): Scope {
  const merged: ScopeLine[] = []
  for (const line of lines.filter(({ from, to }) => from < to).toSorted(byPlace)) {
    const last = merged.at(-1)
    if (last?.camera === line.camera && line.from <= last.to) merged[merged.length - 1] = { ...last, to: line.to > last.to ? line.to : last.to }
    else merged.push({ camera: line.camera, from: line.from, to: line.to })
  }
  return merged
}

/** Whether every camera and second of `inner` is in `outer`. */
export const isWithin = (inner: readonly ScopeLine[], outer: readonly ScopeLine[]): boolean => {
  const wide = scopeOf(outer)
  return scopeOf(inner).every(line => wide.some(other => other.camera === line.camera && other.from <= line.from && line.to <= other.to))
}

export function intersect(a: readonly ScopeLine[], b: readonly ScopeLine[]): Scope {
  const right = scopeOf(b)
  return scopeOf(scopeOf(a).flatMap(line => right.filter(other => other.camera === line.camera)
    .map(other => ({ camera: line.camera, from: line.from > other.from ? line.from : other.from, to: line.to < other.to ? line.to : other.to }))))
}

export const isSameScope = (a: readonly ScopeLine[], b: readonly ScopeLine[]): boolean => isWithin(a, b) && isWithin(b, a)
export const covers = (scope: readonly ScopeLine[], camera: CameraUuid, at: EpochMs): boolean => scope.some(line => line.camera === camera && line.from <= at && at < line.to)
export const rangesOf = (scope: readonly ScopeLine[], camera: CameraUuid): readonly TimeRange[] =>
  scopeOf(scope).filter(line => line.camera === camera).map(({ from, to }) => ({ startAt: from, endAt: to }))

export type ScopeFault = 'empty' | 'too-many-lines' | 'reversed' | 'too-long' | 'in-the-future' | 'unknown-camera'
export const SCOPE_TEXTS: Readonly<Record<ScopeFault, { readonly zh: string, readonly en: string }>> = {
  empty: { zh: '請指定鏡頭與時段。', en: 'Name cameras and times.' },
  'too-many-lines': { zh: `鏡頭與時段不可超過 ${CASE_LIMITS.scopeLines} 行。`, en: `There are more than ${CASE_LIMITS.scopeLines} lines of cameras and times.` },
  reversed: { zh: '時段的結束必須晚於開始。', en: 'A range must end after it begins.' },
  'too-long': { zh: '單一時段過長，請檢查年份。', en: 'A range is too long; check the year.' },
  'in-the-future': { zh: '時段尚未到來；只能申請已攝錄的影像。', en: 'A range lies in the future; only what was recorded can be asked for.' },
  'unknown-camera': { zh: '沒有這支鏡頭。', en: 'There is no such camera.' },
}

/** What is wrong with a range somebody asks for, by line (from 0). Parts that are overwritten or were never recorded are no fault: storage tells them. */
export function scopeFaults(lines: readonly ScopeLine[], { now, isKnownCamera }: { readonly now: EpochMs, readonly isKnownCamera: (camera: CameraUuid) => boolean }): readonly { readonly line: number | null, readonly fault: ScopeFault }[] {
  if (lines.length === 0) return [{ line: null, fault: 'empty' }]
  if (lines.length > CASE_LIMITS.scopeLines) return [{ line: null, fault: 'too-many-lines' }]
  return lines.flatMap(({ camera, from, to }, line) => {
    const faults: ScopeFault[] = []
    if (!isKnownCamera(camera)) faults.push('unknown-camera')
    if (!(from < to)) faults.push('reversed')
    else if (to - from > CASE_LIMITS.rangeMs) faults.push('too-long')
    else if (to > now) faults.push('in-the-future')
    return faults.map(fault => ({ line, fault }))
  })
}
