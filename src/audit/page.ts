import { isoOf, type EpochMs } from '../domain/index.ts'
import { headLines, noteText, type Checkpoint } from './checkpoint.ts'

const escaped = (text: string): string => text.replace(/[&<>"']/g, char => `&#${char.charCodeAt(0)};`)

/** `民國115年11月22日（日） 08:00:00` in the office's zone. */
export function rocText(at: EpochMs, timezone: string): string {
  const day = new Intl.DateTimeFormat('zh-TW-u-ca-roc', { dateStyle: 'long', timeZone: timezone }).format(at)
  const weekday = new Intl.DateTimeFormat('zh-TW', { weekday: 'narrow', timeZone: timezone }).format(at)
  return `${day}（${weekday}） ${new Intl.DateTimeFormat('zh-TW', { timeStyle: 'medium', hourCycle: 'h23', timeZone: timezone }).format(at)}`
}

/** Groups of four, for eyes that compare. */
const grouped = (hex: string): string => hex.match(/.{1,4}/g)?.join(' ') ?? ''

/** One A4 page of a checkpoint, Chinese and English, to be printed, signed and filed. Needs no network and runs no script. */
export function pageHtml({ site, checkpoint, timezone }: { readonly site: string, readonly checkpoint: Checkpoint & { readonly at: EpochMs }, readonly timezone: string }): string {
  const { size, root, at, lastHash, keyFingerprint, body } = checkpoint
  const row = (zh: string, en: string, value: string, isCode = true) =>
    `<tr><th>${zh}<br><small>${en}</small></th><td${isCode ? ' class="code"' : ''}>${escaped(value)}</td></tr>`
  return `<!doctype html>
<html lang="zh-Hant-TW"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>稽核查核點 ${size} ${escaped(site)}</title>
<style>
@page { size: A4; margin: 16mm }
body { font: 11pt/1.45 "Noto Sans TC", "Microsoft JhengHei", sans-serif; max-width: 178mm; margin: 0 auto; color: #000 }
h1 { font-size: 17pt; margin: 0 } small { font-size: 8.5pt; color: #333; font-weight: normal }
table { border-collapse: collapse; width: 100%; margin: 4mm 0 } th, td { border: 0.3mm solid #000; padding: 1.5mm 2mm; vertical-align: top; text-align: left } th { width: 38mm }
.code, pre { font: 10pt/1.4 "Noto Sans Mono", Consolas, monospace; overflow-wrap: anywhere; white-space: pre-wrap }
.three { border: 0.6mm solid #000; padding: 2.5mm; font-size: 12pt; margin: 3mm 0 } .sign td { height: 18mm }
</style></head><body>
<h1>稽核紀錄查核點 <small>Audit checkpoint</small></h1>
<p>${escaped(site)}　錄影系統 Custos<br><b>${escaped(rocText(at, timezone))}</b> <small>${escaped(isoOf(at))} (UTC)</small></p>
<p>本頁證明：上述時刻，稽核紀錄共有 <b>${size}</b> 筆，內容由下列雜湊固定。日後任何一筆被更改、刪除或插入，都會與本頁不符。請簽名歸檔，勿存於錄影主機。<br>
<small>At that time the audit log held ${size} entries, fixed by the hash below. Any later change to one of them will not fit this page. Sign it, file it, and keep it away from the recorder.</small></p>
<pre class="three">${escaped(headLines(body).join('\n'))}</pre>
<table>
${row('雜湊（十六進位）', 'root, hexadecimal', grouped(root.toString('hex')))}
${row('最後一筆雜湊', 'hash of the last entry', lastHash === null ? '–' : grouped(lastHash.toString('hex')))}
${row('簽署金鑰指紋', 'fingerprint of the signing key (SHA-256)', keyFingerprint === null ? '未簽署 / not signed' : grouped(keyFingerprint))}
</table>
<p>完整文字（含數位簽章） <small>The whole text with its digital signature</small></p>
<pre>${escaped(noteText(checkpoint))}</pre>
<p><small>查核 / to verify: custos audit verify --config FILE --checkpoint 框內各行所存之檔 (a file with the lines in the frame) ・ 列印後登錄 / after printing: custos audit witnessed --config FILE --size ${size} --by 姓名 --how print</small></p>
<table class="sign"><tr><th>列印人<br><small>printed by</small></th><td></td><th>主管<br><small>head of office</small></th><td></td></tr>
<tr><th>政風或稽核<br><small>ethics or audit</small></th><td></td><th>歸檔日期、檔號<br><small>filed on, number</small></th><td></td></tr></table>
</body></html>
`
}
