import { readFileSync, statSync } from 'node:fs'
import { atMachine } from '../access/index.ts'
import { FatalError, isoOf, type EpochMs } from '../domain/index.ts'
import { fingerprintOf, InboxKeyError, InboxKeys, type EnrolledKey } from '../inbox/index.ts'
import { systemClock } from '../platform/clock.ts'
import { actingPerson } from './acting-person.ts'
import { localDay, localText } from './local-time.ts'
import { officeParts, type Options, type Out } from './office-parts.ts'

export type InboxKeyAct = 'add' | 'list' | 'revoke'
const EXIT_BAD_CONFIG = 2
const MOST_PEM_BYTES = 4000

/** `custos inbox key add | list | revoke`: document systems that may leave approved requests in the inbox. Beside a running recorder, which asks the table for each file. Throws FatalError. */
export async function inboxKey(act: InboxKeyAct, options: Options, out: Out): Promise<number> {
  using parts = await officeParts(textOf(options, 'config'), act === 'list' ? 'read' : 'write', out)
  if (parts === null) return EXIT_BAD_CONFIG
  const { config, db, audit, access } = parts, { timezone } = config.site
  const keys = new InboxKeys({ db, audit, rights: access.sessions, time: systemClock })
  if (act === 'list') {
    const all = keys.list()
    for (const key of all) out.write(options['json'] === true ? `${JSON.stringify(jsonOf(key))}\n` : lineOf(key, timezone))
    if (all.length === 0 && options['json'] !== true) out.write('尚未登錄任何金鑰：收件資料夾不會受理任何檔案。\nno key is enrolled: the inbox takes no file\n')
    return 0
  }
  const acting = atMachine(actingPerson(textOf(options, 'by'), '--by'))
  if (act === 'revoke') {
    keys.revoke(textOf(options, 'id'), textOf(options, 'reason'), acting)
    out.write(`金鑰 ${textOf(options, 'id')} 已撤銷，即刻生效。\nkey ${textOf(options, 'id')} is revoked, from now on\n`)
    return 0
  }
  const from = options['from'] === undefined ? systemClock.wallNow() : localDay(textOf(options, 'from'), timezone).startAt
  const key = keys.add({ system: textOf(options, 'system').trim(), pem: pemOf(textOf(options, 'file')), validFrom: from, validUntil: localDay(textOf(options, 'until'), timezone).endAt }, acting)
  out.write(`已登錄「${key.system}」的金鑰，代號 ${key.keyId}。請與該系統的管理者核對指紋：\nkey ${key.keyId} of ${key.system} is enrolled; compare its fingerprint with that system's administrator:\n\n    SHA-256 ${fingerprintOf(key.publicKey)}\n`)
  return 0
}

function pemOf(file: string): string {
  try {
    if (statSync(file).size > MOST_PEM_BYTES) throw new InboxKeyError('檔案太大，不會是公鑰。', 'the file is too large to be a public key')
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof InboxKeyError) throw error
    throw new InboxKeyError(`無法讀取 ${file}。`, `${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`)
  }
}

const standing = ({ revoked, validFrom, validUntil }: EnrolledKey, now: EpochMs): string =>
  revoked !== null ? '已撤銷 revoked' : now < validFrom ? '尚未生效 not yet valid' : now >= validUntil ? '已過期 ended' : '有效 valid'
const lineOf = (key: EnrolledKey, timezone: string): string =>
  `${key.keyId}  ${key.system}  ${standing(key, systemClock.wallNow())}\n    ${localText(key.validFrom, timezone)} – ${localText(key.validUntil, timezone)}；登錄者 added by ${key.addedBy}${key.revoked === null ? '' : `；${localText(key.revoked.at, timezone)} ${key.revoked.by}：${key.revoked.reason}`}\n    SHA-256 ${fingerprintOf(key.publicKey)}\n`
const jsonOf = (key: EnrolledKey) => ({
  id: key.keyId, system: key.system, sha256: fingerprintOf(key.publicKey), from: isoOf(key.validFrom), until: isoOf(key.validUntil), addedAt: isoOf(key.addedAt), addedBy: key.addedBy,
  revokedAt: key.revoked === null ? null : isoOf(key.revoked.at), revokedBy: key.revoked?.by ?? null, revokeReason: key.revoked?.reason ?? null,
})

function textOf(options: Options, key: string): string {
  const value = options[key]
  if (typeof value !== 'string') throw new FatalError('CUSTOS_INBOX_KEY', `--${key} is missing`, { remedy: 'See `custos inbox key --help`.' })
  return value
}
