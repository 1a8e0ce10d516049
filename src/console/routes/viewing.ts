import Type from 'typebox'
import { NAME_PATTERN, type CameraId } from '../../domain/index.ts'
import { GrantedScreen, type Screen } from '../../viewing/index.ts'
import { notHere } from '../errors.ts'
import { FileAnswer, route, type Route, type RouteContext } from '../route.ts'
import { NumberSchema } from '../schemas/cases.ts'
import { CameraRef, closed, Count, Instant, oneOf, orNull, Sha256, text } from '../schemas/common.ts'
import { named } from '../schemas/names.ts'
import { viewerPageOf } from '../viewer-page.ts'
import { known } from './applications.ts'

/** Of the configuration, such as `lobby`. */
const CameraName = Type.Unsafe<CameraId>(Type.String({ pattern: NAME_PATTERN.source, description: 'the id of a camera in the configuration' }))
const Mark = Type.String({ pattern: '^[0-9a-f]{32}$' })
const Opened = closed({ screen: Mark, page: Type.String({ description: 'the page that shows it, in the browser of this login' }) })
const ScreenLine = closed({ screen: Mark, page: Type.String(), kind: oneOf(['granted', 'live', 'aiming']), application: orNull(NumberSchema), openedAt: Instant, isLocked: Type.Boolean() })
const ProposalSchema = named('AimingProposal', closed({ id: Mark, camera: Type.String(), by: Type.String(), reason: Type.String() }))
const ReferenceImageSchema = named('ReferenceImage', closed({ id: Mark, camera: CameraRef, takenAt: Instant, sizeBytes: Count, sha256: Sha256, approvedBy: Type.String() }))
const ByScreen = closed({ screen: Mark }), ByCamera = closed({ camera: CameraName }), ByCandidate = closed({ candidate: Mark })
const JPEG = ['image/jpeg']
const IMAGE_READERS = ['reference-image', 'live-view', 'aim-camera', 'check'] as const

export const viewingRoutes: readonly Route[] = [
  route({
    method: 'GET', url: '/api/screens', who: 'role', isBackground: true, summary: { zh: '本次登入開啟之畫面', en: 'the screens this login has open; does not count as use' }, answer: closed({ screens: Type.Array(ScreenLine) }),
    handler: ({ parts, session }) => {
      const { hash } = session()
      return { screens: parts.viewing.screens.list().filter(screen => screen.isOfSession(hash)).map(screen => ({ ...openedOf(screen), kind: screen.kind, application: screen.application, openedAt: screen.openedAt, isLocked: screen.isLocked })) }
    },
  }),
  route({
    method: 'POST', url: '/api/screens/granted', who: ['open-granted-view'], summary: { zh: '依核准開啟陪同閱覽，並登錄紀錄簿', en: 'open a granted viewing beside the visitor; entry and book line are written with it' },
    body: closed({
      application: NumberSchema, cameras: Type.Optional(Type.Array(CameraRef, { minItems: 1, maxItems: 64 })), visitor: closed({ name: text(200), part: oneOf(['applicant', 'agent', 'receiver', 'present']) }), isStatementConfirmed: Type.Boolean(), isForInquiry: Type.Optional(Type.Boolean()),
    }), status: 201, answer: Opened,
    handler: ({ parts, token, body: { application, cameras, visitor, isStatementConfirmed, isForInquiry } }) => openedOf(parts.viewing.desk.open(token(), {
      application: known(application), visitor, isStatementConfirmed, ...(cameras === undefined ? {} : { cameras }), ...(isForInquiry === undefined ? {} : { isForInquiry }),
    })),
  }),
  route({
    method: 'POST', url: '/api/screens/live', who: ['live-view'], summary: { zh: '開啟即時畫面（記入稽核）', en: 'open a live view; that it was opened is on record' }, body: closed({ cameras: Type.Array(CameraName, { minItems: 1, maxItems: 64 }) }), status: 201, answer: Opened,
    handler: ({ parts, token, body }) => openedOf(parts.viewing.live.open(token(), body.cameras)),
  }),
  route({ method: 'POST', url: '/api/screens/:screen/close', who: 'role', summary: { zh: '關閉畫面', en: 'close a screen of this login' }, params: ByScreen, answer: null, handler: context => { ownScreen(context).close('closed') } }),
  route({
    method: 'GET', url: '/api/screens/:screen/still', who: ['open-granted-view'], summary: { zh: '閱覽中之單一畫面', en: 'one picture of a granted screen: the key frame at or before the instant; on record' }, params: ByScreen,
    query: closed({ camera: Type.Integer({ minimum: 0, maximum: 1000, description: 'its place on the screen' }), at: Instant }), answer: JPEG,
    async handler(context) {
      const screen = ownScreen(context)
      if (!(screen instanceof GrantedScreen)) throw notHere()
      const { at, jpeg } = await screen.still(context.query.camera, context.query.at)
      return new FileAnswer(jpeg, 'image/jpeg', `${at}.jpg`)
    },
  }),
  route({ method: 'GET', url: '/api/aiming', who: ['aim-camera'], summary: { zh: '等候會同之鏡頭調整', en: 'aimings that wait for a second person' }, answer: closed({ proposals: Type.Array(ProposalSchema) }), handler: ({ parts }) => ({ proposals: parts.viewing.live.proposals() }) }),
  route({
    method: 'POST', url: '/api/aiming', who: ['aim-camera'], summary: { zh: '提出調整鏡頭（二人之一）', en: 'propose to aim a camera; another person in the other role joins within five minutes' }, body: closed({ camera: CameraName, reason: text(400) }), status: 201, answer: ProposalSchema,
    handler: ({ parts, token, body }) => parts.viewing.live.propose(token(), body),
  }),
  route({
    method: 'POST', url: '/api/aiming/:proposal/join', who: ['aim-camera'], summary: { zh: '會同調整鏡頭，開啟畫面十五分鐘', en: 'be the second of two; opens the camera for fifteen minutes' }, params: closed({ proposal: Mark }), status: 201, answer: Opened,
    handler: ({ parts, token, params }) => openedOf(parts.viewing.live.join(token(), params.proposal)),
  }),
  route({
    method: 'POST', url: '/api/reference-images', who: ['reference-image'], summary: { zh: '擷取參考影像供核定', en: 'take a still to be looked at; kept for five minutes unless approved' }, body: closed({ camera: CameraName }), status: 201, answer: closed({ candidate: Mark, takenAt: Instant, sizeBytes: Count }),
    async handler({ parts, acting, body }) {
      const { candidate, takenAt, jpeg } = await parts.viewing.referenceImages.take(acting(), body.camera)
      return { candidate, takenAt, sizeBytes: jpeg.length }
    },
  }),
  route({ method: 'GET', url: '/api/reference-images/candidates/:candidate', who: ['reference-image'], summary: { zh: '待核定之影像', en: 'the still to be looked at, for who took it' }, params: ByCandidate, answer: JPEG, handler: ({ parts, acting, params: { candidate } }) => new FileAnswer(parts.viewing.referenceImages.candidate(acting(), candidate), 'image/jpeg', `${candidate}.jpg`) }),
  route({ method: 'POST', url: '/api/reference-images/candidates/:candidate/approve', who: ['reference-image'], summary: { zh: '核定參考影像', en: 'approve it as the reference image of its camera' }, params: ByCandidate, guard: true, status: 201, answer: ReferenceImageSchema, handler: ({ parts, acting, params }) => parts.viewing.referenceImages.approve(acting(), params.candidate) }),
  route({
    method: 'GET', url: '/api/reference-images/:camera', who: IMAGE_READERS, summary: { zh: '現行參考影像之資料', en: 'the reference image in force: when, by whom, its hash' }, params: ByCamera, answer: ReferenceImageSchema,
    handler: async context => (await inForce(context)).image,
  }),
  route({ method: 'GET', url: '/api/reference-images/:camera/image', who: IMAGE_READERS, summary: { zh: '現行參考影像', en: 'the reference image in force' }, params: ByCamera, answer: JPEG, handler: async context => new FileAnswer((await inForce(context)).jpeg, 'image/jpeg', `${context.params.camera}.jpg`) }),
]

const openedOf = ({ id }: Screen) => ({ screen: id, page: viewerPageOf(id) })

type With<Params> = Pick<RouteContext<Params, unknown, unknown>, 'parts' | 'params' | 'session' | 'acting'>
/** Another login's screen is none. Throws ConsoleRefusal. */
function ownScreen({ parts, session, params }: With<{ screen: string }>): Screen {
  const screen = parts.viewing.screens.get(params.screen)
  if (screen === null || !screen.isOfSession(session().hash)) throw notHere()
  return screen
}
async function inForce({ parts, acting, params }: With<{ camera: CameraId }>) {
  const found = await parts.viewing.referenceImages.read(acting(), params.camera)
  if (found === null) throw notHere()
  return found
}
