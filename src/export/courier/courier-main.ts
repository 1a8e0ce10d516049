import { text } from 'node:stream/consumers'
import { CopyTargetError } from '../package/target-error.ts'
import { runErrand, type Errand } from './errand.ts'
import type { CourierLine } from './courier.ts'

// The program behind `Courier`: one errand on stdin, lines of JSON on stdout, the last of them its end. Passwords come by stdin alone.

const TELL_EVERY_MS = 500

const say = (line: CourierLine): Promise<void> => new Promise(resolve => { process.stdout.write(`${JSON.stringify(line)}\n`, () => { resolve() }) })

let toldAtMs = 0
const onBytes = (): void => {
  if (performance.now() - toldAtMs < TELL_EVERY_MS) return
  toldAtMs = performance.now()
  void say({ kind: 'alive' })
}

const errand = JSON.parse(await text(process.stdin)) as Errand // of the recorder, which started this
try { await say({ kind: 'done', verdict: await runErrand(errand, onBytes) }) } catch (error) {
  await say(error instanceof CopyTargetError ? { kind: 'failed', fault: error.fault } : { kind: 'broken', why: error instanceof Error ? error.message : String(error) })
}
process.exit(0)
