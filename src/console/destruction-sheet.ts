import { lastDayBefore, type DestructionRecord } from '../archive/index.ts'
import { epochMs } from '../domain/index.ts'
import type { PaperOrder } from '../paper/index.ts'
import { officeDay, rocDateText, rocDateTimeText } from '../rules/index.ts'

type Sheet = Extract<PaperOrder['job'], { readonly form: 'destruction' }>['data']
const BOXES = { custodian: '管理人員', head: '主管' } as const

/** 銷毀紀錄 as it stands in the archive (R24), for pen and stamp. Its hash is the record's own; who signed in the system stands at the witnesses. */
export const destructionSheetOf = (record: DestructionRecord): Sheet => ({
  systemNo: record.itemNo, sha256: record.sha256, at: epochMs(Math.max(record.destroyedAt, ...record.signatures.map(({ at }) => at))), application: record.application, bytes: record.bytes, contentSha256: record.footageSha256,
  ranges: record.ranges.map(({ cameraName, cameraId, from, to }) => ({ camera: `${cameraName}（${cameraId}）`, from: rocDateTimeText(from), to: rocDateTimeText(to) })),
  copiedOn: rocDateText(officeDay(record.copiedAt)), expiredOn: rocDateText(lastDayBefore(record.expiresAt)), computation: record.expiryText, destroyedOn: rocDateTimeText(record.destroyedAt), method: record.method, keyId: record.keyId, executor: record.executor,
  witness: record.signatures.map(({ box, name, at }) => `${BOXES[box]} ${name}，${rocDateText(officeDay(at))}系統簽章`).join('\n'), readBack: [record.readBack, record.otherKeyCopies].filter(text => text !== '').join('\n'), auditPosition: `第 ${record.auditSeq} 筆`,
})
