/** What a notice may have filled in; the key is the word in braces. */
export const SLOTS = ['機關', '案號', '申請人', '申請日期', '表單', '鏡頭與時段', '核准範圍', '補正事項', '期限', '理由', '法令依據', '救濟教示', '延長期限', '調閱處所', '有效期限', '存檔編號', '雜湊值', '到期日'] as const
export type Slot = (typeof SLOTS)[number]
export type SlotValues = Partial<Readonly<Record<Slot, string>>>

const BRACED = /\{([^{}\n]{1,40})\}/gu

/** The words in braces, in their order, each once. */
export const slotsOf = (text: string): readonly string[] => [...new Set([...text.matchAll(BRACED)].map(match => match[1]!))]
export const isSlot = (word: string): word is Slot => (SLOTS as readonly string[]).includes(word)

/** Fills a notice in one pass, so that braces inside a value stay what they are. Throws RangeError when a slot has no value: no notice leaves with a hole. */
export function fillWording(text: string, values: SlotValues): string {
  return text.replace(BRACED, (whole, word: string) => {
    const value = isSlot(word) ? values[word] : undefined
    if (value === undefined) throw new RangeError(`the notice asks for ${whole}, and nothing was given for it`)
    return value
  })
}
