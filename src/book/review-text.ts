import { epochMs } from '../domain/index.ts'
import { rocDateTimeText } from '../rules/index.ts'
import { ORPHAN_NAMES } from './reconcile.ts'
import type { ReviewPack } from './review-pack.ts'

const when = (at: number | null): string => at === null ? '未執行 / never' : rocDateTimeText(epochMs(at))
const rocMonth = (month: string): string => `${Number(month.slice(0, 4)) - 1911}年${Number(month.slice(5))}月`
const section = (zh: string, en: string, lines: readonly string[]): string => [`■ ${zh} / ${en}`, ...(lines.length === 0 ? ['  無 / none'] : lines.map(line => `  ${line}`)), ''].join('\n')

/** The pack for 主管 as plain text, Chinese with English beside it, its hash at the end. */
export function reviewText({ content, sha256, signedBy, signedAtMs, remark }: ReviewPack): string {
  const { uses, orphans, failedSignIns, offHours, grants, unsigned, corrections } = content
  return [
    `錄影系統每月覆核　${rocMonth(content.month)} / monthly review`,
    `製作時間 / made: ${when(content.madeAt)}`,
    `應用 / uses: ${uses.lines}（閱覽 / views ${uses.views}，複製 / copies ${uses.copies}）`, '',
    section(`三方勾稽不符 ${orphans.found.length} 項；本月勾稽 ${orphans.runs} 次，最後 ${when(orphans.lastRunAt)}`, `orphans; ${orphans.runs} reconciliations`, orphans.found.map(({ kind, subject }) => `${subject}　${ORPHAN_NAMES[kind].zh} / ${ORPHAN_NAMES[kind].en}`)),
    section(`登入失敗 ${failedSignIns.count} 次，鎖定 ${failedSignIns.locks} 次`, 'failed sign-ins and locks', failedSignIns.by.map(({ account, source, count }) => `${account}　${source}　${count}`)),
    section(`非辦公時間應用 ${offHours.length} 次`, 'use outside office hours', offHours.map(({ line, at, account, application }) => `第 ${line} 行　${when(at)}　${account}　${application}`)),
    section(`核准 ${grants.length} 件`, 'grants', grants.map(({ application, at, by, acts }) => `${application}　${when(at)}　${by}　${acts}`)),
    section(`未簽章 ${unsigned.count} 行`, 'lines not signed', unsigned.oldest.map(({ line, at, box }) => `第 ${line} 行　${when(at)}　待${box === 'custodian' ? '管理人員' : '主管'}`)),
    section(`更正 ${corrections.length} 行`, 'corrections', corrections.map(({ line, corrects, at, by, reason }) => `第 ${line} 行更正第 ${corrects} 行　${when(at)}　${by}　${reason}`)),
    `SHA-256 ${sha256}`,
    signedBy === null ? '主管簽章 / signed: ________________' : `主管簽章 / signed: ${signedBy}　${when(signedAtMs)}　${remark ?? ''}`, '',
  ].join('\n')
}
