const TAIPEI = new Intl.DateTimeFormat('en-CA', { timeZone: 'Asia/Taipei', hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' })
const FIRST_YEAR = 1911 // 民國 1 is 1912

const milliseconds = (ms: number): string => String(((Math.floor(ms) % 1000) + 1000) % 1000).padStart(3, '0')

function taipeiParts(ms: number): Record<string, string> {
  return Object.fromEntries(TAIPEI.formatToParts(ms).map(({ type, value }) => [type, value]))
}

/** 民國115年11月22日, in Asia/Taipei whatever the machine's own zone. */
export function rocDate(ms: number): string {
  const { year = '', month = '', day = '' } = taipeiParts(ms)
  return `民國${Number(year) - FIRST_YEAR}年${Number(month)}月${Number(day)}日`
}

/** 16:00:00.123 in Asia/Taipei. */
export function taipeiTime(ms: number): string {
  const { hour = '', minute = '', second = '' } = taipeiParts(ms)
  return `${hour}:${minute}:${second}.${milliseconds(ms)}`
}

export const rocText = (ms: number): string => `${rocDate(ms)} ${taipeiTime(ms)}`
export const utcText = (ms: number): string => `${new Date(Math.floor(ms)).toISOString().replace('T', ' ').replace('Z', '')} UTC`

/** 1:02:03 or 2:03. */
export function lengthText(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000)), pad = (n: number): string => String(n).padStart(2, '0')
  return s >= 3600 ? `${Math.floor(s / 3600)}:${pad(Math.floor(s / 60) % 60)}:${pad(s % 60)}` : `${Math.floor(s / 60)}:${pad(s % 60)}`
}

export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes, unit = 0
  while (value >= 1024 && unit < units.length - 1) { value /= 1024; unit++ }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]!}`
}
