import Type from 'typebox'
import { NAME_PATTERN } from '../domain/index.ts'
import { DEFAULTS, LIMITS } from './defaults.ts'
import { texts, type ProblemText } from './texts.ts'

/** What stands beside JSON Schema's own words in each node: how to say that it is wrong, and a value that would do. */
export interface Note {
  readonly expect?: ProblemText
  readonly example: string
  /** Text that YAML reads as a number or a truth value when it is not in quotes. */
  readonly quotable?: true
}

// Any script; no control characters, line separators, lone surrogates or marks that turn the reading direction.
const textOf = (maxChars: number) => new RegExp(`^(?=.*\\S)[^\\p{Cc}\\p{Cs}\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069]{1,${maxChars}}$`, 'u')
const LABEL = textOf(LIMITS.labelChars)
const SENTENCE = textOf(LIMITS.reasonChars)

const name = (example: string) => Type.String({ pattern: NAME_PATTERN, expect: texts.name, example, quotable: true } satisfies Note & { pattern: RegExp })
const label = (example: string) => Type.String({ pattern: LABEL, expect: texts.label(LIMITS.labelChars), example, quotable: true } satisfies Note & { pattern: RegExp })
const sentence = (example: string) => Type.String({ pattern: SENTENCE, expect: texts.label(LIMITS.reasonChars), example, quotable: true } satisfies Note & { pattern: RegExp })
const folder = (example: string) => Type.String({ expect: texts.absolutePath, example } satisfies Note)
const host = (example: string) => Type.String({ expect: texts.host, example } satisfies Note)
const port = (example: number, fallback?: number) => Type.Integer({
  minimum: 1, maximum: 65535, expect: texts.port, example: String(example), ...(fallback === undefined ? {} : { default: fallback }),
} satisfies Note & { minimum: number, maximum: number, default?: number })

const closed = <Extra extends Note>(note: Extra) => ({ additionalProperties: false, ...note }) as const

const source = (number: number, profile: string) => ({
  url: Type.Optional(Type.String({ expect: texts.urlForm, example: `"rtsp://10.0.0.11/stream${number}"` })),
  profile: Type.Optional(Type.Union([Type.Literal('main'), Type.Literal('sub')], { expect: texts.profile, example: profile })),
})
const Stream = Type.Object({
  ...source(1, 'main'),
  bitrate: Type.Optional(Type.String({ expect: texts.bitrate, example: '4Mbit/s' })),
  lower: Type.Optional(Type.Object(source(2, 'sub'), closed({ example: '{ profile: sub }' }))),
}, closed({ example: '{ url: "rtsp://10.0.0.11/stream1" }' }))

const Camera = Type.Object({
  id: name('lobby'),
  name: label('大廳'),
  place: Type.Optional(label('一樓服務臺')),
  credential: Type.Optional(name('lobby')),
  priority: Type.Optional(Type.Integer({ minimum: 1, maximum: LIMITS.lowestPriority, expect: texts.priority(LIMITS.lowestPriority), example: '3', default: DEFAULTS.priority })),
  audio: Type.Optional(Type.Boolean({ expect: texts.trueOrFalse, example: 'false', default: DEFAULTS.audio })),
  onvif: Type.Optional(Type.Object({
    host: host('10.0.0.12'),
    port: Type.Optional(port(80, DEFAULTS.onvifPort)),
    source: Type.Optional(Type.String({ pattern: textOf(LIMITS.tokenChars),
    expect: texts.videoSource(LIMITS.tokenChars), example: 'VideoSource_3',
    quotable: true } satisfies Note & { pattern: RegExp })),
  }, closed({ example: '{ host: 10.0.0.12, port: 80 }' }))),
  streams: Type.Optional(Type.Record(Type.String({ pattern: NAME_PATTERN.source }), Stream, {
    ...closed({ example: '{ main: { url: "rtsp://10.0.0.11/stream1" } }' }), expect: texts.streams(LIMITS.streamsPerCamera),
    minProperties: 1, maxProperties: LIMITS.streamsPerCamera,
  })),
}, closed({ example: '{ id: lobby, name: 大廳, credential: lobby, streams: { main: { url: "rtsp://10.0.0.11/stream1" } } }' }))

/** The configuration file as it is written: the shape only, meaning is checked by the section modules. */
export const ConfigSchema = Type.Object({
  site: Type.Object({
    name: label('信義區戶政事務所'),
    timezone: Type.Optional(Type.String({ expect: texts.timezone(null), example: 'Asia/Taipei', default: DEFAULTS.timezone })),
  }, closed({ example: '{ name: 信義區戶政事務所, timezone: Asia/Taipei }' })),
  state: Type.Object({ dir: folder('/var/lib/custos') }, closed({ example: '{ dir: /var/lib/custos }' })),
  listen: Type.Optional(Type.Object({
    host: Type.Optional(Type.String({ expect: texts.host, example: '127.0.0.1', default: DEFAULTS.listen.host })),
    port: Type.Optional(port(8787, DEFAULTS.listen.port)),
  }, closed({ example: '{ host: 127.0.0.1, port: 8787 }' }))),
  console: Type.Optional(Type.Object({
    host: Type.Optional(Type.String({ expect: texts.host, example: '127.0.0.1', default: DEFAULTS.console.host })),
    port: Type.Optional(port(8443, DEFAULTS.console.port)),
    tls: Type.Optional(Type.Union([
      Type.Literal('auto'), Type.Literal('off'),
      Type.Object({ cert: folder('/etc/custos/console.crt'), key: folder('/etc/custos/console.key') }, closed({ example: '' })),
    ], { expect: texts.tls, example: 'auto', default: DEFAULTS.console.tls })),
  }, closed({ example: '{ host: 127.0.0.1, port: 8443, tls: auto }' }))),
  volumes: Type.Array(Type.Object({ id: name('disk1'), path: folder('/srv/custos/disk1') }, closed({ example: '{ id: disk1, path: /srv/custos/disk1 }' })), {
    minItems: 1, maxItems: LIMITS.volumes, expect: texts.listOf({ zh: '儲存區', en: 'volume', min: 1, max: LIMITS.volumes }),
    example: '[ { id: disk1, path: /srv/custos/disk1 } ]',
  }),
  archive: Type.Optional(Type.Object({
    dir: folder('/srv/custos/archive'),
    quota: Type.String({ expect: texts.size, example: '200GiB' }),
  }, closed({ example: '{ dir: /srv/custos/archive, quota: 200GiB }' }))),
  retention: Type.Optional(Type.Object({
    floor: Type.Optional(Type.String({ expect: texts.floor, example: '31d', default: DEFAULTS.floorText })),
    insist: Type.Optional(Type.Object({
      by: label('王主任'),
      reason: sentence('新磁碟已請購，12 月 5 日到貨'),
    }, closed({ example: '{ by: 王主任, reason: 新磁碟已請購，12 月 5 日到貨 }' }))),
  }, closed({ example: '{ floor: 31d }' }))),
  inbox: Type.Optional(Type.Union([
    Type.Literal('off'),
    Type.Object({ dir: folder('/var/lib/custos/inbox') }, closed({ example: '' })),
  ], { expect: texts.inbox, example: '{ dir: /var/lib/custos/inbox }' })),
  office: Type.Optional(Type.Object({
    managingUnit: Type.Optional(Type.String({ pattern: LABEL, expect: texts.label(LIMITS.labelChars), example: DEFAULTS.managingUnit, quotable: true, default: DEFAULTS.managingUnit } satisfies Note & { pattern: RegExp, default: string })),
    ruleSets: Type.Optional(folder('/etc/custos/rule-sets')),
    calendar: Type.Optional(folder('/var/lib/custos/calendar')),
  }, closed({ example: '{ managingUnit: 資訊室 }' }))),
  witness: Type.Optional(Type.Object({
    syslog: Type.Optional(Type.Union([
      Type.Literal(true), Type.Literal(false),
      Type.Object({
        tag: Type.Optional(Type.String({ expect: texts.name, example: DEFAULTS.syslogTag, pattern: NAME_PATTERN.source, default: DEFAULTS.syslogTag })),
        server: Type.Optional(host('10.0.0.5')),
        port: Type.Optional(port(514, DEFAULTS.syslogPort)),
      }, closed({ example: '' })),
    ], { expect: texts.syslog, example: 'true' })),
    command: Type.Optional(Type.Array(Type.String({ expect: texts.witnessCommand, example: '/usr/local/bin/mail-checkpoint' }), {
      minItems: 1, maxItems: LIMITS.commandWords, expect: texts.witnessCommand, example: '["/usr/local/bin/mail-checkpoint", "audit@example.org"]',
    })),
    print: Type.Optional(Type.Boolean({ expect: texts.trueOrFalse, example: 'true', default: false })),
  }, closed({ example: '{ syslog: true }' }))),
  package: Type.Optional(Type.Object({
    timestamp: Type.Optional(Type.Object({
      command: Type.Array(Type.String({ expect: texts.timestampCommand, example: '/opt/custos/config/time-stamp-hook' }), {
        minItems: 1, maxItems: LIMITS.commandWords, expect: texts.timestampCommand, example: '["/opt/custos/config/time-stamp-hook", "http://tsa.example.org/tsr"]',
      }),
      ca: Type.Optional(folder('/etc/custos/tsa-ca.pem')),
    }, closed({ example: '{ command: ["/opt/custos/config/time-stamp-hook", "http://tsa.example.org/tsr"], ca: /etc/custos/tsa-ca.pem }' }))),
  }, closed({ example: '{ timestamp: { command: ["/opt/custos/config/time-stamp-hook", "http://tsa.example.org/tsr"] } }' }))),
  secrets: Type.Optional(Type.Object({
    file: Type.String({ expect: texts.secretsFile, example: '/etc/custos/secrets.yaml' }),
  }, closed({ example: '{ file: /etc/custos/secrets.yaml }' }))),
  cameras: Type.Array(Camera, {
    maxItems: LIMITS.cameras, expect: texts.listOf({ zh: '鏡頭', en: 'camera', min: 0, max: LIMITS.cameras }),
    example: '[ { id: lobby, name: 大廳, streams: { main: { url: "rtsp://10.0.0.11/stream1" } } } ]',
  }),
}, closed({ example: 'site: { name: 信義區戶政事務所, timezone: Asia/Taipei }' }))

export type RawConfig = Type.Static<typeof ConfigSchema>
