import type { TrialPlan } from './core-trial.ts'

const REQUESTS = 1_500
const FOR_MS = 20_000

/** Nobody reads what the recorder logs: its stdout is a pipe that is full. */
export function unreadStdout(): TrialPlan {
  const port = 41_000 + process.pid % 9_000
  return {
    name: 'stdout-unread', floorS: 20,
    site: () => Promise.resolve({
      cameras: 3, volumes: [{ id: 'disk', sizeMiB: 64 }], isLogUnread: true,
      sections: () => ({ console: { port, tls: 'off' }, inbox: 'off' }),
    }),
    async act(trial) {
      await trial.start()
      await trial.lasting(10_000) // the console comes after recording
      trial.strike()
      const answers = new Map<string, number>()
      for (let i = 0; i < REQUESTS; i += 50) {
        await Promise.all(Array.from({ length: 50 }, async (_, j) => {
          const said = await ask(`http://127.0.0.1:${port}/api/none-${i + j}`)
          answers.set(said, (answers.get(said) ?? 0) + 1)
        }))
        if (Date.now() > trial.struckAt + FOR_MS) break
      }
      await trial.lasting(Math.max(FOR_MS / 2, trial.struckAt + FOR_MS - Date.now()))
      trial.mend()
      trial.later(() => {
        const silent = trial.watch.looks.filter(({ at, health }) => at > trial.struckAt && health === null)
        trial.expect(silent.length === 0, `health did not answer ${silent.length} looks`)
      })
      return `requests of the console: ${[...answers].map(([said, n]) => `${n} x ${said}`).join(', ')}`
    },
  }
}

async function ask(url: string): Promise<string> {
  const signal = AbortSignal.timeout(3_000)
  try { return String((await fetch(url, { signal })).status) } catch (error) { return (error as Error).name }
}
