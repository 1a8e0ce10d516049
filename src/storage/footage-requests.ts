import { cameraUuid, epochMs, streamName } from '../domain/index.ts'
import type { Footage, SeenDevice } from '../footage/index.ts'
import { MOST_CAMERAS_A_PAGE, MOST_ROWS_A_PAGE, type DeviceMessage, type Handlers } from '../link/index.ts'
import type { Db } from '../platform/catalogue.ts'
import type { LoopShare } from '../platform/loop-share.ts'
import { footagePages, type Bounds } from './tables/footage-pages.ts'

/** A page of segments takes 3 ms of the loop. */
const SEGMENTS_A_PAGE = 100
/** At 1 µs each. */
const MOST_LOOKED = 2000

export interface FootageRequestsOptions {
  readonly db: Db
  readonly footage: Pick<Footage, 'cameras' | 'lastDevice' | 'device'>
  readonly share: LoopShare
  /** Of one answer, where they are to be narrower. */
  readonly bounds?: Bounds
}

/** Where footage is, as the office asks it. Each answer takes some milliseconds of the loop, in its share. */
export function footageRequests({ db, footage, share, bounds }: FootageRequestsOptions) {
  const pages = footagePages(db, bounds ?? { mostRows: MOST_ROWS_A_PAGE, mostLooked: MOST_LOOKED })
  const few = footagePages(db, bounds ?? { mostRows: SEGMENTS_A_PAGE, mostLooked: MOST_LOOKED })
  return {
    'footage.cameras': ({ after }, signal) => share.run(() => {
      const all = footage.cameras()
      const from = after === null ? 0 : all.findIndex(({ uuid }) => uuid === after) + 1
      const cameras = all.slice(from, from + MOST_CAMERAS_A_PAGE)
        .map(camera => ({ ...camera, lastDevice: deviceMessage(footage.lastDevice(camera.uuid)) }))
      return { cameras, next: from + cameras.length < all.length ? cameras.at(-1)!.uuid : null }
    }, signal),
    'footage.found': ({ camera, after, ...range }, signal) => share.run(() => pages.found({
      camera: cameraUuid(camera), range: rangeOf(range),
      after: after === null ? null : { ...after, stream: streamName(after.stream) },
    }), signal),
    'footage.segments': ({ camera, stream, after, ...range }, signal) => share.run(() => few.segments({
      camera: cameraUuid(camera), stream: streamName(stream), range: rangeOf(range), after,
    }), signal),
    'footage.gaps': ({ camera, stream, after, ...range }, signal) => share.run(() => pages.gaps({
      camera: cameraUuid(camera), stream: streamName(stream), range: rangeOf(range), after,
    }), signal),
    'footage.device': async ({ camera, at }) =>
      ({ device: deviceMessage(await footage.device(cameraUuid(camera), epochMs(at))) }),
  } as const satisfies Handlers
}

const rangeOf = ({ startAt, endAt }: { readonly startAt: number, readonly endAt: number }) =>
  ({ startAt: epochMs(startAt), endAt: epochMs(endAt) })

const deviceMessage = (device: SeenDevice | null): DeviceMessage | null =>
  device === null ? null : { ...device }
