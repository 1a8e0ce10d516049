import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { Uint8ArrayReader, Uint8ArrayWriter, ZipWriter } from '@zip.js/zip.js'
import t, { type Test } from 'tap'
import { verifyCommand } from '../../../src/cli/verify.ts'
import { openSource } from '../../../src/export/package/package-source.ts'
import { verifyPackage, zipPackage } from '../../../src/export/index.ts'
import { realFootage } from '../../support/fragments.ts'
import { CASE, execute, inARow, makePackage, Recorder, Shelf, span, take } from './support.ts'

const root = t.testdir()
const footage = await realFootage({ codec: 'h264', width: 320, height: 180, seconds: 4 })
const recorder = await Recorder.open(t as unknown as Test, path.join(root, 'state'))
const shelf = new Shelf()
await shelf.add(footage, inARow(footage, footage.count))
const folder = path.join(root, `${CASE}-1`)
mkdirSync(folder)
await makePackage(recorder, root, await take(shelf, folder, { range: span(0, 3_900) }), { range: span(0, 3_900) })
const fingerprint = recorder.key.fingerprint
const zipped = async (name: string, password: string | null = null): Promise<string> => {
  const file = path.join(root, name)
  await zipPackage(folder, file, { password, onBytes: () => undefined })
  return file
}

t.test('a ZIP of a package verifies as the folder does, and opens with the usual tools to the same bytes', async t => {
  const file = await zipped('plain.zip')
  t.match(await verifyPackage(file, { fingerprint }), { isIntact: true, origin: 'confirmed', faults: [] })
  const out = path.join(root, 'unzipped')
  await execute('unzip', ['-q', file, '-d', out])
  t.match(await verifyPackage(path.join(out, `${CASE}-1`), { fingerprint }), { isIntact: true, origin: 'confirmed' })
  const bytes = readFileSync(file)
  bytes[bytes.length >> 1]! ^= 1
  writeFileSync(file, bytes)
  const spoilt = await verifyPackage(file, { fingerprint })
  t.notOk(spoilt.isIntact)
  t.ok(spoilt.faults.some(({ where }) => where.startsWith('video/')), 'the spoilt file is named')
})

t.test('a medium that goes away while a ZIP is read ends in an error', async t => {
  const source = await openSource(await zipped('gone.zip'))
  await source[Symbol.asyncDispose]() // the handle is gone
  await t.rejects(async () => { for await (const chunk of source.read('manifest.json')) t.ok(chunk) })
})

t.test('AES-256 for carriage: opens with its password to a package that verifies, and not without', async t => {
  const password = 'Taipei-115-carry!'
  const file = await zipped('secret.zip', password)
  t.match((await verifyPackage(file)).faults, [{ code: 'unreadable', where: 'secret.zip', zh: /密碼.*7-Zip/ }])
  t.equal((await verifyPackage(file)).faults.length, 1, 'said once, and nothing is called missing')
  for (const place of [file, path.join(root, 'nowhere')]) {
    let said = ''
    t.equal(await verifyCommand({ place, fingerprint, checkpointFile: undefined, json: false, out: { write: text => { said += text } } }), 1)
    t.match(said, /結果：無法驗證/, 'nothing was found wrong with what could not be read')
    t.notMatch(said, /不可採信/)
  }
  t.notOk(readFileSync(file).includes(password))
  const out = path.join(root, 'opened')
  await execute('7z', ['x', '-y', `-p${password}`, `-o${out}`, file])
  t.match(await verifyPackage(path.join(out, `${CASE}-1`), { fingerprint }), { isIntact: true, origin: 'confirmed' })
  t.match((await execute('7z', ['l', '-slt', `-p${password}`, file])).stdout, /AES-256/)
  await t.rejects(execute('7z', ['t', '-pwrong-password', file]))
})

async function zipOf(name: string, entries: readonly (readonly [string, Uint8Array, object?])[]): Promise<string> {
  const writer = new ZipWriter(new Uint8ArrayWriter(), { useWebWorkers: false })
  for (const [entry, bytes, options] of entries) await writer.add(entry, new Uint8ArrayReader(bytes), { useWebWorkers: false, ...options })
  const file = path.join(root, name)
  writeFileSync(file, await writer.close())
  return file
}
const replaceName = (file: string, from: string, to: string): void => {
  const bytes = readFileSync(file)
  for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at + 1)) bytes.write(to, at)
  writeFileSync(file, bytes)
}

t.test('hostile ZIPs: paths that lead out, the same name twice, links, bombs, overlaps and rubbish are faults, within bounds', async t => {
  const manifest = readFileSync(path.join(folder, 'manifest.json'))
  const codes = async (file: string) => (await verifyPackage(file, { fingerprint })).faults.map(({ code }) => code)
  const traversal = await zipOf('traversal.zip', [['manifest.json', manifest], ['aa/bb/cc', Buffer.from('x')]])
  replaceName(traversal, 'aa/bb/cc', '../../cc')
  t.ok((await codes(traversal)).includes('unreadable'))
  const twice = await zipOf('twice.zip', [['manifest.json', manifest], ['custody.json', Buffer.from('1')], ['custody.jsox', Buffer.from('2')]])
  replaceName(twice, 'custody.jsox', 'custody.json')
  t.ok((await codes(twice)).includes('unreadable'))
  const bomb = await zipOf('bomb.zip', [['manifest.json', Buffer.alloc(200 << 20)]])
  const rssBefore = process.memoryUsage().rss
  t.ok((await codes(bomb)).includes('unreadable'))
  t.ok(process.memoryUsage().rss - rssBefore < 100 << 20, 'it was not unpacked')
  const link = await zipOf('link.zip', [['manifest.json', manifest], ['custody.json', Buffer.from('/etc/passwd'), { unixMode: 0o120777 }]])
  t.ok((await verifyPackage(link)).faults.some(({ where, code }) => code === 'unreadable' && where === 'custody.json'))
  for (const [name, bytes] of [['rubbish.zip', Buffer.alloc(10_000, 7)], ['empty.zip', Buffer.alloc(0)], ['cut.zip', readFileSync(await zipped('whole.zip')).subarray(0, 100_000)]] as const) {
    writeFileSync(path.join(root, name), bytes)
    t.same(await codes(path.join(root, name)), ['unreadable'], name)
  }
})

t.test('custos verify: exits, words in both languages, JSON, and no cursor moved by a hostile name', async t => {
  const run = async (place: string, options: { fingerprint?: string, checkpointFile?: string, json?: boolean, machineKeyFile?: string } = {}) => {
    let text = ''
    const code = await verifyCommand({ place, fingerprint: options.fingerprint, checkpointFile: options.checkpointFile, json: options.json ?? false, machineKeyFile: options.machineKeyFile ?? '/nowhere', out: { write: (said: string) => { text += said } } })
    return { code, text }
  }
  t.match(await run(folder, { fingerprint }), { code: 0, text: /結果：完整.*Result: intact/ })
  t.match(await run(folder), { code: 3, text: /來源未確認.*not confirmed/ })
  t.equal((await run(folder, { machineKeyFile: path.join(recorder.stateDir, 'keys', 'audit-key.pub.pem') })).code, 0)
  t.match(await run(folder, { fingerprint: 'a'.repeat(64) }), { code: 1, text: /wrong-key/ })
  t.match(await run(folder, { fingerprint, checkpointFile: path.join(folder, 'checkpoint.txt') }), { code: 0, text: /查核點相符/ })
  t.match(JSON.parse((await run(folder, { fingerprint, json: true })).text), { isIntact: true, origin: 'confirmed', packageId: `${CASE}-1` })
  await t.rejects(run(folder, { fingerprint: 'xyz' }), { code: 'CUSTOS_VERIFY_USAGE' })
  await t.rejects(run(folder, { checkpointFile: '/nowhere' }), { code: 'CUSTOS_VERIFY_USAGE' })
  const evil = path.join(folder, 'evil\u001b[2Jname')
  writeFileSync(evil, 'x')
  const told = await run(folder, { fingerprint })
  rmSync(evil)
  t.equal(told.code, 1)
  t.notOk(told.text.includes('\u001b'))
  const bin = path.join(import.meta.dirname, '../../../bin/custos')
  const { stdout } = await execute(bin, ['verify', folder, '--fingerprint', fingerprint])
  t.match(stdout, /Result: intact/)
  appendFileSync(path.join(folder, 'custody.json'), ' ')
  await t.rejects(execute(bin, ['verify', folder]), { code: 1, stdout: /file-altered {2}custody\.json/ })
})
