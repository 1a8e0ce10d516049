import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { CheckpointBook, checkpointBody, headOf, isSignedBy, lineText, MOST_ALSO, noteText, openSigningKey, parseCheckpoints, signedTextOf, verifyAuditLog } from '../../src/audit/index.ts'
import { fill, openLog, stateFolder, type LogRig } from './support/log.ts'

const modeOf = (file: string): string => (statSync(file).mode & 0o777).toString(8)
const bookOf = (rig: LogRig): CheckpointBook => { const book = new CheckpointBook(rig); book.openKey(rig.folder); return book }

t.test('the key is made once, its private half for its owner alone', async t => {
  const folder = stateFolder(t)
  const made = openSigningKey(folder, 1)
  t.equal(made.origin, 'missing')
  t.same([modeOf(path.join(folder, 'keys')), modeOf(path.join(folder, 'keys/audit-key.pem')), modeOf(path.join(folder, 'keys/audit-key.pub.pem'))], ['700', '600', '644'])
  t.same(readdirSync(path.join(folder, 'keys')).sort(), ['audit-key.pem', 'audit-key.pub.pem'], 'nothing half-written is left')
  const again = openSigningKey(folder, 2)
  t.same([again.origin, again.key.fingerprint, again.exposedMode], ['found', made.key.fingerprint, null])
  const openssl = execFileSync('openssl', ['pkey', '-pubin', '-in', path.join(folder, 'keys/audit-key.pub.pem'), '-outform', 'DER'])
  t.equal(execFileSync('sha256sum', { input: openssl }).toString().slice(0, 64), made.key.fingerprint, 'the fingerprint is what openssl and sha256sum make of the public key')
})

t.test('a key open to others is closed again, and the log says so', async t => {
  const rig = openLog(t)
  bookOf(rig)
  chmodSync(path.join(rig.folder, 'keys/audit-key.pem'), 0o644)
  bookOf(rig)
  t.equal(modeOf(path.join(rig.folder, 'keys/audit-key.pem')), '600')
  t.match(rig.log.get(2), { action: 'audit-key.exposed', detail: '{"mode":"0644"}' })
})

t.test('a lost, damaged or exchanged key is an entry and a state until the new one is known outside; old checkpoints stay good', async t => {
  const rig = openLog(t)
  const file = path.join(rig.folder, 'keys/audit-key.pem')
  const first = bookOf(rig)
  first.make('day', '2026-11-22')
  t.equal(first.keyState(), 'ok')
  const pem = readFileSync(file, 'utf8')
  const strangers = stateFolder(t)
  openSigningKey(strangers, 1)
  for (const [because, spoil] of [
    ['missing', () => { execFileSync('rm', [file]) }], ['damaged', () => { writeFileSync(file, pem.slice(0, 80)) }],
    ['damaged', () => { execFileSync('openssl', ['genrsa', '-out', file, '2048'], { stdio: 'ignore' }) }], ['other-key', () => { execFileSync('cp', [path.join(strangers, 'keys/audit-key.pem'), file]) }],
    ['other-key', () => { writeFileSync(file, pem) }],
  ] as const) {
    spoil()
    const book = bookOf(rig)
    t.match(rig.log.get(rig.log.size()), { action: 'audit-key.replaced', detail: new RegExp(`"because":"${because}"`) })
    t.equal(book.keyState(), 'replaced', because)
    const stored = book.make('day', '2026-11-23')
    t.ok(isSignedBy(signedTextOf(stored)!, readFileSync(path.join(rig.folder, 'keys/audit-key.pub.pem'), 'utf8')))
    book.witnessed(stored, 'command')
    t.equal(book.keyState(), 'ok', 'outside they know it now')
  }
  t.equal(readdirSync(path.join(rig.folder, 'keys')).filter(name => name.startsWith('audit-key.pem.damaged-')).length, 1, 'what was damaged is kept')
  t.match(verifyAuditLog(rig.db), { fault: null, checkpoints: 6 })
})

t.test('without a usable key checkpoints are made unsigned, and nothing else is different', async t => {
  const rig = openLog(t)
  writeFileSync(path.join(rig.folder, 'keys'), 'a file where the folder should be')
  const book = new CheckpointBook(rig)
  t.throws(() => { book.openKey(rig.folder) }, { code: 'EEXIST' })
  t.equal(book.keyState(), 'unusable')
  fill(rig, 3)
  const stored = book.make('day', '2026-11-22')
  t.match(stored, { size: 3, signature: null, keyFingerprint: null, body: /\nkey none\n$/ })
  t.match(verifyAuditLog(rig.db, [signedTextOf(stored)!]), { fault: null, outsideSize: 3 })
})

t.test('openssl and coreutils verify a checkpoint', async t => {
  const rig = openLog(t)
  const book = bookOf(rig)
  fill(rig, 20)
  const note = noteText(signedTextOf(book.make('day', '2026-11-22'))!)
  const folder = t.testdir({ 'note.txt': note })
  // As docs/operating/audit.md tells an auditor.
  const script = `cd ${folder} && sed '/^$/,$d' note.txt > body && sed -n 's/^— [^ ]* //p' note.txt | base64 -d | tail -c +5 > sig && openssl dgst -sha256 -verify ${rig.folder}/keys/audit-key.pub.pem -signature sig body`
  t.match(spawnSync('bash', ['-c', script], { encoding: 'utf8' }), { status: 0, stdout: 'Verified OK\n' })
  writeFileSync(path.join(folder, 'note.txt'), note.replace('\n21\n', '\n20\n'))
  t.match(spawnSync('bash', ['-c', script], { encoding: 'utf8' }), { status: 1, stdout: /Verification failure/ })
})

t.test('a checkpoint survives the ways it leaves the machine', async t => {
  const rig = openLog(t)
  const book = bookOf(rig)
  fill(rig, 5)
  const checkpoint = signedTextOf(book.make('day', '2026-11-22'))!
  const note = noteText(checkpoint), line = lineText(checkpoint)
  t.equal(line.includes('\n'), false)
  t.ok(Buffer.byteLength(line) < 900, 'fits the 1,024 bytes of an old syslog')
  const mail = `From: nvr@example.org\r\nSubject: checkpoint\r\n\r\n${note.replaceAll('\n', '\r\n')}\r\n-- \r\nsent by machine\r\n`
  for (const [how, text] of [
    ['the note', note], ['a byte order mark and Windows line ends', `\ufeff\n${note.replaceAll('\n', '\r\n')}`], ['a mail', mail], ['a syslog line', `Nov 22 08:00:01 nvr custos-audit: ${line}\n`], ['an ASCII dash', note.replace('—', '--')],
  ] as const) t.same(parseCheckpoints(text), [checkpoint], how)
  const { origin, size, root } = checkpoint
  t.match(parseCheckpoints(`  ${origin}\n${size}\n${root.toString('base64')}\n\nsigned: 王主任`), [{ origin, size, root, at: null, signature: null, lastHash: null }], 'three lines typed from paper')
  const later = signedTextOf((fill(rig, 1), book.make('day', '2026-11-23')))!
  t.same(parseCheckpoints(`<13>1 a ${line}\nother line\n<13>1 b ${lineText(later)}\n`), [checkpoint, later], 'a syslog of many days')
})

const otherHead = (id: number) => {
  const origin = `custos/${id.toString(16).padStart(16, '0')}`
  return { origin, size: 40 + id, root: Buffer.alloc(32, id), lastHash: Buffer.alloc(32, 255 - id) }
}

t.test('a checkpoint names the heads of other logs behind its own lines, signed with them, in a note and in a line', async t => {
  const rig = openLog(t)
  for (const count of [0, 1, MOST_ALSO]) {
    const others = Array.from({ length: count }, (_, i) => otherHead(i + 1))
    const book = new CheckpointBook({ ...rig, others: () => others })
    book.openKey(rig.folder)
    const stored = book.make('start'), checkpoint = signedTextOf(stored)!
    t.same(checkpoint.also, others)
    t.equal(stored.body.split('\n').length, 7 + count, 'today\'s six lines first')
    t.ok(isSignedBy(checkpoint, book.key!.publicPem))
    t.ok(Buffer.byteLength(lineText(checkpoint)) < 1_024, 'fits an old syslog')
    for (const text of [noteText(checkpoint), `<13>1 a ${lineText(checkpoint)}`, noteText(checkpoint).replaceAll('\n', '\r\n')]) {
      t.same(parseCheckpoints(text), [checkpoint])
    }
    for (const other of others) t.same(headOf(checkpoint, other.origin), other)
    t.equal(headOf(checkpoint, checkpoint.origin)?.size, checkpoint.size)
    t.equal(headOf(checkpoint, 'custos/ffffffffffffffff'), null)
  }
  t.match(verifyAuditLog(rig.db), { fault: null, checkpoints: 3 })
})

t.test('a line about another log that was altered breaks the signature; too many, two of one log, and one of its own are no checkpoint', async t => {
  const rig = openLog(t), other = otherHead(7)
  const book = new CheckpointBook({ ...rig, others: () => [other] })
  book.openKey(rig.folder)
  const stored = book.make('start'), note = noteText(signedTextOf(stored)!)
  const pem = book.key!.publicPem, altered = (from: string, to: string) => parseCheckpoints(note.replace(from, to))[0]!
  for (const [from, to] of [[' 47 ', ' 46 '], [other.origin, otherHead(8).origin], ['BwcH', 'BwcI'], ['f8f8', 'f8f9']] as const) {
    t.notOk(isSignedBy(altered(from, to), pem), `${from} ${to}`)
  }
  const also = note.split('\n').find(line => line.startsWith('also '))!
  t.notOk(isSignedBy(parseCheckpoints(note.replace(`${also}\n`, ''))[0]!, pem), 'taken out')
  const facts = { ...signedTextOf(stored)!, at: stored.at, lastHash: Buffer.alloc(32) }
  for (const heads of [Array.from({ length: MOST_ALSO + 1 }, (_, i) => otherHead(i + 1)), [other, other], [{ ...other, origin: facts.origin }]]) {
    t.throws(() => checkpointBody({ ...facts, also: heads }), RangeError)
    const lines = heads.map(head => also.replace(other.origin, head.origin)).join('\n')
    t.same(parseCheckpoints(note.replace(also, lines)), [])
  }
  const typed = parseCheckpoints(`${facts.origin}\n0\n${facts.root.toString('base64')}\n${also.split(' ').slice(0, 4).join(' ')}\n\nsigned`)
  t.match(typed, [{ size: 0, at: null, signature: null, also: [{ ...other, lastHash: null }] }], 'typed from paper without the last hash')
})

t.test('what is no checkpoint is none', async t => {
  const rig = openLog(t)
  const { body } = new CheckpointBook(rig).make('start')
  for (const text of ['', 'hello', body.replace('custos/', 'other/'), body.replace('\n0\n', '\n-1\n'), body.replace('\n0\n', '\n01\n'), body.replace('=\n', '\n'), body.split('\n').slice(0, 2).join('\n')]) t.same(parseCheckpoints(text), [], JSON.stringify(text.slice(0, 40)))
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 400 }), fc.nat(200), (noise, at) => {
    for (const found of parseCheckpoints(body.slice(0, at) + noise + body.slice(at))) if (found.root.length !== 32 || !(found.size >= 0)) return false
    return true
  }), { numRuns: 300 })
})

t.test('the first start of a recorder needs no folder to be there', async t => {
  const folder = path.join(stateFolder(t), 'deeper')
  mkdirSync(folder)
  openSigningKey(folder, 1)
  t.ok(existsSync(path.join(folder, 'keys/audit-key.pem')))
})
