// `node bench/archive-put.ts [MiB] [folder]`: speed and memory of putting a folder into the archive and of reading it again, beside `sha256sum` over the same bytes.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pino from 'pino'
import { atMachine } from '../src/access/index.ts'
import { Archive, initArchive, realArchiveDisk } from '../src/archive/index.ts'
import { AuditLog } from '../src/audit/index.ts'
import { isoOf } from '../src/domain/index.ts'
import { systemClock } from '../src/platform/clock.ts'
import { facts } from '../test/archive/support/rig.ts'
import { agreedTime } from '../test/support/archive-time.ts'
import { openOfficeOf } from '../test/support/office-database.ts'

const FILES = 4, SAMPLE_MS = 20
const sizeMiB = Number(process.argv[2] ?? 1024), base = mkdtempSync(path.join(process.argv[3] ?? tmpdir(), 'custos-put-'))
try {
  const [source, dir, stateDir] = [path.join(base, 'source'), path.join(base, 'archive'), path.join(base, 'state')]
  for (const folder of [source, dir, stateDir]) mkdirSync(folder)
  const names = Array.from({ length: FILES }, (_, i) => path.join(source, `${i}.mp4`))
  for (const name of names) execFileSync('dd', ['if=/dev/urandom', `of=${name}`, 'bs=1M', `count=${Math.ceil(sizeMiB / FILES)}`, 'status=none'])
  using catalogue = await openOfficeOf(stateDir)
  await initArchive(realArchiveDisk, dir, isoOf(systemClock.wallNow()))
  const { db } = catalogue, now = () => systemClock.wallNow()
  const store = await Archive.open({
    db, audit: new AuditLog({ db, clock: systemClock }), rights: { requireRight: () => undefined }, trustedTime: agreedTime(now), time: { wallNow: now, steadyNow: now },
    rule: () => ({ period: { years: 1 }, from: 'copied' }), dir, quotaBytes: 2 ** 40, stateDir, log: pino({ level: 'silent' }),
  })
  let peakBytes = 0
  const startBytes = process.memoryUsage.rss(), sampling = setInterval(() => { peakBytes = Math.max(peakBytes, process.memoryUsage.rss()) }, SAMPLE_MS)
  const timed = async <Value>(what: string, work: () => Promise<Value> | Value): Promise<Value> => {
    const cpu = process.cpuUsage(), startedAt = performance.now(), value = await work(), seconds = (performance.now() - startedAt) / 1000, { user, system } = process.cpuUsage(cpu)
    console.log(`${what}: ${seconds.toFixed(1)} s, ${(sizeMiB / seconds).toFixed(0)} MiB/s, ${((user + system) / 1e6).toFixed(1)} s of processor time in this process`)
    return value
  }
  await timed('sha256sum', () => { execFileSync('sha256sum', names) })
  const { itemNo } = await timed('put', () => store.put(atMachine({ kind: 'machine-user', name: 'bench', role: null, source: 'bench' }), { folder: source, facts: facts() }))
  await timed('verify', () => store.verify(itemNo))
  clearInterval(sampling)
  console.log(`memory: ${startBytes >> 20} MiB before, ${peakBytes >> 20} MiB at most`)
} finally { rmSync(base, { recursive: true, force: true }) }
