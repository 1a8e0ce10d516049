import { parentPort, workerData } from 'node:worker_threads'
import { CustosError } from '../domain/index.ts'
import { RuleSet, type RawRules } from '../rules/index.ts'
import { layOut, type PaperJob } from './job.ts'
import { printPaper, type PrintedPaper } from './paper.ts'
import { Typeface } from './typeface.ts'

/** What goes to the thread: a rule set travels as its checked data. */
export interface PressOrder { readonly id: number, readonly job: PaperJob, readonly office: string, readonly rules: RawRules, readonly sha256: string, readonly effective: string }
export type PressAnswer =
  | { readonly id: number, readonly ok: true, readonly printed: PrintedPaper }
  | { readonly id: number, readonly ok: false, readonly code: string, readonly message: string, readonly remedy: string }

/** Buffers arrive as plain bytes. */
const revived = (job: PaperJob): PaperJob => {
  if (job.form !== 'checkpoint') return job
  const { checkpoint } = job.data
  const bytes = Object.fromEntries(Object.entries(checkpoint).map(([key, value]) => [key, (value as unknown) instanceof Uint8Array ? Buffer.from(value as unknown as Uint8Array) : value]))
  return { ...job, data: { ...job.data, checkpoint: bytes as unknown as typeof checkpoint } }
}

let face: Typeface | null = null
async function answer({ id, job, office, rules, sha256, effective }: PressOrder): Promise<PressAnswer> {
  try {
    const opened = face ??= await Typeface.open((workerData as { folder: string }).folder)
    const ruleSet = new RuleSet(rules, { sha256, effective: Temporal.PlainDate.from(effective) })
    return { id, ok: true, printed: await printPaper(opened, layOut({ face: opened, ruleSet, office }, revived(job))) }
  } catch (error) {
    return error instanceof CustosError ? { id, ok: false, code: error.code, message: error.message, remedy: error.remedy } : { id, ok: false, code: '', message: String(error), remedy: '' }
  }
}

// One at a time: papers are never in a hurry, and the thread shares its core with the recorder.
let before: Promise<unknown> = Promise.resolve()
parentPort?.on('message', (order: PressOrder) => { before = before.then(async () => { parentPort!.postMessage(await answer(order)) }) })
