import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { verifyPackage } from '../../../src/export/index.ts'
import { CHIEF, CUSTODIAN, FrontDesk } from '../../requests/support/front-desk.ts'
import { START } from '../../access/support/office.ts'
import type { Order } from './killed.ts'
import { CopyOffice, namesOf, never } from './support.ts'

t.setTimeout(900_000) // a process each, on a busy machine
const KILLS: readonly (readonly [string, Order['work'], Order['at']])[] = [
  ['while it reads', 'make', { what: 'appendFile', file: '/video/', nth: 1 }],
  ['once it has read', 'make', { what: 'sync', file: 'draft.json', nth: 0 }],
  ['when it has read back', 'make', { what: 'commit', file: 'UPDATE copy_job SET state', nth: 2 }],
  ['while it seals', 'release', { what: 'writeFile', file: 'manifest.json', nth: 0 }],
  ['while it writes to the destination', 'release', { what: 'sync', file: '.part/audit', nth: 0 }],
  ['before the archive is asked', 'release', { what: 'commit', file: 'UPDATE copy_job SET state', nth: 0 }],
  ['while the archive writes the Master', 'release', { what: 'write', file: 'payload', nth: 1 }],
  ['when the Master has its name and no row', 'release', { what: 'commit', file: 'COMMIT', nth: 2 }],
  ['when the Master is there and the release is not', 'release', { what: 'commit', file: 'COMMIT', nth: 3 }],
  ['between the release and its name', 'release', { what: 'rename', file: '/.custos-', nth: 0 }],
  ['between its name and the note of it', 'release', { what: 'commit', file: 'is_published', nth: 0 }],
  ['when the Master is there and it is not kept', 'keep', { what: 'commit', file: 'COMMIT', nth: 3 }],
]

for (const [when, work, at] of KILLS) t.test(`a process killed by the kernel ${when}: the next one brings the copy to its one end`, async t => {
  const folder = t.testdir(), catalogue = path.join(folder, 'catalogue.db'), out = path.join(folder, 'out'), root = path.join(folder, 'office')
  for (const each of [out, path.join(folder, 'scratch')]) mkdirSync(each)
  const db = new Database(catalogue)
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = FULL')
  const office = await CopyOffice.at(await FrontDesk.open({ testdir: () => path.join(folder, 'scratch'), teardown: close => { t.teardown(close) } }, db), root)
  const { desk } = await office.afresh(), isKept = work === 'keep'
  const { number } = isKept ? await office.preserved() : await office.approved()
  const asked = isKept ? desk.preserve(await office.front.as(...CUSTODIAN), { application: number, reason: '有繼續保存之必要' }) : desk.ask(await office.front.as(...CUSTODIAN), { application: number, target: { kind: 'folder', path: out } })
  if (work !== 'make') await desk.runNext(never)
  const acting = await office.front.as(...CHIEF) as unknown as { readonly sessionHash: Buffer }
  const order: Order = { catalogue, root, scratch: path.join(folder, 'scratch'), passedMs: office.front.office.clock.wallNow() - Date.parse(START), acting: { ...acting, sessionHash: acting.sessionHash.toString('hex') }, copyId: asked.copyId, work, at }
  const { promise, resolve } = Promise.withResolvers<{ readonly signal: string | null, readonly said: string }>()
  execFile(process.execPath, [path.join(import.meta.dirname, 'killed.ts'), JSON.stringify(order)], { env: { ...process.env, TMPDIR: order.scratch } }, (error, _, said) => { resolve({ signal: error?.signal ?? null, said }) })
  const { signal, said } = await promise
  t.equal(signal, 'SIGKILL', said)

  const next = await office.afresh(), job = () => next.desk.get(asked.copyId)!
  t.equal(existsSync(path.join(out, asked.packageId)) && job().state !== 'released', false, 'nothing under its name that is not released')
  await next.desk.resume()
  while (await next.desk.runNext(never));
  if (job().endedAt === null) await (isKept ? next.desk.keep(await office.front.as(...CHIEF), asked.copyId) : office.release(asked.copyId, { desk: next.desk }))
  t.match(job(), isKept ? { state: 'kept', error: null } : { state: 'released', isPublished: true, error: null })
  t.same(next.archive.list().map(({ itemNo, state }) => [itemNo, state]), [[job().archiveItem, 'kept']], 'one Master')
  t.match(next.archive.view(), { state: 'ok', lost: [], strays: 0 })
  t.same([office.book.last(), office.staged(), readdirSync(out).sort()], isKept ? [0, [], []] : [1, [], namesOf(asked.packageId)], 'one book line, nothing in staging, nothing hidden')
  if (!isKept) t.match(await verifyPackage(path.join(out, asked.packageId), { fingerprint: (await office.options.signer()).fingerprint }), { isIntact: true, origin: 'confirmed' })
  t.equal(db.pragma('integrity_check', { simple: true }), 'ok')
})
