import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, rmdir, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export interface Ended { readonly code: number | null, readonly out: string, readonly err: string }

const CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url))
const BOOT = fileURLToPath(new URL('./boot.sh', import.meta.url))
const VOLUME_BYTES = 192 << 20
const BOOT_WITHIN_MS = 30_000
const GONE_WITHIN_MS = 10_000
const COMMAND_WITHIN_MS = 30_000
const POLL_MS = 100
const CONSOLE_KEPT_CHARS = 4_000

/** Units that would only cost time, or touch what the machine shares with its host. */
const MASKED = ['ldconfig', 'systemd-hwdb-update', 'systemd-journal-catalog-update', 'systemd-update-done', 'systemd-sysusers', 'systemd-firstboot', 'systemd-udevd', 'systemd-udev-trigger', 'systemd-sysctl', 'systemd-modules-load']

const ETC: Readonly<Record<string, string>> = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
  group: 'root:x:0:\nadm:x:4:\ntty:x:5:\nutmp:x:43:\nsystemd-journal:x:101:\nnogroup:x:65534:\n',
  'machine-id': '0123456789abcdef0123456789abcdef\n',
  'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files\n',
  hosts: '127.0.0.1 localhost\n',
}

/** Runs a command to its end. It is killed after `COMMAND_WITHIN_MS`; its code is then null. */
export async function runToEnd(command: string, args: readonly string[]): Promise<Ended> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: COMMAND_WITHIN_MS, killSignal: 'SIGKILL' })
  const [out, err] = await Promise.all([child.stdout.toArray(), child.stderr.toArray(), once(child, 'close')])
  const text = (parts: unknown[]): string => Buffer.concat(parts as Buffer[]).toString()
  return { code: child.exitCode, out: text(out), err: text(err) }
}

/** Asks again and again until `look` gives something; throws, saying `what`, when it has not in time. */
export async function eventually<T>(what: string, withinMs: number, look: () => Promise<T | null>): Promise<T> {
  const until = performance.now() + withinMs
  for (;;) {
    const found = await look()
    if (found !== null) return found
    if (performance.now() > until) throw new Error(`not within ${withinMs / 1000} s: ${what}`)
    await wait(POLL_MS)
  }
}

/**
 * A machine with a systemd of its own, made of this host's /usr, the checkout at /opt/custos and an ext4 volume at /srv/custos/disk1.
 * It has its own processes, users, mounts and loopback. Disposal ends it, also when it hangs, and takes its files away.
 */
export class Machine implements AsyncDisposable {
  readonly root: string
  readonly #child: ChildProcessByStdio<null, Readable, Readable>
  readonly #exited: Promise<unknown>
  readonly #cgroup: string
  #console = ''
  #leader = 0

  private constructor(root: string, cgroup: string) {
    this.root = root
    this.#cgroup = cgroup
    // Killing the first kills all: each has the death signal of the one before, and the machine lies in the namespaces of the last.
    this.#child = spawn('setpriv', [
      '--pdeathsig', 'KILL', 'unshare', '--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child=SIGKILL', '--mount-proc',
      BOOT, root, cgroup, CHECKOUT, imageOf(root),
    ], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#exited = once(this.#child, 'close').catch((error: unknown) => { this.#console += String(error) })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => { this.#console = (this.#console + text).slice(-CONSOLE_KEPT_CHARS) })
    }
  }

  /** Ready when systemd has reached basic.target. Throws, with the reason, where no systemd can be booted. */
  static async boot(): Promise<Machine> {
    const root = await mkdtemp(join(tmpdir(), 'custos-machine-'))
    const cgroup = await fillRoot(root).then(makeCgroup).catch(async (error: unknown) => { await removeRoot(root); throw error })
    const machine = new Machine(root, cgroup)
    try {
      await eventually('systemd boots', BOOT_WITHIN_MS, () => machine.#isUp())
      return machine
    } catch (error) {
      const said = machine.#console
      await machine[Symbol.asyncDispose]()
      throw new Error(`no systemd could be booted here: root, namespaces, loop devices, cgroup2 and the packages systemd and systemd-container are needed. It said:\n${said}`, { cause: error })
    }
  }

  async #isUp(): Promise<true | null> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) throw new Error('systemd-nspawn has ended')
    this.#leader = await initOf(this.#child.pid ?? 0) ?? 0
    if (this.#leader === 0) return null
    const { out } = await this.run('systemctl', 'is-system-running')
    return ['running', 'degraded'].includes(out.trim()) ? true : null
  }

  /** Runs a command as root inside. */
  async run(command: string, ...args: readonly string[]): Promise<Ended> {
    return await runToEnd('nsenter', [
      '--target', `${this.#leader}`, '--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup', '--root', '--wd', '--',
      'env', '-i', 'PATH=/usr/local/bin:/usr/sbin:/usr/bin', 'LANG=C.UTF-8', 'NODE_COMPILE_CACHE=/tmp/node', command, ...args,
    ])
  }

  /** Like `run`, but throws when the command fails. Gives its output. */
  async must(command: string, ...args: readonly string[]): Promise<string> {
    const { code, out, err } = await this.run(command, ...args)
    if (code !== 0) throw new Error(`${[command, ...args].join(' ')} ended with ${code ?? 'a kill'}: ${out}${err}`)
    return out
  }

  /** Writes a file of root's into the machine; not below /run or /tmp, which are its own. */
  async write(path: string, text: string, mode = 0o644): Promise<void> {
    const file = join(this.root, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
    await chmod(file, mode)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
    await eventually(`no process is left in ${this.#cgroup}`, GONE_WITHIN_MS, async () =>
      (await readFile(join(this.#cgroup, 'cgroup.events'), 'utf8')).includes('populated 0') ? true : null)
    await removeCgroup(this.#cgroup)
    await removeRoot(this.root)
  }
}

const imageOf = (root: string): string => `${root}.ext4`

async function removeRoot(root: string): Promise<void> {
  await rm(root, { recursive: true, force: true })
  await rm(imageOf(root), { force: true })
}

/** A cgroup of our own below the host's cgroup2 tree; the machine sees it as its root. */
async function makeCgroup(): Promise<string> {
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n')
  const tree = mounts.find(line => line.includes(' - cgroup2 '))?.split(' ')[4]
  if (tree === undefined) throw new Error('systemd cannot be booted here: no cgroup2 is mounted (see /proc/self/mountinfo); mount one at /sys/fs/cgroup or /sys/fs/cgroup/unified')
  return await mkdtemp(join(tree, 'custos-test-')).catch((error: unknown) => {
    throw new Error(`systemd cannot be booted here: ${tree} does not let us make a cgroup; run as root with a writable /sys/fs/cgroup`, { cause: error })
  })
}

async function removeCgroup(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) if (entry.isDirectory()) await removeCgroup(join(folder, entry.name))
  await rmdir(folder)
}

async function fillRoot(root: string): Promise<void> {
  await chmod(root, 0o755)
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) await symlink(`usr/${name}`, join(root, name))
  for (const name of ['usr', 'etc/systemd/system', 'etc/alternatives', 'opt/custos', 'srv/custos/disk1', 'var', 'run', 'root', 'proc', 'sys', 'dev', 'tmp']) await mkdir(join(root, name), { recursive: true })
  for (const [name, text] of Object.entries(ETC)) await writeFile(join(root, 'etc', name), text)
  await writeFile(join(root, 'etc/ld.so.cache'), '')
  await copyFile('/usr/lib/os-release', join(root, 'etc/os-release'))
  for (const unit of MASKED) await symlink('/dev/null', join(root, 'etc/systemd/system', `${unit}.service`))
  await writeFile(imageOf(root), '')
  await truncate(imageOf(root), VOLUME_BYTES)
  const made = await runToEnd('mkfs.ext4', ['-q', imageOf(root)])
  if (made.code !== 0) throw new Error(`mkfs.ext4: ${made.err}`)
}

/** The process that is number 1 in the machine, by its number here: a child of nspawn, which is the child of `unshare`. */
async function initOf(unshare: number): Promise<number | null> {
  const found = (await Promise.all((await readdir('/proc')).filter(name => /^\d+$/.test(name)).map(async name => {
    const status = await readFile(`/proc/${name}/status`, 'utf8').catch(() => '') // ended meanwhile
    return { pid: Number(name), parent: Number(/^PPid:\t(\d+)$/m.exec(status)?.[1]), isFirst: /^NSpid:(\t\d+)*\t1$/m.test(status) }
  })))
  const nspawn = found.find(({ parent }) => parent === unshare)
  return found.find(({ parent, isFirst }) => parent === nspawn?.pid && isFirst)?.pid ?? null
}
