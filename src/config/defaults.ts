import type { RetentionFloor } from '../domain/index.ts'

/** What a key means when it is left out. */
export const DEFAULTS = {
  timezone: 'Asia/Taipei',
  listen: { host: '127.0.0.1', port: 8787 },
  console: { host: '127.0.0.1', port: 8443, tls: 'auto' },
  floorText: '31d',
  floor: { kind: 'calendar-days', days: 31 } satisfies RetentionFloor,
  inboxFolder: 'inbox', // inside state.dir
  calendarFolder: 'calendar', // inside state.dir
  managingUnit: '資訊室',
  syslogTag: 'custos-audit',
  syslogPort: 514,
  onvifPort: 80,
  onvifProfile: 'main',
  onvifSource: null, // the lens chosen at the first connection
  audio: false, // P8: sound only where a permit says so
  place: null,
  priority: 5, // of 1 to 9
} as const

/** Bounds on what is read; each far above any real installation, so that only a mistake meets it. */
export const LIMITS = {
  fileBytes: 1024 * 1024,
  yamlAliases: 100,
  yamlDepth: 32, // of brackets, or of indicators in one line
  yamlIndentChars: 200,
  yamlTokens: 200_000, // 256 cameras with eight streams each make some 50,000
  problems: 200,
  yamlFaults: 10, // after the first syntax error the others are mostly its echo
  cameras: 256,
  streamsPerCamera: 8,
  volumes: 64,
  labelChars: 80,
  pathChars: 1024,
  urlChars: 2000,
  hostChars: 253, // RFC 1035
  tokenChars: 64, // ONVIF's ReferenceToken
  credentialChars: 256,
  floorDays: 3660, // ten years
  commandWords: 32,
  quotaBytes: 2 ** 50, // 1 PiB
  leastBitrateBps: 8_000, // less is a wrong unit, not a camera
  mostBitrateBps: 1_000_000_000,
  lowestPriority: 9,
  reasonChars: 500,
} as const

/** The month the rule asks for (R18); a floor below it is for trials. */
export const RULE_FLOOR_DAYS = 31
