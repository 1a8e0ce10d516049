import { manifestText, PACKAGE_FORMAT, type Manifest } from './manifest.ts'

/** An hour of one camera takes some 6 MiB. */
export const MANIFEST_MOST_BYTES = 256 << 20
const MOST_LISTED = 20_000
const HASH = /^[0-9a-f]{64}$/

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
const isText = (value: unknown): value is string => typeof value === 'string'
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isHash = (value: unknown): value is string => isText(value) && HASH.test(value)
const isInstant = (value: unknown): value is string => isText(value) && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value)
const isListOf = (value: unknown, one: (item: unknown) => boolean, most = MOST_LISTED): value is readonly unknown[] => Array.isArray(value) && value.length <= most && value.every(one)

const isFile = (value: unknown): boolean => isRecord(value) && isText(value['path']) && isCount(value['bytes']) && isHash(value['sha256'])
const isSegment = (value: unknown): boolean => isRecord(value) && isText(value['volume']) && isCount(value['slot']) && isCount(value['generation']) && isHash(value['merkleRoot']) && isCount(value['leaves']) && (value['auditSeq'] === null || isCount(value['auditSeq']))
const isVideoRecord = (value: unknown): boolean => isRecord(value) && isCount(value['segment']) && isCount(value['sequence']) && isCount(value['offset']) && isCount(value['bytes']) && isInstant(value['at']) && isCount(value['frames'])
  && typeof value['cut'] === 'boolean' && isHash(value['sha256']) && isListOf(value['proof'], isHash, 64)
const isVideo = (value: unknown): boolean => isRecord(value) && isFile(value) && isText(value['cameraName']) && isInstant(value['firstFrameAt']) && isInstant(value['endAt']) && isListOf(value['segments'], isSegment) && isListOf(value['records'], isVideoRecord, 10_000_000)

/** What the verifier relies on; null for what is no manifest of this format, also when its text is not canonical. Never throws. */
export function readManifest(text: string): Manifest | null {
  try {
    const value: unknown = JSON.parse(text)
    if (!isRecord(value) || value['format'] !== PACKAGE_FORMAT || !isText(value['packageId']) || !isInstant(value['createdAt'])) return null
    const { key, application } = value
    if (!isRecord(key) || !isHash(key['fingerprint']) || !isRecord(value['time']) || !isRecord(application) || !isText(application['number'])) return null
    if (!isListOf(value['files'], isFile) || !isListOf(value['videos'], isVideo) || !isListOf(value['gaps'], isRecord)) return null
    const manifest = value as unknown as Manifest
    return manifestText(manifest) === text ? manifest : null
  } catch { return null } // no JSON, or what has no canonical form
}
