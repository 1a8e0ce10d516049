import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, readdirSync } from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { lockState } from '../../src/platform/state-lock.ts'

const MODULE = new URL('../../src/platform/state-lock.ts', import.meta.url).href

/** A process that has the lock, with a child of its own that outlives it. */
async function holder(t: Test, folder: string): Promise<{ readonly pid: number, readonly orphan: number,
  kill(): Promise<void> }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', `
    import { spawn } from 'node:child_process'
    const { lockState } = await import(${JSON.stringify(MODULE)})
    lockState(${JSON.stringify(folder)})
    const orphan = spawn('sleep', ['60'], { stdio: 'ignore', detached: true })
    process.stdout.write(String(orphan.pid))
    setInterval(() => globalThis.gc?.(), 50)`], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [said] = await once(child.stdout, 'data') as [Buffer]
  const orphan = Number(said.toString())
  const kill = async () => { child.kill('SIGKILL'); if (child.signalCode === null) await once(child, 'exit') }
  t.teardown(async () => { await kill(); process.kill(orphan, 'SIGKILL') })
  return { pid: child.pid!, orphan, kill }
}

t.test('the folder belongs to one process until that is gone, and not to a child that outlives it',
  async t => {
  const folder = t.testdir()
  const other = await holder(t, folder)
  const startedAt = performance.now()
  t.throws(() => lockState(folder, { waitMs: 300 }), { code: 'CUSTOS_ALREADY_RUNNING' })
  t.ok(performance.now() - startedAt >= 290, 'a predecessor gets time to die')
  await other.kill()
  t.doesNotThrow(() => { process.kill(other.orphan, 0) }, 'its child lives')
  lockState(folder, { waitMs: 300 }).close()
  lockState(folder, { waitMs: 300 }).close()
})

t.test('it waits for a predecessor that is dying', async t => {
  const folder = t.testdir()
  const other = await holder(t, folder)
  const killer = spawn('sh', ['-c', `sleep 0.5; kill -9 ${other.pid}`], { stdio: 'ignore' })
  const lock = lockState(folder)
  t.equal(lock.fault, null)
  lock.close()
  await once(killer, 'exit')
  await other.kill()
})

t.test('it needs no file', t => {
  const folder = t.testdir()
  lockState(folder).close()
  t.same(readdirSync(folder), [])
  t.end()
})

t.test('without the program, or with one that fails, the folder is used all the same and the fault is told',
  t => {
  const folder = t.testdir({ flock: '#!/bin/sh\nexit 71\n' })
  chmodSync(path.join(folder, 'flock'), 0o755)
  for (const [program, fault] of [[path.join(folder, 'none'), 'ENOENT'],
    [path.join(folder, 'flock'), 'exit 71']] as const) {
    const lock = lockState(folder, { program, waitMs: 150 })
    t.equal(lock.fault, fault)
    lock.close()
  }
  t.end()
})
