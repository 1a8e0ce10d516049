import { COMMON_WORDS } from './common-words.ts'

export interface PasswordProblem { readonly zh: string, readonly en: string }

const MAX_CHARS = 128
/** What must be left of a password once everything that is guessed first is taken out. */
const LEAST_OWN_CHARS = 6
const LEAST_DISTINCT = 6
const LEET: Readonly<Record<string, string>> = { '0': 'o', '1': 'l', '3': 'e', '4': 'a', '5': 's', '7': 't', '@': 'a', '$': 's', '!': 'i' }
const RUNS = ['abcdefghijklmnopqrstuvwxyz', '01234567890', 'qwertyuiop', 'asdfghjkl', 'zxcvbnm', '1qaz2wsx3edc4rfv5tgb6yhn7ujm', 'ㄅㄆㄇㄈㄉㄊㄋㄌ']

/** One form however an input method sends it: full-width letters and digits become plain ones. */
export const plainPassword = (text: string): string => text.normalize('NFKC')

/** All that is wrong with a new password, in both languages; empty when it will do. Pure; the history is compared elsewhere, by its hashes. */
export function passwordProblems(text: string, { leastChars, words }: { readonly leastChars: number, readonly words: readonly string[] }): PasswordProblem[] {
  const password = plainPassword(text)
  const chars = Array.from(password)
  const problems: PasswordProblem[] = []
  if (chars.length < leastChars) problems.push({ zh: `密碼至少 ${leastChars} 個字元。`, en: `a password has at least ${leastChars} characters` })
  if (chars.length > MAX_CHARS) return [{ zh: `密碼最多 ${MAX_CHARS} 個字元。`, en: `a password has at most ${MAX_CHARS} characters` }]
  if (/\p{Cc}/u.test(password)) problems.push({ zh: '密碼含有無法輸入的控制字元。', en: 'a password holds no control characters' })
  const classes = [/\p{Ll}/u, /\p{Lu}/u, /\p{Nd}/u, /[^\p{Ll}\p{Lu}\p{Nd}]/u].filter(pattern => pattern.test(password)).length
  if (classes < 3) problems.push({ zh: '大寫、小寫、數字、符號四類至少要有三類。', en: 'of capitals, small letters, digits and other signs at least three are needed' })
  if (new Set(chars).size < LEAST_DISTINCT) problems.push({ zh: '密碼重複的字元太多。', en: 'too few different characters' })
  if (ownChars(password, words) < LEAST_OWN_CHARS) problems.push({ zh: '密碼多半是常見密碼、機關名稱、帳號或連號，容易被猜中。', en: 'most of it is a common password, the name of the office or the account, or a run of keys' })
  return problems
}

/** Characters left after common words, names, runs of keys, years and repetitions are taken out, each read plainly and with the usual substitutions. */
function ownChars(password: string, words: readonly string[]): number {
  const plain = password.toLowerCase()
  const spelled = Array.from(plain).map(char => LEET[char] ?? char).join('')
  const guessed = [...COMMON_WORDS, ...words.map(word => plainPassword(word).toLowerCase()).filter(word => Array.from(word).length >= 2)].sort((a, b) => b.length - a.length)
  const left = (text: string): number => {
    let rest = text
    for (const word of guessed) rest = rest.replaceAll(word, '\n')
    rest = rest.replace(/(19|20)\d\d/g, '\n').replace(/(.)\1{2,}/gu, '\n')
    return Array.from(withoutRuns(rest)).filter(char => char !== '\n').length
  }
  return Math.min(left(plain), left(spelled))
}

function withoutRuns(text: string): string {
  let rest = text
  for (const run of RUNS) {
    for (const row of [run, Array.from(run).reverse().join('')]) {
      for (let length = row.length; length >= 4; length--) {
        for (let at = 0; at + length <= row.length; at++) rest = rest.replaceAll(row.slice(at, at + length), '\n')
      }
    }
  }
  return rest
}
