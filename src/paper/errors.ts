import { FatalError } from '../domain/index.ts'

/** The faces that forms are printed with are not there, or not what they were. Nothing is printed in another face: names would come out wrong. */
export class PaperFontError extends FatalError {
  constructor(message: string, cause?: unknown) {
    super('CUSTOS_PAPER_FONT', `表單字型無法使用：${message} / the typeface of the forms cannot be used: ${message}`, {
      remedy: '請安裝 Debian 套件 fonts-cns11643-kai 後再試。/ Install the Debian package fonts-cns11643-kai and try again.', cause,
    })
  }
}
/** Asked for something that no form has, or that would not fit on paper. */
export class PaperRefusedError extends FatalError {
  constructor(zh: string, en: string) {
    super('CUSTOS_PAPER_REFUSED', `${zh}/ ${en}`, { remedy: '請依訊息更正後再列印。/ Put right what the message names and print again.' })
  }
}
