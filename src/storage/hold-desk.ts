import type { CameraId, CameraUuid, VolumeId } from '../domain/index.ts'
import { agreesWith } from './catalogue-mark.ts'
import { HoldBook, type HoldBookOptions } from './hold-book.ts'
import { cameraTable } from './tables/cameras.ts'
import { holdTable, type HoldPage } from './tables/holds.ts'
import { markTable } from './tables/marks.ts'
import { segmentTable } from './tables/segments.ts'
import { slotTable } from './tables/slots.ts'
import { checkVolume } from './volume.ts'

/** A configured volume that cannot be written now. */
export interface RefusedVolume { readonly id: string, readonly detail: string }

/** What somebody needs to place holds, end them and look at them. */
export interface HoldDesk {
  readonly book: HoldBook
  cameraIds(): readonly CameraId[]
  findCamera(id: CameraId): { readonly id: CameraId, readonly uuid: CameraUuid } | null
  /** Also one that left the configuration. */
  cameraOf(uuid: CameraUuid): { readonly id: CameraId, readonly uuid: CameraUuid } | null
  page(of: { readonly after: number, readonly withEnded: boolean, readonly most: number }): HoldPage
  /** Of ring time that so many slots hold, at the rate of the last days; null when too little was recorded. */
  costInDays(slots: number): number | null
  refused(): readonly RefusedVolume[]
}

const RATE_WINDOW_MS = 3 * 86_400_000
const RATE_LEAST_MS = 3_600_000
/** Of so many at most: it is asked while cameras are recorded. */
const RATE_SEGMENTS = 1000
const DAY_MS = 86_400_000

export function holdDesk({ catalogue: { db }, clock, book, refused }: Pick<HoldBookOptions, 'catalogue' | 'clock'> & {
  readonly book: HoldBook
  readonly refused: () => readonly RefusedVolume[]
}): HoldDesk {
  const cameras = cameraTable(db), holds = holdTable(db), segments = segmentTable(db)
  return {
    book, refused,
    cameraIds: () => cameras.all().map(({ id }) => id),
    findCamera: id => cameras.find(id),
    cameraOf: uuid => cameras.of(uuid),
    page: of => holds.page(of),
    costInDays(slots) {
      const since = clock.wallNow() - RATE_WINDOW_MS
      const starts = segments.lastOpened(RATE_SEGMENTS).filter(at => at >= since)
      const spanMs = Math.max(...starts) - Math.min(...starts)
      return starts.length < 2 || spanMs < RATE_LEAST_MS ? null : slots * spanMs / starts.length / DAY_MS
    },
  }
}

/** For a command that finds no recorder running, or one that it cannot ask. */
export async function openHoldDesk({ catalogue, audit, fs, clock, volumes: configured }: Omit<HoldBookOptions, 'holds' | 'cameras' | 'volumes'> & {
  readonly volumes: readonly { readonly id: VolumeId, readonly path: string }[]
}): Promise<HoldDesk> {
  const { db } = catalogue, slots = slotTable(db), marks = markTable(db)
  const checks = await Promise.all(configured.map(async ({ id, path }) => {
    const check = await checkVolume(fs, path, id)
    // A catalogue from a backup does not know all holds: writing its list would take the others from the
    // volumes, from where `rebuild` brings them back [G2].
    if (check.kind === 'refused' || await agreesWith({ fs, volume: check.volume, slots, marks })) return { id, check }
    return { id, check: { kind: 'refused', state: 'foreign', detail: 'this catalogue is not the one it was last used with; start the recorder once, or run `custos rebuild`' } as const }
  }))
  const volumes = checks.flatMap(({ check }) => check.kind === 'ok' ? [check.volume] : [])
  const refused = checks.flatMap(({ id, check }) => check.kind === 'refused' ? [{ id, detail: check.detail }] : [])
  const book = new HoldBook({
    catalogue, holds: holdTable(db), cameras: cameraTable(db), audit, fs, clock, volumes: () => volumes,
  })
  return holdDesk({ catalogue, clock, book, refused: () => refused })
}
