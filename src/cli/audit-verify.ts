import { readFileSync, statSync } from 'node:fs'
import { parseCheckpoints, verifyAuditLog, type AuditVerdict, type Checkpoint } from '../audit/index.ts'
import { isoOf } from '../domain/index.ts'
import { usage, withAudit, type Output } from './audit-access.ts'

/** Many years of a syslog extract. */
const MAX_CHECKPOINT_FILE_BYTES = 16 << 20

export interface AuditVerifyOptions {
  readonly configFile: string
  /** Files that left the machine: notes, mails, syslog lines, or the three lines of the page. */
  readonly checkpointFiles: readonly string[]
  readonly json: boolean
  readonly out: Output
}

function checkpointsIn(file: string): Checkpoint[] {
  let text = ''
  try {
    if (statSync(file).size > MAX_CHECKPOINT_FILE_BYTES) usage(`${file} is larger than ${MAX_CHECKPOINT_FILE_BYTES >> 20} MiB and no checkpoint`, 'Give the note, the mail, or an extract of the syslog with its custos-checkpoint lines.')
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'remedy' in error) throw error
    usage(`${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`, 'Check the path after --checkpoint.')
  }
  const found = parseCheckpoints(text)
  return found.length > 0 ? found : usage(`${file} holds no checkpoint`, 'It should hold the text that left the machine, or at least the three lines of the printed page: custos/…, the number of entries, the hash.')
}

/** `custos audit verify`: reads only, beside a running recorder. Exit 0 only when the whole log is unbroken and every checkpoint given fits it. */
export async function auditVerify({ configFile, checkpointFiles, json, out }: AuditVerifyOptions): Promise<number> {
  const outside = checkpointFiles.flatMap(checkpointsIn)
  return await withAudit({ configFile, mode: 'read', out }, ({ db }) => {
    const verdict = verifyAuditLog(db, outside)
    out.write(json ? `${JSON.stringify(jsonOf(verdict))}\n` : textOf(verdict, outside.length))
    return verdict.fault === null ? 0 : 1
  })
}

const jsonOf = ({ entries, root, checkpoints, outsideSize, fault }: AuditVerdict) => ({
  ok: fault === null, entries, root: root.toString('base64'), checkpoints, outsideSize,
  fault: fault === null ? null : { kind: fault.kind, seq: fault.seq, at: fault.at === null ? null : isoOf(fault.at), text: fault.zh, en: fault.en },
})

function textOf({ entries, root, checkpoints, outsideSize, fault }: AuditVerdict, given: number): string {
  if (fault !== null) {
    const where = fault.at === null ? '' : `（時間 time ${isoOf(fault.at)}）`
    return `稽核紀錄有問題：${fault.zh}${where}。\nThe audit log is broken: ${fault.en}.\n` +
      `請勿更動主機，保留資料夾 state.dir 的完整複本，並通知政風或稽核。\nLeave the machine as it is, keep a whole copy of state.dir, and tell whoever audits the office.\n`
  }
  const outside = given === 0
    ? '沒有與外部查核點比對：本機以外的人無法由此確信。請以 --checkpoint 提供印出或寄出的查核點。\nNot compared with a checkpoint from outside, so this convinces nobody but this machine: give one with --checkpoint.\n'
    : `與 ${given} 個外部查核點相符，最大的涵蓋 ${outsideSize} 筆。\nFits ${given} ${given === 1 ? 'checkpoint' : 'checkpoints'} from outside, the largest over ${outsideSize} entries.\n`
  return `稽核紀錄完整：共 ${entries} 筆，本機查核點 ${checkpoints} 個。\nThe audit log is unbroken: ${entries} entries, ${checkpoints} stored checkpoints.\n${outside}root ${root.toString('base64')}\n`
}
