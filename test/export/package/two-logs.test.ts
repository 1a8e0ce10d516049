import { mkdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import {
  AuditLog, checkpointBody, CheckpointBook, entryTable, notePartedLog, noteText, OfficeCheckpoints, originOf, OtherLogs,
  parseCheckpoints, partedEvent, partLog, signedTextOf, verifyAuditLog, type LogHead,
} from '../../../src/audit/index.ts'
import { SYSTEM } from '../../../src/domain/index.ts'
import { auditEvidence, verifyPackage, type Manifest } from '../../../src/export/index.ts'
import { checkAudit, compareCheckpoint } from '../../../src/export/package/verify-audit.ts'
import { checkAudit as checkInPlayer } from '../../../web/evidence-player/audit-check.ts'
import { migrate, type Db } from '../../../src/platform/catalogue.ts'
import { backupOf, headOfLog, restore } from '../../audit/support/two-logs.ts'
import { realFootage } from '../../support/fragments.ts'
import { CASE, execute, inARow, makePackage, Recorder, Shelf, span, take, type Packer } from './support.ts'

const root = t.testdir()
const footage = await realFootage({ codec: 'h264', width: 320, height: 180, seconds: 4 })
const shelf = new Shelf()
await shelf.add(footage, inARow(footage, 2))

interface Two { readonly recorder: Recorder, readonly others: OtherLogs, readonly book: CheckpointBook, readonly office: Packer }

/** A recorder whose log is years old, and the office that parted from it, or began by itself. */
async function twoLogs(t: Test, name: string, isParted: boolean): Promise<Two> {
  const recorder = await Recorder.open(t, path.join(root, name)), { clock } = recorder
  const others = new OtherLogs({ ...recorder, db: recorder.db, log: recorder.log, clock, key: () => recorder.key })
  const book = new CheckpointBook({ db: recorder.db, log: recorder.log, clock, others: () => others.newest() })
  book.openKey(recorder.stateDir)
  for (let i = 0; i < 20; i++) recorder.note('slot.overwritten', null)
  book.witnessed(book.make('entries'), 'print')
  const db: Db = new Database(':memory:')
  migrate(db, clock.wallNow())
  t.teardown(() => { db.close() })
  if (isParted) restore(db, backupOf(recorder.db))
  const log = new AuditLog({ db, clock })
  if (isParted) {
    const { from, size } = partLog(db)
    notePartedLog({ ...recorder, db: recorder.db, log: recorder.log, clock }, headOfLog({ db, log }))
    log.append(partedEvent(originOf(from), size))
  }
  const checkpoints = new OfficeCheckpoints({ db, log, clock, signer: others })
  const office: Packer = {
    db, log, clock, checkpoints, certificate: recorder.certificate,
    note: (...[action, application, detail]: Parameters<Packer['note']>) =>
      log.append({ action, actor: SYSTEM, object: null, application, result: 'done', detail: detail ?? {} }).seq,
    // the office's day, then the recorder's, which leaves
    async leave() { await checkpoints.signedNow(); book.witnessed(book.make('entries'), 'print') },
  }
  return { recorder, others, book, office }
}

for (const isParted of [true, false]) {
  t.test(`a package of an office log ${isParted ? 'that parted' : 'of its own'} proves itself against the recorder's note, by our verifier and by openssl alone`, async t => {
    const { recorder, book, office } = await twoLogs(t, `whole-${isParted}`, isParted)
    const parent = path.join(root, `package-${isParted}`), folder = path.join(parent, `${CASE}-1`)
    mkdirSync(folder, { recursive: true })
    await makePackage(office, parent, await take(shelf, folder, { range: span(0, 4_400) }), { range: span(0, 4_400) })
    const outside = book.outside()!
    t.equal(outside.also[0]!.origin, headOfLog(office).origin)
    const verdict = await verifyPackage(folder, { fingerprint: recorder.key.fingerprint, checkpoint: noteText(outside) })
    t.match(verdict, { isIntact: true, origin: 'confirmed', checkpoint: 'fits', faults: [] })
    const file = parseCheckpoints(readFileSync(path.join(folder, 'checkpoint.txt'), 'utf8'))
    t.match(file, [{ origin: headOfLog(office).origin, also: [] }, { origin: outside.origin, size: outside.size }])
    t.match(await withOpenssl(folder), /1 OK[\s\S]*Verified OK\n3 OK\nVerified OK/)
    const stranger = await twoLogs(t, `stranger-${isParted}`, false)
    await stranger.office.leave()
    t.match(await verifyPackage(folder, { checkpoint: noteText(stranger.book.outside()!) }), { checkpoint: 'mismatch' })
    if (!isParted) return
    const before = noteText(signedTextOf(book.table.bySize()[0]!)!)
    t.match(await verifyPackage(folder, { checkpoint: before }), { checkpoint: 'fits' }, 'the recorder\'s own from before they parted')
  })
}

/** The commands that the package's own VERIFY.txt gives. */
async function withOpenssl(folder: string): Promise<string> {
  const text = readFileSync(path.join(folder, 'VERIFY.txt'), 'utf8')
  const commands = text.split('\n').filter(line => line.startsWith('$ ')).map(line => line.slice(2))
  const { stdout } = await execute('bash', ['-euo', 'pipefail', '-c', commands.join('\n')], { cwd: folder, timeout: 30_000 })
  return stdout
}

const MANIFEST = { application: { number: CASE }, videos: [] } as unknown as Manifest

t.test('before the recorder\'s note names the office\'s log, the note of the common part is enclosed', async t => {
  const { recorder, book, office } = await twoLogs(t, 'early', true)
  office.note('application.received', CASE)
  const evidence = await auditEvidence({ ...office, entries: entryTable(office.db), application: CASE })
  const [head, older] = parseCheckpoints(evidence.checkpointTxt)
  t.match(older, { origin: originOf(book.table.logId()), also: [] })
  const check = checkAudit(evidence, MANIFEST, recorder.key.publicPem)
  t.same(check.faults, [])
  t.equal(compareCheckpoint(older!, check, recorder.key.fingerprint), 'fits')
  t.equal(head!.origin, headOfLog(office).origin)
  t.match(verifyAuditLog(office.db, [head!, older!]), { fault: null, compared: 2 })
})

t.test('entries that come after the checkpoint was asked for are not in the package', async t => {
  const { recorder, office, others } = await twoLogs(t, 'late', false)
  const checkpoints = new OfficeCheckpoints({ ...office, signer: { sign: async head => { office.note('copy.taken', CASE); return await others.sign(head) } } })
  office.note('application.received', CASE)
  const evidence = await auditEvidence({ ...office, checkpoints, entries: entryTable(office.db), application: CASE })
  t.same(checkAudit(evidence, MANIFEST, recorder.key.publicPem), { ...checkAudit(evidence, MANIFEST, recorder.key.publicPem), faults: [], entries: 1 })
})

t.test('tampering with what the recorder\'s note says of this log is found, by the verifier and by the page', async t => {
  const { recorder, book, office } = await twoLogs(t, 'tampered', true)
  for (let i = 0; i < 6; i++) office.note('application.received', CASE)
  await office.leave()
  office.note('copy.taken', CASE)
  const evidence = await auditEvidence({ ...office, entries: entryTable(office.db), application: CASE })
  const faults = (change: (note: string) => string): string[] => {
    const [head, note] = evidence.checkpointTxt.split('\n\ncustos/')
    const files = { ...evidence, checkpointTxt: `${head}\n\n${change(`custos/${note}`)}` }
    const page = checkInPlayer({ entriesText: files.entriesJsonl, proofsText: files.proofsJson, checkpointText: files.checkpointTxt, application: CASE, roots: [] })
    const ours = checkAudit(files, MANIFEST, recorder.key.publicPem).faults
    t.ok(page.faults.length <= ours.length, 'the page does not check the signature of the older one')
    return [...ours, ...page.faults.map(({ en }) => en)]
  }
  const also = book.outside()!.also[0]!, line = book.outside()!.body.split('\n').find(each => each.startsWith('also '))!
  const earlier = also.size - 2, earlierRoot = office.log.tree.root(earlier).toString('base64')
  t.same(faults(note => note), [], 'as it is')
  for (const [what, to] of [
    ['the root altered', line.replace(/ (\w)/g, ' $1').replace(also.root.toString('base64'), Buffer.alloc(32, 7).toString('base64'))],
    ['the head of another log', line.replace(also.origin, 'custos/0123456789abcdef')],
    ['a smaller size', line.replace(` ${also.size} `, ` ${also.size - 1} `)],
    ['a smaller size with its root', line.replace(` ${also.size} ${also.root.toString('base64')}`, ` ${earlier} ${earlierRoot}`)],
    ['a larger size', line.replace(` ${also.size} `, ` ${also.size + 900} `)],
    ['the last hash altered', line.replace(/.$/, end => end === '0' ? '1' : '0')],
  ] as const) t.ok(faults(note => note.replace(line, to)).length > 0, what)
  t.ok(faults(note => note.replace(`${line}\n`, '')).length > 0, 'taken out')

  // Whoever has the key signs it anew: what was kept elsewhere tells.
  const resigned = (head: LogHead): string => {
    const facts = { ...book.outside()!, at: book.outside()!.at!, lastHash: book.outside()!.lastHash!, also: [{ ...head, lastHash: also.lastHash! }] }
    const body = checkpointBody(facts)
    return noteText({ ...facts, body, signature: recorder.key.sign(body) })
  }
  const check = checkAudit(evidence, MANIFEST, recorder.key.publicPem)
  const compare = (note: string) => compareCheckpoint(parseCheckpoints(note)[0]!, check, recorder.key.fingerprint)
  t.equal(compare(resigned(also)), 'fits')
  t.match(compare(resigned({ ...also, root: Buffer.alloc(32, 7) })), { en: /another hash/ })
  t.match(compare(resigned({ ...also, origin: 'custos/0123456789abcdef' })), { en: /another recorder/ })
  t.equal(compare(resigned({ ...also, size: also.size + 900 })), 'unrelated')
})
