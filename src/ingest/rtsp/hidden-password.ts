import { randomBytes } from 'node:crypto'
import type { Credential } from '../../domain/index.ts'
import type { RtspMessage } from './rtsp-message.ts'

const ADDRESSES = /rtsps?:\/\/[^\s"]+/gi

/**
 * A camera that has the account in its address repeats it in what it answers (Content-Base, control,
 * RTP-Info): ffmpeg gets a stand-in, which its requests are given the password back for.
 */
export class HiddenPassword {
  /** As the camera may write it, and what stands for it. */
  readonly #forms: readonly (readonly [string, string])[]

  /** `url`: as configured, with its places for the account. */
  constructor(url: string, account: Credential | null) {
    const password = account !== null && url.includes('{password}') ? account.password : ''
    const forms = new Set([encodeURIComponent(password), password].filter(form => form !== ''))
    this.#forms = [...forms].map(form => [form, randomBytes(16).toString('hex')])
  }

  /** In the addresses of an answer. */
  hide(answer: RtspMessage): RtspMessage {
    if (this.#forms.length === 0) return answer
    const hidden = (text: string, encoding: 'utf8' | 'latin1'): string => text.replace(ADDRESSES, address =>
      this.#forms.reduce((left, [form, standIn]) =>
        left.replaceAll(Buffer.from(form).toString(encoding), standIn), address))
    return {
      ...answer, headers: answer.headers.map(([name, value]) => [name, hidden(value, 'utf8')] as const),
      body: Buffer.from(hidden(answer.body.toString('latin1'), 'latin1'), 'latin1'), // in any encoding
    }
  }

  /** For the camera. */
  reveal(uri: string): string {
    return this.#forms.reduce((left, [form, standIn]) => left.replaceAll(standIn, () => form), uri)
  }
}
