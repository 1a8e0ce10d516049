import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import type { ApplicationNumber } from '../../../src/requests/index.ts'
import { CHIEF, CUSTODIAN, DIRECTOR, done } from '../../requests/support/front-desk.ts'
import { CopyOffice, never } from './support.ts'
import { Steps } from './steps.ts'

const DAY_MS = 86_400_000, MINUTE_MS = 60_000

/** Entries of a package that was removed, with what they say. */
const removals = ({ front }: CopyOffice): { object: string, result: string, detail: { why: string, packageId: string } }[] =>
  front.office.db.prepare<[], { object: string, result: string, detail: string }>("SELECT object, result, detail FROM audit_entry WHERE action = 'copy.removed' ORDER BY seq").all().map(entry => ({ ...entry, detail: JSON.parse(entry.detail) as { why: string, packageId: string } }))
/** The grant of an application ends. */
const ENDINGS: Readonly<Record<string, (office: CopyOffice, number: ApplicationNumber) => Promise<void>>> = {
  async expired({ front: { office, desk } }, number) { office.pass(desk.grants.open(number)!.validUntil - office.clock.wallNow() + 1) },
  async revoked(office, number) { await commanded(office, number, DIRECTOR, { kind: 'revoke', reason: '誤核' }) },
  async closed(office, number) { await commanded(office, number, CUSTODIAN, { kind: 'close', reason: '已領取' }) },
}
async function commanded({ front }: CopyOffice, number: ApplicationNumber, who: typeof DIRECTOR | typeof CUSTODIAN, command: { readonly kind: 'revoke' | 'close', readonly reason: string }): Promise<void> {
  done(await front.act(who, front.desk.reader.application(await front.as(...CUSTODIAN), number), command))
}

for (const [why, end] of Object.entries(ENDINGS)) {
  t.test(`a released package that stays here is removed by the queue itself once its grant has ended (${why}); row and Master stay, the entry stands once`, async t => {
    const office = await CopyOffice.open(t), job = await office.made({ kind: 'here' }), other = await office.made({ kind: 'here' }), { desk, front: { office: { clock } } } = office, number = job.application as ApplicationNumber
    for (const { copyId } of [job, other]) await office.release(copyId)
    const stop = new AbortController(), running = desk.run(stop.signal)
    const look = async (): Promise<void> => { await clock.settle(1); await clock.advance(MINUTE_MS); await clock.settle(1) }
    await look()
    t.ok(existsSync(path.join(desk.folderOf(job.copyId)!, 'manifest.json')), 'it stays to be fetched while its grant is open')
    t.ok(existsSync(desk.sheetsOf(job.copyId)!))
    await end(office, number)
    for (let i = 0; i < 3; i++) await look()
    t.same([desk.folderOf(job.copyId), desk.sheetsOf(job.copyId)], [null, null])
    t.same(office.staged(), why === 'expired' ? [] : [other.copyId], 'nothing of it is left, and nothing else went')
    t.same(removals(office).filter(({ object }) => object === job.copyId), [{ object: job.copyId, result: 'done', detail: { why, packageId: job.packageId, item: 'A115-0001' } }], 'once')
    t.match(desk.get(job.copyId), { state: 'released', archiveItem: 'A115-0001', removed: { why } }, 'its row stays')
    t.equal(office.stored.filter(({ facts }) => facts.application === number).length, 1, 'and so does the Master')
    stop.abort()
    await running
  })
}

t.test('while the grant is open a package stays thirty days after its release and no longer', async t => {
  const office = await CopyOffice.open(t), job = await office.made({ kind: 'here' }), { desk, front: { office: { db } } } = office
  await office.release(job.copyId)
  const { endedAt } = desk.get(job.copyId)!
  t.equal(db.prepare('UPDATE application_grant SET valid_until = valid_until + ? WHERE number = ?').run(365 * DAY_MS, job.application).changes, 1)
  office.front.office.pass(endedAt! + 30 * DAY_MS - 1 - office.front.desk.grants.now())
  await desk.resume()
  t.ok(existsSync(path.join(desk.folderOf(job.copyId)!, 'manifest.json')))
  office.front.office.pass(1)
  await desk.resume()
  t.same([office.staged(), removals(office).map(({ detail }) => detail.why)], [[], ['kept-longest']])
})

t.test('what stands on the disk of a package that is removed goes at a start, also when it came back with a backup; the entry stays the one', async t => {
  const office = await CopyOffice.open(t), job = await office.made({ kind: 'here' }), { desk } = office
  await office.release(job.copyId)
  await ENDINGS['revoked']!(office, job.application as ApplicationNumber)
  await desk.resume()
  mkdirSync(path.join(office.options.folder, job.copyId, job.packageId), { recursive: true })
  t.equal(desk.folderOf(job.copyId), null)
  await desk.resume()
  t.same([office.staged(), removals(office).length], [[], 1])
})

t.test('killed before any step of the removal: nothing half is handed out, and the next start removes it and says so once', async t => {
  const killedAt = async (index: number | null): Promise<number> => {
    const office = await CopyOffice.open(t), job = await office.made({ kind: 'here' })
    await office.release(job.copyId)
    await ENDINGS['revoked']!(office, job.application as ApplicationNumber)
    const first = await office.afresh(), steps = new Steps((_, at) => at === index ? 'kill' : undefined)
    await steps.of(() => first.desk.resume())
    t.equal(steps.isKilled, index !== null)
    const said = removals(office).length, next = await office.afresh()
    if (said === 1) t.same(office.staged(), [], 'it is said after it is so')
    const folder = next.desk.folderOf(job.copyId)
    t.ok(folder === null || !existsSync(folder) || existsSync(path.join(folder, 'manifest.json')), 'whole or not there')
    await next.desk.resume()
    t.same([office.staged(), removals(office).map(({ result }) => result)], [[], ['done']], `killed before step ${index ?? 'none'}`)
    return steps.seen.length
  }
  const count = await killedAt(null)
  t.ok(count >= 4, `${count} steps`)
  for (let index = 0; index < count; index++) await killedAt(index)
})

t.test('a log that cannot be written removes nothing; a disk that refuses is told once and tried again', async t => {
  const office = await CopyOffice.open(t), job = await office.made({ kind: 'here' }), { desk, front: { office: { clock } } } = office
  await office.release(job.copyId)
  await ENDINGS['revoked']!(office, job.application as ApplicationNumber)
  const stop = new AbortController(), allow = office.refuseEntries(), running = desk.run(stop.signal)
  for (let i = 0; i < 3; i++) { await clock.settle(1); await clock.advance(MINUTE_MS) }
  t.same(removals(office), [])
  allow()
  const away = `${office.options.folder}.away`
  renameSync(office.options.folder, away)
  writeFileSync(office.options.folder, 'no folder')
  for (let i = 0; i < 5; i++) { await clock.settle(1); await clock.advance(MINUTE_MS) }
  t.same(removals(office).map(({ result }) => result), ['failed'], 'told once')
  t.match(desk.get(job.copyId), { removed: null })
  rmSync(office.options.folder)
  renameSync(away, office.options.folder)
  for (let i = 0; i < 2; i++) { await clock.settle(1); await clock.advance(MINUTE_MS) }
  await clock.settle(1)
  t.same([office.staged(), removals(office).map(({ result }) => result)], [[], ['failed', 'done']])
  stop.abort()
  await running
})

t.test('a copy that waits for its witness ends with its grant, without anybody asking; nothing of it stays', async t => {
  const office = await CopyOffice.open(t), job = await office.made({ kind: 'here' }), { desk } = office
  await ENDINGS['closed']!(office, job.application as ApplicationNumber)
  await desk.resume()
  t.match(desk.get(job.copyId), { state: 'failed', error: { code: 'CUSTOS_COPY_REFUSED' } })
  t.same([office.staged(), removals(office)], [[], []])
})

t.test('of what is kept in the archive nothing stays in staging, and what a disk did not let go then goes with the next look', async t => {
  const office = await CopyOffice.open(t), { number } = await office.preserved(), { desk, front: { office: { clock } } } = office
  const { copyId, packageId } = desk.preserve(await office.front.as(...CUSTODIAN), { application: number, reason: '偵查中，有繼續保存之必要' })
  await desk.runNext(never)
  t.match(await desk.keep(await office.front.as(...CHIEF), copyId), { state: 'kept' })
  t.same(office.staged(), [])
  const stop = new AbortController(), running = desk.run(stop.signal)
  await clock.settle(1)
  mkdirSync(path.join(office.options.folder, copyId, packageId, 'video'), { recursive: true })
  await clock.advance(MINUTE_MS)
  await clock.settle(1)
  await turn()
  t.same([office.staged(), removals(office)], [[], []])
  stop.abort()
  await running
})
