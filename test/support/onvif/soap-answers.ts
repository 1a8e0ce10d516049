import { DEFAULT_INFORMATION, type SimulatedDevice, type SimulatedProfile } from './simulated-device.ts'

export const DEVICE_PATH = '/onvif/device_service'
const MEDIA_PATHS = { media: '/onvif/media_service', media2: '/onvif/media2_service' } as const

/** A question as it came in: the operation, and which generation of the media service its namespace names. */
export interface Question { readonly operation: string, readonly media: 'media' | 'media2', readonly body: string }

export function questionOf(body: string): Question {
  const [, operation = ''] = /<(?:\w+:)?Body[^>]*>\s*<(?:\w+:)?(\w+)/.exec(body) ?? []
  return { operation, media: body.includes('www.onvif.org/ver20/media/wsdl') ? 'media2' : 'media', body }
}

export const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
export const unescaped = (text: string): string =>
  text.replaceAll('&quot;', '"').replaceAll('&gt;', '>').replaceAll('&lt;', '<').replaceAll('&amp;', '&')

export const envelope = (body: string): string => '<?xml version="1.0" encoding="UTF-8"?>\n'
  + '<env:Envelope xmlns:env="http://www.w3.org/2003/05/soap-envelope" xmlns:tt="http://www.onvif.org/ver10/schema" '
  + 'xmlns:tds="http://www.onvif.org/ver10/device/wsdl" xmlns:trt="http://www.onvif.org/ver10/media/wsdl" '
  + `xmlns:tr2="http://www.onvif.org/ver20/media/wsdl"><env:Body>${body}</env:Body></env:Envelope>\n`

export const faultBody = (subcode: string, reason: string): string => '<env:Fault><env:Code><env:Value>env:Sender</env:Value>'
  + `<env:Subcode><env:Value>ter:${subcode}</env:Value></env:Subcode></env:Code>`
  + `<env:Reason><env:Text xml:lang="en">${escaped(reason)}</env:Text></env:Reason></env:Fault>`

const REFUSALS = { unknown: faultBody('ActionNotSupported', 'Optional Action Not Implemented') }

/** The body of the right answer, or a fault's. `at` is the device's own clock. */
export function answerBody(device: SimulatedDevice, question: Question, origin: string, at: Date): string {
  const { profiles, information = DEFAULT_INFORMATION, media2 = true, services = true } = device
  const prefix = question.media === 'media2' ? 'tr2' : 'trt'
  switch (question.operation) {
    case 'GetSystemDateAndTime':
      return `<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType>${utc(at)}</tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>`
    case 'GetServices': {
      if (!services) return REFUSALS.unknown
      const service = (namespace: string, path: string) =>
        `<tds:Service><tds:Namespace>${namespace}</tds:Namespace><tds:XAddr>${origin}${path}</tds:XAddr><tds:Version><tt:Major>2</tt:Major><tt:Minor>60</tt:Minor></tds:Version></tds:Service>`
      return `<tds:GetServicesResponse>${service('http://www.onvif.org/ver10/device/wsdl', DEVICE_PATH)}`
        + service('http://www.onvif.org/ver10/media/wsdl', MEDIA_PATHS.media)
        + `${media2 ? service('http://www.onvif.org/ver20/media/wsdl', MEDIA_PATHS.media2) : ''}</tds:GetServicesResponse>`
    }
    case 'GetCapabilities':
      return `<tds:GetCapabilitiesResponse><tds:Capabilities><tt:Media><tt:XAddr>${origin}${MEDIA_PATHS.media}</tt:XAddr></tt:Media></tds:Capabilities></tds:GetCapabilitiesResponse>`
    case 'GetDeviceInformation':
      return '<tds:GetDeviceInformationResponse>'
        + `<tds:Manufacturer>${escaped(information.manufacturer)}</tds:Manufacturer><tds:Model>${escaped(information.model)}</tds:Model>`
        + `<tds:FirmwareVersion>${escaped(information.firmwareVersion)}</tds:FirmwareVersion><tds:SerialNumber>${escaped(information.serialNumber)}</tds:SerialNumber>`
        + '<tds:HardwareId>1.0</tds:HardwareId></tds:GetDeviceInformationResponse>'
    case 'GetProfiles':
      return `<${prefix}:GetProfilesResponse>${profiles.map(question.media === 'media2' ? media2Profile : media1Profile).join('')}</${prefix}:GetProfilesResponse>`
    case 'GetVideoEncoderConfigurations':
      return `<${prefix}:GetVideoEncoderConfigurationsResponse>${profiles.map(profile => encoder(profile, question.media, `${prefix}:Configurations`)).join('')}</${prefix}:GetVideoEncoderConfigurationsResponse>`
    case 'GetVideoSources':
      return `<trt:GetVideoSourcesResponse>${[...new Set(profiles.map(sourceOf))].map(source =>
        `<trt:VideoSources token="${escaped(source)}"><tt:Framerate>25</tt:Framerate><tt:Resolution><tt:Width>1920</tt:Width><tt:Height>1080</tt:Height></tt:Resolution></trt:VideoSources>`).join('')}</trt:GetVideoSourcesResponse>`
    case 'GetStreamUri': {
      const [, token = ''] = /<(?:\w+:)?ProfileToken>([^<]*)</.exec(question.body) ?? []
      const profile = profiles.find(each => each.token === unescaped(token))
      if (!profile) return faultBody('InvalidArgVal', 'Profile token does not exist')
      return question.media === 'media2' ? `<tr2:GetStreamUriResponse><tr2:Uri>${escaped(profile.uri)}</tr2:Uri></tr2:GetStreamUriResponse>`
        : `<trt:GetStreamUriResponse><trt:MediaUri><tt:Uri>${escaped(profile.uri)}</tt:Uri><tt:InvalidAfterConnect>false</tt:InvalidAfterConnect></trt:MediaUri></trt:GetStreamUriResponse>`
    }
    default: return REFUSALS.unknown
  }
}

const utc = (at: Date): string => `<tt:UTCDateTime><tt:Time><tt:Hour>${at.getUTCHours()}</tt:Hour><tt:Minute>${at.getUTCMinutes()}</tt:Minute>`
  + `<tt:Second>${at.getUTCSeconds()}</tt:Second></tt:Time><tt:Date><tt:Year>${at.getUTCFullYear()}</tt:Year>`
  + `<tt:Month>${at.getUTCMonth() + 1}</tt:Month><tt:Day>${at.getUTCDate()}</tt:Day></tt:Date></tt:UTCDateTime>`

const sourceOf = (profile: SimulatedProfile): string => profile.sourceToken ?? 'source-1'

const media2Profile = (profile: SimulatedProfile): string => `<tr2:Profiles token="${escaped(profile.token)}" fixed="true"><tr2:Name>${escaped(profile.name)}</tr2:Name>`
  + `<tr2:Configurations><tr2:VideoSource token="vs"><tt:Name>vs</tt:Name><tt:SourceToken>${escaped(sourceOf(profile))}</tt:SourceToken></tr2:VideoSource>`
  + `${encoder(profile, 'media2', 'tr2:VideoEncoder')}</tr2:Configurations></tr2:Profiles>`

/** Media1 has no word for H.265: such a profile comes without its encoder. */
const media1Profile = (profile: SimulatedProfile): string => `<trt:Profiles token="${escaped(profile.token)}" fixed="true"><tt:Name>${escaped(profile.name)}</tt:Name>`
  + `<tt:VideoSourceConfiguration token="vs"><tt:Name>vs</tt:Name><tt:SourceToken>${escaped(sourceOf(profile))}</tt:SourceToken></tt:VideoSourceConfiguration>`
  + `${profile.codec === 'h265' ? '' : encoder(profile, 'media', 'tt:VideoEncoderConfiguration')}</trt:Profiles>`

function encoder(profile: SimulatedProfile, media: 'media' | 'media2', element: string): string {
  const { width, height, fps, bitrateKbps, govLength = 50 } = profile
  const encoding = { h264: 'H264', h265: 'H265', mjpeg: 'JPEG' }[profile.codec]
  const resolution = `<tt:Encoding>${encoding}</tt:Encoding><tt:Resolution><tt:Width>${width}</tt:Width><tt:Height>${height}</tt:Height></tt:Resolution>`
  return media === 'media2'
    ? `<${element} token="ve-${escaped(profile.token)}" GovLength="${govLength}" Profile="Main"><tt:Name>ve</tt:Name>${resolution}`
      + `<tt:RateControl ConstantBitRate="false"><tt:FrameRateLimit>${fps.toFixed(1)}</tt:FrameRateLimit><tt:BitrateLimit>${bitrateKbps}</tt:BitrateLimit></tt:RateControl></${element}>`
    : `<${element} token="ve-${escaped(profile.token)}"><tt:Name>ve</tt:Name>${resolution}`
      + `<tt:RateControl><tt:FrameRateLimit>${fps}</tt:FrameRateLimit><tt:EncodingInterval>1</tt:EncodingInterval><tt:BitrateLimit>${bitrateKbps}</tt:BitrateLimit></tt:RateControl>`
      + `<tt:H264><tt:GovLength>${govLength}</tt:GovLength><tt:H264Profile>Main</tt:H264Profile></tt:H264></${element}>`
}
