import Type from 'typebox'
import { actorOf } from '../../access/index.ts'
import { DEFAULTS, isHost, streamUrlFault } from '../../config/index.ts'
import type { CameraEndReason } from '../../domain/index.ts'
import { REASON_CATALOGUE } from '../../health/index.ts'
import { configurationLines, type CameraProbe } from '../../ingest/index.ts'
import { badRequest } from '../errors.ts'
import { route, type Route } from '../route.ts'
import { Both, closed, Count, oneOf, orNull, text } from '../schemas/common.ts'

const Device = closed({ address: Type.String({ description: 'where its answer came from' }),
  port: orNull(Type.Integer()), name: Type.String(), hardware: Type.String() })
const Profile = closed({
  token: Type.String(), name: Type.String(), sourceToken: orNull(Type.String({ description: 'the lens' })),
  codec: Type.String(), width: orNull(Type.Number()), height: orNull(Type.Number()), fps: orNull(Type.Number()),
  bitrateKbps: orNull(Type.Number()), govLength: orNull(Type.Number()),
  takenAs: orNull(oneOf(['main', 'sub'])),
})
const Sample = closed({
  codec: Type.String(), widthPx: Type.Number(), heightPx: Type.Number(), fps: orNull(Type.Number()),
  bitrateBps: orNull(Type.Number()), keyFrameSeconds: orNull(Type.Number()),
  brightness: orNull(Type.Number({ description: '0 black to 255 white; the picture itself is never shown' })),
})
const Fault = closed({ reason: Type.String(), text: Both, nextStep: Both })
const Probe = closed({
  device: orNull(closed({
    manufacturer: Type.String(), model: Type.String(), firmwareVersion: Type.String(),
    serialNumber: Type.String(), clockOffsetMs: orNull(Type.Number()), profiles: Type.Array(Profile),
  })),
  deviceFault: orNull(Fault), streamUrl: orNull(Type.String()),
  description: orNull(closed({ video: orNull(Type.String()), sound: orNull(Type.String()) })),
  sample: orNull(Sample), streamFault: orNull(Fault),
  configuration: Type.Array(Type.String(), { description: 'lines for `cameras:` of the configuration' }),
})

/** Without control characters, as in the secrets file: it stands in headers that go to the camera. */
const AccountWord = Type.String({ maxLength: 256, pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]*$' })
const Target = closed({
  host: Type.Optional(Type.String({ maxLength: 253, description: 'of a device that speaks ONVIF' })),
  port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535, default: DEFAULTS.onvifPort })),
  source: Type.Optional(text(200)),
  url: Type.Optional(Type.String({ maxLength: 2_000, description: 'rtsp://, without account and password' })),
  account: Type.Optional(closed({ username: AccountWord, password: AccountWord },
    { description: 'goes to this camera alone and is kept nowhere' })),
})
type Target = Type.Static<typeof Target>

export const cameraSurveyRoutes: readonly Route[] = [
  route({
    method: 'POST', url: '/api/cameras/discover', who: ['config'], guard: true,
    summary: { zh: '搜尋網路上的攝影機', en: 'who answers as a camera on the networks of the recorder; connects to none' },
    answer: closed({ devices: Type.Array(Device), ignored: Count,
      unasked: Type.Array(Type.String(), { description: 'own addresses on networks that could not be asked' }) }),
    async handler({ parts, acting }) {
      return await parts.survey.discover(() => { note(parts.audit, acting(), 'camera.discovered', null) })
    },
  }),
  route({
    method: 'POST', url: '/api/cameras/probe', who: ['config'], guard: true,
    summary: { zh: '查看一部攝影機（不顯示畫面）', en: 'what a camera says and sends, and the lines to configure it with; no picture' },
    body: Target, answer: Probe,
    async handler({ parts, acting, body }) {
      const at = targetOf(body), { account } = body
      // Without the path: some cameras have a token in it.
      const object = at.kind === 'url' ? hostOf(at.url) : `${at.host}:${at.port}`
      const probe = await parts.survey.probe(at, account ?? null,
        () => { note(parts.audit, acting(), 'camera.probed', object) })
      return answerOf(probe, body)
    },
  }),
]

/** Host and port as they stand in a sound address; readers of URLs refuse the zone of an IPv6 address. */
const hostOf = (url: string): string => /^[a-z]+:\/\/([^/?#]*)/i.exec(url)?.[1] ?? ''

type Audit = Parameters<Route['handler']>[0]['parts']['audit']
type Acting = Parameters<typeof actorOf>[0]
/** Before it is done: whom the recorder turned to, and who made it. */
function note(audit: Audit, acting: Acting, action: string, object: string | null): void {
  audit.transaction(() => {
    audit.append({ action, actor: actorOf(acting), object, application: null, result: 'done', detail: {} })
  })
}

function targetOf({ host, port, source, url }: Target) {
  if (url !== undefined && host === undefined) {
    const fault = streamUrlFault(url)
    if (fault === null) return { kind: 'url', url } as const
    throw badRequest('網址不正確。', 'the address is not right', [{ where: 'url', ...fault }])
  }
  if (host !== undefined && url === undefined && isHost(host)) {
    return { kind: 'onvif', host, port: port ?? DEFAULTS.onvifPort, source: source ?? null } as const
  }
  throw badRequest('請以 host 指定主機名稱或 IP 位址，或以 url 指定 rtsp:// 網址，二者擇一。',
    'give either a host name or IP address as host, or an rtsp:// address as url')
}

function answerOf(probe: CameraProbe, { host, url, port, source, account }: Target): Type.Static<typeof Probe> {
  const { device, deviceFault, streamFault, shownUrl, description, sample } = probe
  const words = { at: host ?? url ?? '', port: port ?? DEFAULTS.onvifPort, source: source ?? null,
    credential: account === undefined ? null : 'camera-1' }
  return {
    device: device === null ? null : { ...device.information, clockOffsetMs: device.clockOffset?.offsetMs ?? null,
      profiles: [...device.profiles] },
    deviceFault: deviceFault === null ? null : faultOf(deviceFault.endReason), streamUrl: shownUrl,
    description, sample, streamFault: streamFault === null ? null : faultOf(streamFault.reason),
    configuration: sample === null ? [] : configurationLines(words, probe),
  }
}

/** In the words of health, whose reasons these are. */
function faultOf(reason: CameraEndReason): Type.Static<typeof Fault> {
  const { text: says, nextStep } = REASON_CATALOGUE[`stream-${reason}`]
  const filled = (words: string, name: string): string => words.replaceAll('{subject}', name)
  return { reason, text: { zh: filled(says.zh, '這部攝影機：'), en: filled(says.en, 'this camera') }, nextStep }
}
