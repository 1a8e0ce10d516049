import type { Readable } from 'node:stream'
import { personKey } from '../../access/index.ts'
import { AttachmentError } from '../../requests/index.ts'
import { badRequest, ConsoleRefusal } from '../errors.ts'
import { FileAnswer, route, type Route } from '../route.ts'
import { NumberSchema } from '../schemas/cases.ts'
import { closed, Count, Sha256 } from '../schemas/common.ts'
import { CASE_READERS, known } from './applications.ts'

/** What a scan may be, by its first bytes. No kind that a browser runs. */
const KINDS = [
  { type: 'application/pdf', extension: 'pdf', starts: [Buffer.from('%PDF-')] }, { type: 'image/jpeg', extension: 'jpg', starts: [Buffer.from([0xff, 0xd8, 0xff])] }, { type: 'image/png', extension: 'png', starts: [Buffer.from('89504e470d0a1a0a', 'hex')] },
  { type: 'image/tiff', extension: 'tif', starts: [Buffer.from('49492a00', 'hex'), Buffer.from('4d4d002a', 'hex')] },
] as const
const TYPES = KINDS.map(({ type }) => type)
const SNIFFED_BYTES = 8
const kindOf = (content: Buffer) => KINDS.find(({ starts }) => starts.some(start => content.subarray(0, start.length).equals(start)))

export const attachmentRoutes: readonly Route[] = [
  route({
    method: 'POST', url: '/api/attachments', who: ['receive-application', 'ask-view'], guard: true, summary: { zh: '上傳掃描檔（PDF、JPEG、PNG、TIFF，20 MB 以內）', en: 'hand in a scan; it is attached by its SHA-256 afterwards. The same content again is the same file' }, uploads: TYPES, status: 201, answer: closed({ sha256: Sha256, sizeBytes: Count }),
    async handler({ parts, upload, acting }) {
      if (upload === null) throw new TypeError('an upload route was given no stream')
      // The store tells whatever ends its stream as a fault of its own.
      return await parts.desk.attachments.put(ofType(upload.stream, upload.type), personKey(acting()))
        .catch((error: unknown) => {
          if (error instanceof AttachmentError && error.cause instanceof ConsoleRefusal) throw error.cause
          throw error
        })
    },
  }),
  route({
    method: 'GET', url: '/api/applications/:number/attachments/:sha256', who: CASE_READERS, summary: { zh: '下載附件（記入稽核）', en: 'an attached file; that it was read is on record' }, params: closed({ number: NumberSchema, sha256: Sha256 }), answer: [...TYPES, 'application/octet-stream'],
    async handler({ parts, acting, params: { number, sha256 } }) {
      const content = await parts.desk.reader.attachment(acting(), known(number), sha256)
      const kind = kindOf(content)
      return new FileAnswer(content, kind?.type ?? 'application/octet-stream', `${number}_${sha256.slice(0, 12)}.${kind?.extension ?? 'bin'}`)
    },
  }),
]

/** The stream as it is, once its first bytes are of the kind that was said. Throws ConsoleRefusal. */
async function* ofType(stream: Readable, said: string): AsyncGenerator<Buffer> {
  let head: Buffer | null = Buffer.alloc(0)
  const checked = (bytes: Buffer): Buffer => {
    if (bytes.length > 0 && kindOf(bytes)?.type !== said) throw badRequest('檔案內容與格式不符。', 'the content of the file is not of its type', [], 415)
    return bytes
  }
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    if (head === null) { yield chunk; continue }
    head = Buffer.concat([head, chunk])
    if (head.length < SNIFFED_BYTES) continue
    yield checked(head)
    head = null
  }
  if (head !== null) yield checked(head)
}
