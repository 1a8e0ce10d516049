import { FatalError } from '../domain/index.ts'

/** An act on the log book, a review pack or an incident file that breaks a rule; nothing was written. */
export class BookRefusedError extends FatalError {
  constructor(zh: string, en: string) {
    super('CUSTOS_BOOK_REFUSED', `${zh}/ ${en}; nothing was written`, { remedy: '依訊息更正後再辦理。/ Put right what the message names and try again.' })
  }
}
