import { createHash, createPublicKey } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { FatalError } from '../domain/index.ts'
import { verifyPackage, type Verdict } from '../export/index.ts'
import type { Output } from './audit-access.ts'

export interface VerifyCommand {
  readonly place: string
  readonly fingerprint: string | undefined
  readonly checkpointFile: string | undefined
  readonly json: boolean
  readonly out: Output
  /** This machine's public key; a machine that is no recorder has none. */
  readonly machineKeyFile?: string
}

export const EXIT_FAULT = 1
export const EXIT_NOT_CONFIRMED = 3
const MACHINE_KEY = '/var/lib/custos/keys/audit-key.pub.pem'
const MOST_CHECKPOINT_BYTES = 1 << 20

/** `custos verify`: exit 0 intact and of the key asked for (or this machine's), 3 intact and by whom is open, 1 a fault. Needs no configuration and no network. Throws FatalError for arguments that make no sense. */
export async function verifyCommand({ place, fingerprint, checkpointFile, json, out, machineKeyFile = MACHINE_KEY }: VerifyCommand): Promise<number> {
  const asked = fingerprint?.replaceAll(/[\s:]/g, '').toLowerCase() ?? null
  if (asked !== null && !/^[0-9a-f]{64}$/.test(asked)) throw usage('--fingerprint 須為 64 個十六進位字元。/ --fingerprint is 64 hexadecimal digits')
  const verdict = await verifyPackage(place, { fingerprint: asked, checkpoint: checkpointFile === undefined ? null : checkpointText(checkpointFile), machineFingerprint: asked === null ? machineFingerprint(machineKeyFile) : null })
  out.write(json ? `${JSON.stringify(verdict)}\n` : textOf(verdict))
  if (!verdict.isIntact) return EXIT_FAULT
  return verdict.origin === 'confirmed' ? 0 : EXIT_NOT_CONFIRMED
}

const usage = (message: string): FatalError => new FatalError('CUSTOS_VERIFY_USAGE', message, { remedy: '見 custos verify --help。/ See custos verify --help.' })

function checkpointText(file: string): string {
  try {
    if (statSync(file).size > MOST_CHECKPOINT_BYTES) throw usage('查核點檔案過大。/ the checkpoint file is too large')
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof FatalError) throw error
    throw usage(`無法讀取查核點檔案。/ the checkpoint file cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`)
  }
}

/** Null on a machine that is no recorder, and for who may not look there. */
function machineFingerprint(file: string): string | null {
  try { return createHash('sha256').update(createPublicKey(readFileSync(file)).export({ type: 'spki', format: 'der' })).digest('hex') } catch { return null }
}

/** All but the line feed: nothing in a hostile package moves a terminal's cursor. */
const CONTROL = /(?!\n)[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu

function textOf({ isIntact, origin, packageId, fingerprint, faults, systemFiles, checkpoint, checked }: Verdict): string {
  const lines = [
    packageId === null ? null : `編號 package      ${packageId}`,
    fingerprint === null ? null : `金鑰指紋 key      ${fingerprint}`,
    `檢查 checked      ${checked.files} 個檔案 files, ${checked.bytes} bytes, ${checked.videos} 段影像 videos, ${checked.records} 筆影像紀錄 records, ${checked.entries} 筆稽核紀錄 audit entries`,
    ...faults.flatMap(({ code, where, zh, en }) => [`✗ ${code}  ${where}`, `    ${zh}`, `    ${en}`]),
    ...systemFiles.map(where => `· 作業系統自行放置，不屬於複製品，不影響結果 put there by an operating system, no part of the package, no fault：${where}`),
    checkpoint === 'unrelated' ? '查核點涵蓋的筆數不在本複製品的證明之內，無法比對；請於錄影主機執行 custos audit verify。\n    The checkpoint covers a number of entries that this package proves nothing of; compare it on the recorder with custos audit verify.' : null,
    checkpoint === 'fits' ? '查核點相符 The checkpoint fits.' : null,
    packageId === null && faults.every(({ code }) => code === 'unreadable') ? '結果：無法驗證，原因如上。 Result: not verified, for what is named above.'
      : !isIntact ? '結果：有問題，不可採信。 Result: faulty; do not rely on it.'
      : origin === 'confirmed' ? '結果：完整，且由指定的金鑰簽章。 Result: intact, and signed by the key in question.'
        : '結果：內容完整，但來源未確認；請以 --fingerprint 與封面或本所公告的指紋核對。 Result: intact, but by whom is not confirmed; compare with --fingerprint from the cover sheet or the office\'s notice.',
  ]
  return lines.filter(line => line !== null).map(line => `${line.replace(CONTROL, '?')}\n`).join('')
}
