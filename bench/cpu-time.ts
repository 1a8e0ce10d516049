import { readdirSync, readFileSync } from 'node:fs'

const TICKS_PER_S = 100 // USER_HZ, fixed in the kernel's interface

/** Processor time in ms that a process tree has used: running ones to the nanosecond by scheduler statistics, ended ones by what their parent was told. */
export function cpuTimeMs(rootPid: number): number {
  return tree(rootPid).reduce((sum, pid) => sum + ownMs(pid) + endedChildrenMs(pid), 0)
}

/** Resident memory of the process itself, MiB. */
export function rssMiB(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(match?.[1] ?? 0) / 1024
}

export function tree(rootPid: number): number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const parent = statFields(Number(name))?.[1]
    if (parent !== undefined) children.set(Number(parent), [...children.get(Number(parent)) ?? [], Number(name)])
  }
  const found: number[] = []
  for (const queue = [rootPid]; queue.length > 0;) {
    const pid = queue.shift()!
    found.push(pid)
    queue.push(...children.get(pid) ?? [])
  }
  return found
}

/** Fields of proc(5) stat from the third (state) on; null for a process that is gone. */
function statFields(pid: number): string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch { return null } // it ended meanwhile
}

function ownMs(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/task`).reduce((sum, task) => sum + Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]) / 1e6, 0)
  } catch { return 0 } // it ended meanwhile; its parent's figure has it
}

function endedChildrenMs(pid: number): number {
  const fields = statFields(pid)
  return fields === null ? 0 : (Number(fields[13]) + Number(fields[14])) * 1000 / TICKS_PER_S
}
