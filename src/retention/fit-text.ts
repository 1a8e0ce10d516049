import type { Bilingual, Problem } from '../config/index.ts'
import type { Fit } from './fit.ts'

/** Decimal, as disks are sold: `1.52 TB`, `640 GB`, `90 MB`. Rounded up where it is space to be found. */
export function spaceText(bytes: number, round: 'up' | 'nearest' = 'nearest'): string {
  const units = [['TB', 1e12, 2], ['GB', 1e9, 1], ['MB', 1e6, 1]] as const
  const [unit, size, digits] = units.find(([, size]) => bytes >= size * 0.9995) ?? units[2]
  const scaled = bytes / size * 10 ** digits
  return `${((round === 'up' ? Math.ceil(scaled - 1e-6) : Math.round(scaled)) / 10 ** digits).toFixed(digits)} ${unit}`
}

/** `32 天`, or for the floors of trials `90 秒`. */
export const spanText = (days: number): Bilingual => {
  const [count, zh, en] = days >= 2 ? [days, '天', 'days'] : days * 24 >= 2 ? [days * 24, '小時', 'hours'] : days * 1440 >= 10 ? [days * 1440, '分鐘', 'minutes'] : [days * 86_400, '秒', 'seconds']
  const figure = Number.isInteger(count) || count >= 1000 ? String(Math.round(count)) : count.toFixed(1)
  return { zh: `${figure} ${zh}`, en: `${figure} ${en}` }
}

const NAMED = 5
const listed = (names: readonly string[]): Bilingual => ({
  zh: `${names.slice(0, NAMED).join('、')}${names.length > NAMED ? `等 ${names.length} 個` : ''}`,
  en: `${names.slice(0, NAMED).join(', ')}${names.length > NAMED ? ` and ${names.length - NAMED} more` : ''}`,
})

/** What the fit check found, a line each; nothing where there is nothing to say. */
export function fitLines(fit: Fit): Bilingual[] {
  const needed = spanText(fit.neededDays)
  const lines: Bilingual[] = []
  if (fit.neededBytes > 0) {
    const there = { zh: `已讀到的儲存區共 ${spaceText(fit.availableBytes)}`, en: `the volumes that could be read have ${spaceText(fit.availableBytes)}` }
    const at = fit.undeclared.length === 0 ? { zh: '', en: '' } : { zh: '至少', en: 'at least ' }
    lines.push({ zh: `容量：保存 ${needed.zh}${at.zh}需要 ${spaceText(fit.neededBytes, 'up')}；${there.zh}。`, en: `Capacity: ${needed.en} need ${at.en}${spaceText(fit.neededBytes, 'up')}; ${there.en}.` })
  }
  if (fit.capacityDays !== null && fit.neededBytes > 0) {
    const kept = spanText(fit.capacityDays)
    const most = fit.undeclared.length === 0 ? { zh: '', en: '' } : { zh: '最多', en: 'at most ' }
    lines.push({ zh: `推估：影像${most.zh}可保存 ${kept.zh}。`, en: `Forecast: footage gets ${most.en}${kept.en} old before it is overwritten.` })
  }
  if (fit.verdict === 'fits' && fit.neededBytes > 0) lines.push({ zh: '結果：足夠。', en: 'Result: it fits.' })
  if (fit.undeclared.length > 0) {
    const { zh, en } = listed(fit.undeclared)
    lines.push({ zh: `無法判斷容量：${zh} 沒有寫位元率。請依鏡頭網頁上的設定，在串流下加上 bitrate，例如 bitrate: "4Mbit/s"。`,
      en: `Whether it fits cannot be told for ${en}: no bitrate is declared. Add what the camera is set to under the stream, e.g. bitrate: "4Mbit/s".` })
  }
  if (fit.unread.length > 0) {
    const { zh, en } = listed(fit.unread)
    lines.push({ zh: `讀不到儲存區 ${zh} 的大小（尚未掛載、尚未建立或沒有權限），未計入。`, en: `The size of volume ${en} could not be read (not mounted, not made yet, or no permission); it is not counted.` })
  }
  if (fit.aboveDeclared.length > 0) {
    const { zh, en } = listed(fit.aboveDeclared)
    lines.push({ zh: `實測位元率高於宣告：${zh}；以實測計算。`, en: `Measured above what was declared: ${en}; the measure counts.` })
  }
  return lines
}

/** The problem of a configuration that does not fit: an error, or with `retention.insist` a warning. Null for one that fits or cannot be told. */
export function fitProblem(fit: Fit, config: { readonly file: string, readonly retention: { readonly insist: unknown } }): Problem | null {
  if (fit.verdict !== 'does-not-fit') return null
  const insisted = config.retention.insist !== null
  const kept = spanText(fit.capacityDays ?? 0), needed = spanText(fit.neededDays)
  const lacking = spaceText(fit.lackingBytes, 'up')
  const [zh, en] = insisted
    ? ['已由 retention.insist 所列人員堅持使用，記入稽核。', 'The person named in retention.insist insists on it, which is on record.']
    : ['請增加儲存區、降低位元率，或由負責人以 retention.insist 具名堅持。', 'Add a volume, lower the bitrates, or let the person in charge insist by name with retention.insist.']
  return {
    severity: insisted ? 'warning' : 'error', code: insisted ? 'does-not-fit-insisted' : 'does-not-fit', file: config.file, path: 'retention.floor', line: null, column: null,
    message: {
      zh: `儲存區尚缺 ${lacking}：保存 ${needed.zh}需要 ${spaceText(fit.neededBytes, 'up')}，只有 ${spaceText(fit.availableBytes)}，約可保存 ${kept.zh}。期限內的影像不會被覆寫，所以空間用完後會停止錄影。${zh}`,
      en: `The volumes lack ${lacking}: ${needed.en} need ${spaceText(fit.neededBytes, 'up')}, there are ${spaceText(fit.availableBytes)}, enough for ${kept.en}. Footage inside its floor is never overwritten, so recording would stop once space is used up. ${en}`,
    },
    example: 'retention: { floor: 31d, insist: { by: 王主任, reason: 新磁碟已請購 } }',
  }
}
