import {
  cameraId, cameraUuid, epochMs, generation, slotNumber, streamName, type CameraId, type TimeRange,
  type VolumeId, type VolumeUuid,
} from '../domain/index.ts'
import type { Answer, Ask, SealedSegmentMessage } from '../link/index.ts'
import type { VolumeFileSystem } from '../platform/file-system.ts'
import { readMark } from './catalogue-mark.ts'
import { checkSegment, SCRUB_BUFFER_BYTES, type CheckedSegment, type SegmentFault } from './segment-check.ts'
import { checkVolume, type Volume } from './volume.ts'

/** Null means all. A range takes every segment that overlaps it. */
export interface ScrubFilter {
  readonly volume: VolumeId | null
  readonly camera: CameraId | null
  readonly range: TimeRange | null
}
export interface ScrubFinding {
  readonly volume: VolumeId
  readonly segment: CheckedSegment
  readonly fault: SegmentFault
}
export interface ScrubSummary {
  readonly segments: number
  readonly bytes: number
  readonly findings: number
  readonly unread: readonly { readonly id: VolumeId, readonly detail: string }[]
}

export interface ScrubNowOptions {
  /** Who knows what is to be read, and is told what was found. */
  readonly recorder: {
    segments(of: Ask<'scrub.segments'>): Promise<Answer<'scrub.segments'>>
    finding(told: Ask<'scrub.finding'>): Promise<Answer<'scrub.finding'>>
  }
  readonly volumes: readonly { readonly id: VolumeId, readonly path: string }[]
  readonly fs: VolumeFileSystem
  readonly filter: ScrubFilter
  readonly onFinding: (finding: ScrubFinding) => void
}

const NOT_THE_LAST = 'this catalogue is not the one it was last used with; run `custos rebuild`'

/**
 * Reads all that fits the filter again at full speed, beside a recorder or without one: a segment that is
 * overwritten meanwhile is no finding. Rejects as `recorder` does.
 */
export async function scrubNow(options: ScrubNowOptions): Promise<ScrubSummary> {
  const { recorder, volumes, fs, filter, onFinding } = options
  const unread: { id: VolumeId, detail: string }[] = []
  const buffer = Buffer.allocUnsafeSlow(SCRUB_BUFFER_BYTES)
  let checked = 0, bytes = 0, findings = 0
  const pace = async (size: number): Promise<boolean> => { bytes += size; return true }
  const look = async (volume: Volume, segment: CheckedSegment, isDoubted: boolean): Promise<void> => {
    const faults = await checkSegment({ fs, volume, segment, buffer, pace }) ?? []
    checked++
    if (faults.length === 0 && !isDoubted) return // nearly always
    const { volumeUuid, slot, generation } = segment
    const { isStanding } = await recorder.finding({ volume: volumeUuid, slot, generation, faults })
    if (!isStanding) return
    findings += faults.length
    for (const fault of faults) onFinding({ volume: volume.identity.id, segment, fault })
  }
  for (const { id, path } of volumes) {
    if (filter.volume !== null && filter.volume !== id) continue
    const check = await checkVolume(fs, path, id)
    if (check.kind === 'refused') { unread.push({ id, detail: check.detail }); continue }
    const { volume } = check, { uuid } = volume.identity, mark = await readMark(fs, volume)
    const wanted = { volume: uuid, camera: filter.camera, range: filter.range }
    let startId = mark.kind === 'start' ? mark.startId : null
    for (let from: number | null = 0; from !== null;) {
      const page: Answer<'scrub.segments'> = await recorder.segments({ ...wanted, startId, from })
      if (!page.isKnown) unread.push({ id, detail: NOT_THE_LAST })
      for (const each of page.segments) await look(volume, checkedOf(uuid, each), each.isDoubted)
      from = page.next
      startId = null // a recorder that starts meanwhile has written another
    }
  }
  return { segments: checked, bytes, findings, unread }
}

function checkedOf(volumeUuid: VolumeUuid, { isDoubted: _, ...each }: SealedSegmentMessage): CheckedSegment {
  return {
    ...each, volumeUuid, slot: slotNumber(each.slot), generation: generation(each.generation),
    cameraId: cameraId(each.cameraId), cameraUuid: cameraUuid(each.cameraUuid),
    stream: streamName(each.stream), startAt: epochMs(each.startAt), endAt: epochMs(each.endAt),
  }
}
