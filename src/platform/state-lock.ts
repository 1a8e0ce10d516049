import { spawnSync } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'
import { FatalError } from '../domain/index.ts'

/** A predecessor that was just killed may still be dying. */
const PREDECESSOR_MS = 3_000
/** Exit code of `flock` when somebody else has the lock; any other failure says nothing about that. */
const TAKEN = 75
/** `flock` has this once it is done waiting. */
const ANSWER_MS = 2_000
const RETRY_MS = 100
/** Where `spawnSync` puts the fourth entry of `stdio`. */
const DESCRIPTOR_IN_CHILD = '3'

export interface StateLock {
  /** Null: nobody else uses the folder. Else why that cannot be told; the caller goes on and says so. */
  readonly fault: string | null
  close(): void
}

/**
 * Takes the state folder for this process alone: flock(2) on the folder itself, which needs neither space nor
 * an inode nor a file system that can be written, and which the kernel drops at any kind of death. Waits up
 * to 3 s for a predecessor. Throws FatalError when another recorder has it.
 */
export function lockState(stateDir: string, { program = 'flock', waitMs = PREDECESSOR_MS } = {}): StateLock {
  // A plain number on purpose: a FileHandle is closed when it is collected. It closes on exec, so no child
  // keeps the lock.
  const descriptor = openSync(stateDir, constants.O_RDONLY | constants.O_DIRECTORY)
  const held = (fault: string | null): StateLock => ({ fault, close: () => { closeSync(descriptor) } })
  const deadline = performance.now() + waitMs
  for (;;) {
    const leftMs = Math.max(1, Math.ceil(deadline - performance.now()))
    // Node has no flock. The lock belongs to the open file, which the child shares: it stays ours when the
    // child is gone.
    const bounds = ['--timeout', (leftMs / 1000).toFixed(3), '--conflict-exit-code', String(TAKEN)]
    const { status, error } = spawnSync(program, [...bounds, DESCRIPTOR_IN_CHILD], {
      stdio: ['ignore', 'ignore', 'ignore', descriptor], timeout: leftMs + ANSWER_MS, killSignal: 'SIGKILL',
    })
    if (status === 0) return held(null)
    if (status === TAKEN) {
      closeSync(descriptor)
      throw alreadyRunning(stateDir)
    }
    const fault = (error as NodeJS.ErrnoException | undefined)?.code ?? `exit ${status ?? 'by a signal'}`
    if (fault === 'ENOENT' || performance.now() >= deadline) return held(fault)
    // no room for another process: may pass
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS)
  }
}

const alreadyRunning = (stateDir: string): FatalError =>
  new FatalError('CUSTOS_ALREADY_RUNNING', `另一個錄影程式正在使用狀態資料夾 ${stateDir}。/ another recorder uses the state folder ${stateDir}`, {
    remedy: '請先停止該程式（systemctl stop custos），或另設狀態資料夾。/ Stop the other one first (systemctl stop custos), or give this one a state folder of its own.',
  })
