import { ConsoleRefusal } from './errors.ts'

/** Half-open, in bytes. */
export interface BytePart { readonly start: number, readonly end: number }

/** What a Range header asks for: null is the whole, which is also the answer to several parts at once and to what is no range of bytes. Throws ConsoleRefusal (416) for a part beyond the end. */
export function partAsked({ range, ifRange, etag, bytes }: { readonly range: string | undefined, readonly ifRange: string | undefined, readonly etag: string, readonly bytes: number }): BytePart | null {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(range ?? '')
  if (match === null || ifRange !== undefined && ifRange !== etag) return null
  const [, first = '', last = ''] = match
  if (first === '' && last === '') return null
  const start = first === '' ? Math.max(0, bytes - Number(last)) : Number(first)
  const end = first === '' || last === '' ? bytes : Math.min(bytes, Number(last) + 1)
  if (first !== '' && last !== '' && Number(last) < start) return null
  if (start >= bytes || start >= end) throw new ConsoleRefusal('CUSTOS_CONSOLE_REQUEST', 416, `沒有這一段，檔案共 ${bytes} 位元組。`, `there is no such part: the file has ${bytes} bytes`)
  return { start, end }
}
