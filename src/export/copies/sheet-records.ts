import { epochMs, type EpochMs } from '../../domain/index.ts'
import type { CoverSheet, CustodySheet } from '../../paper/index.ts'
import { rocDateTimeText } from '../../rules/index.ts'
import type { ManifestPerson } from '../package/manifest.ts'
import type { CustodyStep } from '../package/seal-package.ts'
import type { SheetFacts } from './ports.ts'

const STAGES: Readonly<Record<CustodyStep['step'], string>> = { 'requested': '申請', 'approved': '核准', 'acquired': '擷取', 'closed': '封裝完成', 'written': '寫入媒體', 'handed-over': '移交', 'kept': '存檔' }
const instant = (iso: string): EpochMs => epochMs(Date.parse(iso))
const local = (iso: string): string => rocDateTimeText(instant(iso))
const joined = (...texts: readonly string[]): string => texts.filter(text => text !== '').join('　')
const personText = ({ name, role }: ManifestPerson): string => `${name}（${role}）`
const bytesOf = ({ manifest: { files } }: SheetFacts): number => files.reduce((sum, { bytes }) => sum + bytes, 0)
/** The footer's hash and QR are the manifest's: a paper leads to the package it belongs to. */
const recordOf = ({ manifest: { packageId, createdAt }, manifestSha256 }: SheetFacts) => ({ systemNo: packageId, sha256: manifestSha256, at: instant(createdAt) })

/** E14. */
export function coverOf(facts: SheetFacts): CoverSheet {
  const { manifest: { application, files, createdAt, key, exporter, witness }, manifestSha256, recipient, medium } = facts
  return {
    ...recordOf(facts), application: application.number, agency: application.agency, legalBasis: application.legalBasis, purpose: application.purpose,
    cameras: application.scope.map(({ cameraName, cameraId, from, to }) => ({ camera: `${cameraName}（${cameraId}）`, from: local(from), to: local(to), fromUtc: from, toUtc: to })),
    files: files.length, bytes: bytesOf(facts), totalSha256: manifestSha256, keyFingerprint: key.fingerprint, createdOn: local(createdAt), createdUtc: createdAt,
    maker: personText(exporter), witness: personText(witness), receiver: joined(recipient.unit, recipient.name, `（查驗${recipient.idType}）`), medium: medium === null ? '未以媒體交付' : joined(medium.type, medium.serial, medium.label),
  }
}

/** E9: the chain of custody as it stands in the package, and what came of it since. */
export function custodyOf(facts: SheetFacts): CustodySheet {
  const { manifest: { application, files, key }, manifestSha256, custody, recipient, medium, archiveItem, bookLine } = facts
  return {
    ...recordOf(facts), application: application.number, totalSha256: manifestSha256, keyFingerprint: key.fingerprint, bookLine, archiveItem, files: files.length, bytes: bytesOf(facts), medium, receiver: recipient,
    events: custody.map(({ at, step, by, words }) => ({ stage: STAGES[step], on: rocDateTimeText(at), who: by, what: words })),
  }
}
