import { texts, type Bilingual } from './texts.ts'
import type { Problem } from './problem.ts'

export const countProblems = (problems: readonly Problem[]): { errors: number, warnings: number } => {
  const errors = problems.filter(problem => problem.severity === 'error').length
  return { errors, warnings: problems.length - errors }
}

export const bothLanguages = (text: Bilingual): string => `${text.zh}\n${text.en}`

function formatProblem(problem: Problem): string {
  const place = problem.line === null ? problem.file : `${problem.file}:${problem.line}:${problem.column ?? 1}`
  const words = problem.severity === 'error' ? texts.errorWord : texts.warningWord
  return [
    `${words.zh} ${words.en}  ${place}${problem.path === '' ? '' : `  ${problem.path}`}`,
    `  ${problem.message.zh}`,
    `  ${problem.message.en}`,
    `  ${texts.exampleWord.zh} ${texts.exampleWord.en}: ${problem.example}`,
  ].join('\n')
}

/** For people: a paragraph a problem, Chinese with English under it, and the count at the end; whole lines, or nothing at all. */
export function formatProblems(problems: readonly Problem[]): string {
  if (problems.length === 0) return ''
  return `${[...problems.map(formatProblem), bothLanguages(texts.count(countProblems(problems)))].join('\n\n')}\n`
}
