import { createHash } from 'node:crypto'
import { appendFileSync, chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { manifestText, verifyPackage, type Manifest, type VerifyOptions, type Verdict } from '../../../src/export/index.ts'
import { noteText, signedTextOf } from '../../../src/audit/index.ts'
import { SYSTEM_FILE } from '../../../src/export/package/system-file.ts'
import { SYSTEM_FILE as PAGE_SYSTEM_FILE } from '../../../web/evidence-player/verify.ts'
import { realFootage } from '../../support/fragments.ts'
import { CASE, execute, inARow, makePackage, Recorder, Shelf, span, take, type Made } from './support.ts'

const root = t.testdir()
const footage = await realFootage({ codec: 'h264', width: 320, height: 180, seconds: 4 })
const recorder = await Recorder.open(t as unknown as Test, path.join(root, 'state'))
const shelf = new Shelf()
await shelf.add(footage, inARow(footage, 4))
await shelf.add(footage, inARow(footage, 4, { run: 2, fromMs: 7_000 }))
const RANGE = span(0, 8_800)
async function made(who: Recorder, parent: string): Promise<Made> {
  const folder = path.join(parent, `${CASE}-1`)
  mkdirSync(folder, { recursive: true })
  return makePackage(who, parent, await take(shelf, folder, { range: RANGE }), { range: RANGE })
}
const { folder: SOUND } = await made(recorder, path.join(root, 'sound'))
const FINGERPRINT = recorder.key.fingerprint
/** What the office printed before anything happened. */
const PRINTED = (() => {
  const { checkpoints } = recorder
  return noteText(signedTextOf(checkpoints.table.ofSize(checkpoints.lastOutside().size!)!)!)
})()

let copies = 0
/** A copy of the sound package that `change` spoils. */
async function spoilt(change: (folder: string) => void | Promise<void>, options: VerifyOptions = { fingerprint: FINGERPRINT }): Promise<Verdict> {
  const folder = path.join(root, `copy-${++copies}`)
  cpSync(SOUND, folder, { recursive: true })
  await change(folder)
  try { return await verifyPackage(folder, options) } finally { rmSync(folder, { recursive: true, force: true }) }
}
const codes = (verdict: Verdict): string[] => [...new Set(verdict.faults.map(({ code }) => code))].sort()
const filesIn = (folder: string): string[] => (readdirSync(folder, { recursive: true }) as string[]).filter(name => statSync(path.join(folder, name)).isFile()).sort()
const read = (folder: string, name: string): Buffer => readFileSync(path.join(folder, name))
const manifestOf = (folder: string): Manifest => JSON.parse(read(folder, 'manifest.json').toString('utf8')) as Manifest

t.test('a sound package is intact; by its fingerprint or this machine\'s key its origin is confirmed, else not', async t => {
  const asked = await verifyPackage(SOUND, { fingerprint: FINGERPRINT.replace(/(..)/g, '$1:').slice(0, -1).toUpperCase() })
  t.same([asked.isIntact, asked.origin, asked.faults], [true, 'confirmed', []])
  t.same(asked.checked.videos, 2)
  t.ok(asked.checked.records >= 7 && asked.checked.entries === 4)
  t.same((({ isIntact, origin }) => [isIntact, origin])(await verifyPackage(SOUND)), [true, 'not-confirmed'])
  t.equal((await verifyPackage(SOUND, { machineFingerprint: FINGERPRINT })).origin, 'confirmed')
  t.equal((await verifyPackage(SOUND, { machineFingerprint: FINGERPRINT, checkpoint: PRINTED })).checkpoint, 'fits')
  t.same(codes(await verifyPackage(SOUND, { fingerprint: 'f'.repeat(64) })), ['wrong-key'])
})

t.test('what keeps the verifier from its work is no fault of the package', async t => {
  const before = process.env['TMPDIR']
  t.teardown(() => { if (before === undefined) delete process.env['TMPDIR']; else process.env['TMPDIR'] = before })
  process.env['TMPDIR'] = path.join(root, 'nowhere')
  await t.rejects(verifyPackage(SOUND, { fingerprint: FINGERPRINT }), { code: 'CUSTOS_OPENSSL_FAILED', message: /nothing can be written to .*nowhere/, remedy: /暫存資料夾/ })
})

t.test('the manifest is canonical and lists every file; the sums list the manifest too', async t => {
  const manifest = manifestOf(SOUND)
  t.equal(read(SOUND, 'manifest.json').toString('utf8'), manifestText(manifest))
  t.same([...manifest.files.map(file => file.path), 'SHA256SUMS', 'manifest.json', 'manifest.p7s', 'manifest.sig'].sort(), filesIn(SOUND))
  t.match(manifest, { format: 'custos-evidence/1', redaction: 'none', createdOn: '民國115年11月22日', time: { timestampAuthority: 'not-obtained' }, key: { fingerprint: FINGERPRINT } })
  t.ok(manifest.gaps.length >= 1, 'the pause between the runs is told')
  t.match(read(SOUND, 'README_請先閱讀.html').toString('utf8'), /未取得/)
  t.match(read(SOUND, 'VERIFY.txt').toString('utf8'), /未取得/)
})

t.test('VERIFY.txt works word for word with coreutils and openssl, and notices', async t => {
  const commands = read(SOUND, 'VERIFY.txt').toString('utf8').split('\n').filter(line => line.startsWith('$ ')).map(line => line.slice(2))
  t.ok(commands.length >= 6)
  const run = async (folder: string) => execute('bash', ['-euo', 'pipefail', '-c', commands.join('\n')], { cwd: folder, timeout: 30_000 }).then(({ stdout }) => stdout, (error: { stdout: string }) => `failed: ${error.stdout}`)
  t.equal(await run(SOUND), `1 OK\n${FINGERPRINT}\n${FINGERPRINT}\nVerified OK\n3 OK\nVerified OK\n`)
  await spoilt(async folder => {
    appendFileSync(path.join(folder, 'custody.json'), ' ')
    const said = await run(folder)
    t.match(said, /custody\.json: FAILED/)
    t.notMatch(said, /1 OK/)
  })
  t.notMatch(commands.join('\n'), /\b(curl|wget|python|node|jq|awk|perl)\b/)
})

t.test('one bit flipped in any file is found and named', async t => {
  const names = filesIn(SOUND)
  t.ok(names.length >= 15)
  for (const name of names) {
    const { length } = read(SOUND, name)
    for (const at of new Set([0, length >> 1, length - 1])) {
      const verdict = await spoilt(folder => {
        const bytes = read(folder, name)
        bytes[at]! ^= 1
        writeFileSync(path.join(folder, name), bytes)
      })
      const wanted = { 'manifest.json': 'manifest-altered', 'manifest.sig': 'manifest-altered', 'manifest.p7s': 'cms-invalid', 'SHA256SUMS': 'sums-altered' }[name] ?? 'file-altered'
      t.ok(!verdict.isIntact && verdict.faults.some(({ code, where, zh }) => code === wanted && where === name && /[\u4e00-\u9fff]/.test(zh)), `${name}, byte ${at}: ${wanted} among ${codes(verdict).join(', ')}`)
    }
  }
})

t.test('a file dropped, added or renamed is found and named', async t => {
  for (const name of filesIn(SOUND)) {
    const dropped = await spoilt(folder => { rmSync(path.join(folder, name)) })
    t.ok(dropped.faults.some(({ code, where }) => code === 'file-missing' && where === name), `${name} dropped`)
    const renamed = await spoilt(folder => { renameSync(path.join(folder, name), path.join(folder, `${name}.x`)) })
    t.ok(renamed.faults.some(({ code, where }) => code === 'file-missing' && where === name) && (name === 'manifest.json' || renamed.faults.some(({ code, where }) => code === 'file-extra' && where === `${name}.x`)), `${name} renamed`)
  }
  for (const name of ['extra.txt', 'video/other.mp4', 'sub/deep/file']) {
    const added = await spoilt(folder => { mkdirSync(path.dirname(path.join(folder, name)), { recursive: true }); writeFileSync(path.join(folder, name), 'x') })
    t.same(added.faults.map(({ code, where }) => [code, where]), [['file-extra', name]])
  }
})

const SYSTEM_FILES = ['.DS_Store', 'video/Thumbs.db', 'forms/Desktop.ini', 'System Volume Information/WPSettings.dat', 'video/._lobby.mp4', '._.DS_Store']
t.test('what an operating system puts on a medium by itself is told and no fault; what only looks like it is', async t => {
  t.equal(String(SYSTEM_FILE), String(PAGE_SYSTEM_FILE), 'the page goes by the same rule')
  const put = (folder: string, name: string): void => { mkdirSync(path.dirname(path.join(folder, name)), { recursive: true }); writeFileSync(path.join(folder, name), 'x') }
  const verdict = await spoilt(folder => {
    for (const name of SYSTEM_FILES) put(folder, name)
    symlinkSync('/etc/passwd', path.join(folder, 'System Volume Information', 'link'))
  })
  t.match(verdict, { isIntact: true, faults: [] })
  t.same([...verdict.systemFiles].sort(), SYSTEM_FILES.map(name => name.startsWith('System') ? 'System Volume Information' : name).sort())
  for (const name of ['.DS_Store.exe', 'x.DS_Store', 'Thumbs.db/run.exe', 'video/desktop.ini.mp4', 'System Volume Informations/x', '.hidden', '._', 'autorun.inf']) t.same(codes(await spoilt(folder => { put(folder, name) })), ['file-extra'], name)
  const listed = await spoilt(async folder => {
    put(folder, '.DS_Store')
    await resealed(folder, recorder, manifest => ({ ...manifest, files: [...manifest.files, { path: '.DS_Store', bytes: 1, sha256: '0'.repeat(64) }] }))
    appendFileSync(path.join(folder, '.DS_Store'), 'y')
  })
  t.same(codes(listed), ['file-altered'], 'one that the manifest lists is a file like any other')
})

/** What a forger with a key of their own does: everything signed anew and summed anew. */
async function resealed(folder: string, forger: Recorder, change: (manifest: Manifest) => Manifest): Promise<void> {
  const manifest = change(manifestOf(folder))
  const files = await Promise.all(manifest.files.map(async file => { const bytes = read(folder, file.path); return { ...file, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') } }))
  const text = Buffer.from(manifestText({ ...manifest, files }))
  writeFileSync(path.join(folder, 'manifest.json'), text)
  writeFileSync(path.join(folder, 'manifest.sig'), forger.key.sign(text))
  writeFileSync(path.join(folder, 'manifest.p7s'), (await forger.certificate.sign(readFileSync(path.join(folder, 'manifest.json')))).cms)
  writeFileSync(path.join(folder, 'SHA256SUMS'), [...files, { path: 'manifest.json', sha256: createHash('sha256').update(text).digest('hex') }].map(file => `${file.sha256}  ${file.path}\n`).join(''))
}

t.test('even with the recorder\'s own key: swapped records, altered manifests and a cut log do not hold together', async t => {
  const video = (manifest: Manifest, change: (one: Manifest['videos'][number]) => Partial<Manifest['videos'][number]>): Manifest => ({ ...manifest, videos: manifest.videos.map((one, i) => i === 0 ? { ...one, ...change(one) } : one) })
  const rehashed = (folder: string, manifest: Manifest) => video(manifest, one => { const bytes = read(folder, one.path); return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') } })
  t.same(codes(await spoilt(folder => resealed(folder, recorder, manifest => manifest))), [], 'signing the same again is no fault')
  const swapped = await spoilt(async folder => {
    const { videos: [first] } = manifestOf(folder), [a, b] = first!.records, bytes = read(folder, first!.path)
    const both = Buffer.concat([bytes.subarray(0, a!.offset), bytes.subarray(b!.offset, b!.offset + b!.bytes), bytes.subarray(a!.offset, a!.offset + a!.bytes), bytes.subarray(b!.offset + b!.bytes)])
    writeFileSync(path.join(folder, first!.path), both)
    await resealed(folder, recorder, manifest => rehashed(folder, video(manifest, one => ({ records: [{ ...one.records[1]!, offset: one.records[0]!.offset }, { ...one.records[0]!, offset: one.records[0]!.offset + one.records[1]!.bytes }, ...one.records.slice(2)] }))))
  })
  t.same(codes(swapped), ['records-altered'])
  const claimed = await spoilt(folder => resealed(folder, recorder, manifest => video(manifest, one => ({ records: one.records.map((record, i) => i === 1 ? { ...record, sha256: 'e'.repeat(64) } : record) }))))
  t.same(codes(claimed), ['records-altered'])
  const narrowed = await spoilt(folder => resealed(folder, recorder, manifest => ({ ...manifest, application: { ...manifest.application, scope: manifest.application.scope.map(line => ({ ...line, from: new Date(Date.parse(line.from) + 1).toISOString() })) } })))
  t.same(codes(narrowed), ['outside-grant'], 'its first picture begins a millisecond before the grant')
  const twoVideos = await spoilt(async folder => {
    const [a, b] = manifestOf(folder).videos.map(one => path.join(folder, one.path))
    renameSync(a!, `${a!}.x`); renameSync(b!, a!); renameSync(`${a!}.x`, b!)
  })
  t.same(codes(twoVideos), ['file-altered', 'records-altered'], 'two segments swapped')
  const cutLog = await spoilt(async folder => {
    const lines = read(folder, 'audit/entries.jsonl').toString('utf8').trimEnd().split('\n')
    writeFileSync(path.join(folder, 'audit/entries.jsonl'), `${lines.slice(0, -1).join('\n')}\n`)
    await resealed(folder, recorder, manifest => manifest)
  })
  t.same(codes(cutLog), ['audit-altered'])
  const otherEntry = await spoilt(async folder => {
    writeFileSync(path.join(folder, 'audit/entries.jsonl'), read(folder, 'audit/entries.jsonl').toString('utf8').replace('application.received', 'application.recedived'))
    await resealed(folder, recorder, manifest => manifest)
  })
  t.same(codes(otherEntry), ['audit-altered'])
  const pretty = await spoilt(folder => { writeFileSync(path.join(folder, 'manifest.json'), JSON.stringify(manifestOf(folder), null, 2)) })
  t.same(codes(pretty), ['manifest-altered'])
  const renamedCamera = await spoilt(folder => { writeFileSync(path.join(folder, 'manifest.json'), manifestText(video(manifestOf(folder), () => ({ cameraName: '後門' })))) })
  t.ok(codes(renamedCamera).includes('manifest-altered'))
})

t.test('another key, and a whole package forged with a new key and a rewritten log: refused by fingerprint and by the printed checkpoint', async t => {
  const forger = await Recorder.open(t, path.join(root, 'forger'))
  const resigned = await spoilt(folder => resealed(folder, forger, manifest => manifest))
  t.ok(codes(resigned).includes('manifest-altered'), 'signed by another key than the one inside')
  const keyToo = await spoilt(async folder => {
    writeFileSync(path.join(folder, 'pub.pem'), forger.key.publicPem)
    writeFileSync(path.join(folder, 'recorder-cert.pem'), forger.certificate.pem)
    await resealed(folder, forger, manifest => ({ ...manifest, key: { ...manifest.key, fingerprint: forger.key.fingerprint } }))
  })
  t.same(codes(keyToo), ['audit-altered', 'wrong-key'], 'the log\'s checkpoint is still the recorder\'s')

  // All anew, with footage of their own making: it holds together, and only what was kept elsewhere tells.
  const { folder } = await made(forger, path.join(root, 'forged'))
  const alone = await verifyPackage(folder)
  t.same([alone.isIntact, alone.origin], [true, 'not-confirmed'], 'by itself it is intact, and nobody says by whom')
  const byKey = await verifyPackage(folder, { fingerprint: FINGERPRINT })
  t.same(codes(byKey), ['wrong-key'])
  t.match(byKey.faults[0], { zh: /不是指定的金鑰/, en: /another key/ })
  const byCheckpoint = await verifyPackage(folder, { fingerprint: forger.key.fingerprint, checkpoint: PRINTED })
  t.same([codes(byCheckpoint), byCheckpoint.checkpoint], [['checkpoint-mismatch'], 'mismatch'])

  // The recorder's own key and log id, stolen, with a log that was written anew: only the checkpoint tells.
  const stolen = path.join(root, 'stolen')
  mkdirSync(path.join(stolen, 'keys'), { recursive: true })
  copyFileSync(path.join(recorder.stateDir, 'keys', 'audit-key.pem'), path.join(stolen, 'keys', 'audit-key.pem'))
  const thief = await Recorder.open(t, stolen)
  thief.db.prepare('UPDATE audit_log SET id = ?').run(recorder.checkpoints.table.logId())
  thief.clock.drift(1_000, 0) // what was done is told otherwise
  const { folder: rewritten } = await made(thief, path.join(root, 'rewritten'))
  t.equal((await verifyPackage(rewritten, { fingerprint: FINGERPRINT })).origin, 'confirmed', 'whoever has the key can make it so')
  const told = await verifyPackage(rewritten, { fingerprint: FINGERPRINT, checkpoint: PRINTED })
  t.same([codes(told), told.isIntact], [['checkpoint-mismatch'], false])
  t.match(told.faults[0]!.zh, /改寫/)
  const newer = noteText(signedTextOf(recorder.checkpoints.make('entries'))!)
  recorder.note('application.received', CASE)
  t.match(await verifyPackage(SOUND, { fingerprint: FINGERPRINT, checkpoint: noteText(signedTextOf(recorder.checkpoints.make('entries'))!) }), { isIntact: true, origin: 'not-confirmed', checkpoint: 'unrelated' }, 'one that is newer than the package leaves it open')
  t.match(newer, /^custos/)
  t.equal((await verifyPackage(SOUND, { fingerprint: FINGERPRINT, checkpoint: 'no checkpoint' })).isIntact, false)
})

t.test('hostile folders: links, odd names, giant and deep JSON end in a fault, never in a read elsewhere or a fall', async t => {
  const outside = path.join(root, 'outside.txt')
  writeFileSync(outside, 'secret')
  const linked = await spoilt(folder => { rmSync(path.join(folder, 'custody.json')); symlinkSync(outside, path.join(folder, 'custody.json')) })
  t.ok(linked.faults.some(({ code, where }) => code === 'unreadable' && where === 'custody.json'))
  const linkedFolder = await spoilt(folder => { symlinkSync('/', path.join(folder, 'more')) })
  t.same(codes(linkedFolder), ['unreadable'])
  const deep = await spoilt(folder => { writeFileSync(path.join(folder, 'manifest.json'), `{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}`) })
  t.ok(codes(deep).includes('manifest-altered'))
  for (const text of ['', '{}', 'null', '[]', '{"format":"custos-evidence/1"}', '\u0000', '{"__proto__":{}}', `{"format":"custos-evidence/1","packageId":"x","createdAt":"2026-11-22T08:00:00.000Z","key":{"fingerprint":"${'a'.repeat(64)}"},"application":{"number":"x"},"files":[{"path":"../../etc/passwd","bytes":1,"sha256":"${'a'.repeat(64)}"}],"videos":[],"gaps":[]}`]) {
    t.notOk((await spoilt(folder => { writeFileSync(path.join(folder, 'manifest.json'), text) })).isIntact, text.slice(0, 40))
  }
  await resealedListing(t)
  t.same(codes(await verifyPackage(path.join(root, 'nowhere'))), ['unreadable'])
  t.same(codes(await verifyPackage(outside)), ['unreadable'])
  const unreadable = await spoilt(folder => { chmodSync(path.join(folder, 'custody.json'), 0); rmSync(path.join(folder, 'custody.json')); mkdirSync(path.join(folder, 'custody.json')) })
  t.ok(codes(unreadable).includes('file-missing'))
})

/** A manifest, signed, that lists a file outside the package: nothing is read there. */
async function resealedListing(t: Test): Promise<void> {
  const verdict = await spoilt(async folder => {
    await resealed(folder, recorder, manifest => manifest)
    const manifest = manifestOf(folder)
    const text = Buffer.from(manifestText({ ...manifest, files: [...manifest.files, { path: '../../../../etc/hostname', bytes: 1, sha256: 'a'.repeat(64) }] }))
    writeFileSync(path.join(folder, 'manifest.json'), text)
    writeFileSync(path.join(folder, 'manifest.sig'), recorder.key.sign(text))
    writeFileSync(path.join(folder, 'manifest.p7s'), (await recorder.certificate.sign(readFileSync(path.join(folder, 'manifest.json')))).cms)
  })
  t.ok(existsSync('/etc/hostname') && verdict.faults.some(({ code, where }) => code === 'file-missing' && where.endsWith('hostname')))
}
