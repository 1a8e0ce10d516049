import { FatalError } from '../domain/index.ts'

/** A key that cannot be enrolled or revoked; nothing was written. */
export class InboxKeyError extends FatalError {
  constructor(zh: string, en: string) {
    super('CUSTOS_INBOX_KEY', `${zh}/ ${en}; nothing was written`, { remedy: '依訊息更正後再執行；見 docs/operating/inbox.md。/ Put right what the message names and run it again; see docs/operating/inbox.md.' })
  }
}
