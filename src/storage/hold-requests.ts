import { cameraId, cameraUuid, epochMs, FatalError, NAME_PATTERN, streamName } from '../domain/index.ts'
import type { Ask, Handlers, HoldMessage } from '../link/index.ts'
import type { HoldDesk } from './hold-desk.ts'
import type { FoundHold } from './tables/holds.ts'

/** A page of the list, as the link has it. */
const HOLDS_A_PAGE = 200

/** The holds of a desk, as they are asked for over the link, or by a command that finds no recorder. */
export function holdRequests(desk: HoldDesk) {
  const { book } = desk
  return {
    'hold.cost': async asked => {
      const cost = book.cost(rangeOf(desk, asked))
      return { ...cost, days: desk.costInDays(cost.newlyHeld), refused: [...desk.refused()] }
    },
    'hold.place': async ({ holdId, authority, application, by, ...asked }) => {
      const hold = await book.place({ ...rangeOf(desk, asked), holdId, authority, application, by })
      return { hold: messageOf({ hold, ended: null }), refused: [...desk.refused()] }
    },
    'hold.end': async ({ holdId, by, reason }) => ({ hold: messageOf({ hold: await book.end(holdId, by, reason), ended: null }) }),
    'hold.list': async ({ withEnded, after }) => {
      const { holds, next } = desk.page({ after, withEnded, most: HOLDS_A_PAGE })
      return { holds: holds.map(messageOf), next }
    },
  } as const satisfies Handlers
}

/** Throws FatalError for a camera of which there is no footage. */
function rangeOf(desk: HoldDesk, { camera: asked, stream, fromAt, toAt }: Ask<'hold.cost'>) {
  const camera = 'uuid' in asked ? desk.cameraOf(cameraUuid(asked.uuid))
    : NAME_PATTERN.test(asked.id) ? desk.findCamera(cameraId(asked.id)) : null
  if (camera === null) {
    const name = 'uuid' in asked ? asked.uuid : asked.id
    throw new FatalError('CUSTOS_HOLD_REFUSED', `no footage of a camera ${JSON.stringify(name)} is known`, {
      remedy: `Known cameras: ${desk.cameraIds().join(', ') || 'none'}.`,
    })
  }
  return { camera, stream: stream === null ? null : streamName(stream), fromAt: epochMs(fromAt), toAt: epochMs(toAt) }
}

const messageOf = ({ hold, ended }: FoundHold): HoldMessage => ({
  ...hold, ended: ended === null ? null : { at: ended.endedAt, by: ended.endedBy, reason: ended.endReason },
})
