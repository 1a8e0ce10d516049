import { LIMITS } from './defaults.ts'
import { absolutePath } from './places.ts'
import type { ProblemList, Steps } from './problem.ts'
import type { ProblemText } from './texts.ts'

const CONTROL = /\p{Cc}|\p{Cs}/u

/** A program of the office and its arguments; null when it is left out. What is wrong is in `problems`. */
export function readCommand(draft: readonly (string | null)[] | null | undefined, { steps, text, example }: { readonly steps: Steps, readonly text: ProblemText, readonly example: string }, problems: ProblemList): readonly string[] | null {
  if (draft === undefined || draft === null) return null
  draft.forEach((word, index) => {
    if (word === null) return // told by the shape
    const isBad = index === 0 ? absolutePath(word) === null : CONTROL.test(word) || word.length > LIMITS.pathChars
    if (isBad) problems.add({ steps: [...steps, index], text, example })
  })
  return draft.map(word => word ?? '')
}
