import { readFileSync, statSync } from 'node:fs'
import {
  acceptedText, parseCheckpoints, verifyTwoLogs, type AuditFault, type AuditVerdict, type Checkpoint, type TwoLogsVerdict,
} from '../audit/index.ts'
import { isoOf } from '../domain/index.ts'
import { officeToRead, usage, withAudit, type Output } from './audit-access.ts'

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

/**
 * `custos audit verify`: reads only, beside a running recorder, also the office's log where office.db stands
 * beside the catalogue. Exit 0 only when both are unbroken, agree with each other, and every checkpoint given
 * fits them.
 */
export async function auditVerify({ configFile, checkpointFiles, json, out }: AuditVerifyOptions): Promise<number> {
  const outside = checkpointFiles.flatMap(checkpointsIn)
  return await withAudit({ configFile, mode: 'read', out }, ({ db, config }) => {
    using office = officeToRead(config.state.dir)
    const verdict = verifyTwoLogs({ recorder: db, office: office?.db ?? null }, outside)
    out.write(json ? `${JSON.stringify(jsonOf(verdict))}\n` : textOf(verdict, outside.length))
    return isWhole(verdict) ? 0 : 1
  })
}

const isWhole = ({ recorder, office, between }: TwoLogsVerdict): boolean =>
  recorder.fault === null && (office === null || office.fault === null) && between === null

const faultJson = (fault: AuditFault | null) =>
  fault === null ? null : { kind: fault.kind, seq: fault.seq, at: fault.at === null ? null : isoOf(fault.at), text: fault.zh, en: fault.en }

const logJson = ({ entries, root, checkpoints, outsideSize, fault }: AuditVerdict) => ({
  ok: fault === null, entries, root: root.toString('base64'), checkpoints, outsideSize, fault: faultJson(fault),
})

/** The recorder's log at the top, as when it was the only one; the exit code is of both. */
const jsonOf = ({ recorder, office, between, accepted }: TwoLogsVerdict) => ({
  ...logJson(recorder),
  ...office === null && between === null ? {} : {
    office: office === null ? null : logJson(office), between: faultJson(between),
    accepted: accepted.map(({ origin, size, at, auditSeq }) => ({ origin, size, at: isoOf(at), auditSeq })),
  },
})

const RECORDER = { zh: '錄影端', en: 'recorder' } as const, OFFICE = { zh: '辦公端', en: 'office' } as const
const LEAVE_IT = '請勿更動主機，保留資料夾 state.dir 的完整複本，並通知政風或稽核。\nLeave the machine as it is, keep a whole copy of state.dir, and tell whoever audits the office.\n'

function textOf(verdict: TwoLogsVerdict, given: number): string {
  const { recorder, office, between, accepted } = verdict
  const texts = office === null ? [logText(recorder, null)] : [logText(recorder, RECORDER), logText(office, OFFICE)]
  if (between !== null) texts.push(`兩份紀錄之間有問題：${faultZh(between)}。\nSomething is wrong between the two logs: ${between.en}.\n`)
  for (const each of accepted) { const { zh, en } = acceptedText(each); texts.push(`${zh}。\n${en}.\n`) }
  if (!isWhole(verdict)) texts.push(LEAVE_IT)
  else if (given === 0) texts.push('沒有與外部查核點比對：本機以外的人無法由此確信。請以 --checkpoint 提供印出或寄出的查核點。\nNot compared with a checkpoint from outside, so this convinces nobody but this machine: give one with --checkpoint.\n')
  return texts.join('')
}

const faultZh = ({ zh, at }: AuditFault): string => `${zh}${at === null ? '' : `（時間 time ${isoOf(at)}）`}`

/** Named only where there are two. */
function logText({ entries, root, checkpoints, compared, outsideSize, fault }: AuditVerdict, log: typeof RECORDER | typeof OFFICE | null): string {
  const zh = log === null ? '稽核紀錄' : `${log.zh}稽核紀錄`, en = log === null ? 'The audit log' : `The ${log.en}'s audit log`
  if (fault !== null) return `${zh}有問題：${faultZh(fault)}。\n${en} is broken: ${fault.en}.\n`
  const outside = compared === 0 ? '' : `與 ${compared} 個外部查核點相符，最大的涵蓋 ${outsideSize} 筆。\nFits ${compared} ${compared === 1 ? 'checkpoint' : 'checkpoints'} from outside, the largest over ${outsideSize} entries.\n`
  return `${zh}完整：共 ${entries} 筆，本機查核點 ${checkpoints} 個。\n${en} is unbroken: ${entries} entries, ${checkpoints} stored checkpoints.\n${outside}root ${root.toString('base64')}\n`
}
