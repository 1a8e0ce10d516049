import { FatalError } from '../domain/index.ts'

/** What a person typed for the record, trimmed. Throws FatalError when it is empty, too long, or holds control characters. */
export function plainText(option: string, text: string, { maxChars, example }: { readonly maxChars: number, readonly example: string }): string {
  const plain = text.normalize('NFC').trim()
  if (plain === '' || plain.length > maxChars || /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(plain)) {
    throw new FatalError('CUSTOS_BAD_WORDS', `${option} is empty, too long or holds characters that cannot be printed; it goes into the audit log as it stands`, {
      remedy: `Write 1 to ${maxChars} ordinary characters, e.g. ${option} ${JSON.stringify(example)}.`,
    })
  }
  return plain
}
