import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { TIMESTAMP_TEXTS, verifyPackage, type Manifest, type TimestampHook } from '../../../src/export/index.ts'
import { realFootage } from '../../support/fragments.ts'
import { TimeStampAuthority } from '../../support/time-stamp-authority.ts'
import { CASE, execute, inARow, makePackage, Recorder, Shelf, span, take } from './support.ts'

const root = t.testdir()
const footage = await realFootage({ codec: 'h264', width: 320, height: 180, seconds: 4 })
const recorder = await Recorder.open(t as unknown as Test, path.join(root, 'state'))
const shelf = new Shelf()
await shelf.add(footage, inARow(footage, 4))
const authority = new TimeStampAuthority(path.join(root, 'tsa')), stranger = new TimeStampAuthority(path.join(root, 'stranger')), picky = new TimeStampAuthority(path.join(root, 'picky'), { digests: 'sha512' })
const SHIPPED = path.join(import.meta.dirname, '../../../config/time-stamp-hook')
const ca = { pem: authority.caPem }

let packages = 0
async function sealed(timestamp: TimestampHook | null): Promise<string> {
  const parent = path.join(root, `package-${++packages}`), folder = path.join(parent, `${CASE}-1`)
  mkdirSync(folder, { recursive: true })
  await makePackage(recorder, parent, await take(shelf, folder, { range: span(0, 2_000) }), { range: span(0, 2_000), timestamp })
  return folder
}
const manifestOf = (folder: string): Manifest => JSON.parse(readFileSync(path.join(folder, 'manifest.json'), 'utf8')) as Manifest
const verdictOf = async (folder: string) => { const { isIntact, origin, faults } = await verifyPackage(folder, { fingerprint: recorder.key.fingerprint }); return { isIntact, origin, faults: faults.map(({ code, where }) => `${where} ${code}`) } }
const INTACT = { isIntact: true, origin: 'confirmed', faults: [] }
const commandsOf = (folder: string): string => readFileSync(path.join(folder, 'VERIFY.txt'), 'utf8').split('\n').filter(line => line.startsWith('$ ')).map(line => line.slice(2)).join('\n')

t.test('the shipped hook brings a token from a real authority; it verifies by VERIFY.txt\'s own words, and by ours', async t => {
  await using server = await authority.serve()
  const folder = await sealed({ command: [SHIPPED, server.url], ca })
  t.match(manifestOf(folder).time, { timestampAuthority: 'token-follows', timestampWhyNot: null })
  t.ok(manifestOf(folder).files.some(file => file.path === 'tsa-ca.pem'), 'the certificate is among the files')
  t.match((await execute('bash', ['-euo', 'pipefail', '-c', commandsOf(folder)], { cwd: folder, timeout: 30_000 })).stdout, /\nVerified OK\nVerification: OK\n$/)
  t.same(await verdictOf(folder), INTACT)
})

t.test('a token that was spoilt, is over something else, is of another authority or went missing is named', async t => {
  const folder = await sealed({ command: [authority.program('stamp')], ca }), copy = path.join(root, 'spoilt', path.basename(folder))
  const token = readFileSync(path.join(folder, 'manifest.tsr'))
  const query = async (data: string): Promise<Buffer> => { const file = path.join(root, 'query'); await execute('openssl', ['ts', '-query', '-data', data, '-sha256', '-cert', '-out', file]); return readFileSync(file) }
  const manifest = path.join(folder, 'manifest.json')
  const flipped = (at: number): Buffer => { const bytes = Buffer.from(token); bytes[at]! ^= 1; return bytes }
  const others: readonly (readonly [string, Buffer | null])[] = [
    ['the last bit', flipped(token.length - 1)], ['one in the middle', flipped(token.length >> 1)], ['the first', flipped(0)], ['cut', token.subarray(0, -9)], ['empty', Buffer.alloc(0)], ['no token', Buffer.from('時戳')],
    ['over another file', await authority.answer(await query(path.join(folder, 'VERIFY.txt')))], ['of a stranger', await stranger.answer(await query(manifest))], ['a refusal', await picky.answer(await query(manifest))], ['gone', null],
  ]
  for (const [what, bytes] of others) {
    cpSync(folder, copy, { recursive: true })
    if (bytes === null) rmSync(path.join(copy, 'manifest.tsr'))
    else writeFileSync(path.join(copy, 'manifest.tsr'), bytes)
    t.same(await verdictOf(copy), { isIntact: false, origin: 'not-confirmed', faults: [`manifest.tsr ${bytes === null ? 'file-missing' : 'token-invalid'}`] }, what)
    rmSync(copy, { recursive: true })
  }
})

t.test('a token that is added later is looked at as well; without the authority\'s certificate as far as that goes', async t => {
  const folder = await sealed(null), file = path.join(folder, 'manifest.tsr'), query = path.join(root, 'later')
  t.same(await verdictOf(folder), INTACT)
  await execute('openssl', ['ts', '-query', '-data', path.join(folder, 'manifest.json'), '-sha256', '-cert', '-out', query])
  const token = await authority.answer(readFileSync(query))
  writeFileSync(file, token)
  t.same(await verdictOf(folder), INTACT)
  token[token.length - 1]! ^= 1
  writeFileSync(file, token)
  t.same((await verdictOf(folder)).faults, ['manifest.tsr token-invalid'])
})

t.test('a hook that fails, hangs, answers nothing or garbage, is refused or answers for another: 未取得 with its reason, and the package is whole', async t => {
  const hook = (name: string, before: string) => authority.program(name, before), command = (...words: string[]) => ({ command: words, ca })
  const seen = path.join(root, 'seen')
  for (const [what, timestamp, why] of [
    ['not configured', null, 'not-configured'], ['the certificate cannot be used', { command: ['/bin/true'], ca: 'unusable' }, 'ca-unusable'], ['not there', command('/nowhere/stamp'), 'hook-failed'], ['fails', command(hook('fails', 'echo no way >&2; exit 3')), 'hook-failed'],
    ['hangs', { ...command(hook('hangs', `printf '%s\\n' "$0" "$@" > '${seen}'; sleep 600`)), timeoutMs: 500 }, 'hook-failed'], ['answers nothing', command('/bin/true'), 'no-answer'], ['answers garbage', command(hook('garbage', 'echo garbage > "$2"; exit 0')), 'no-answer'],
    ['answers without end', command(hook('endless', 'head -c 300000 /dev/zero > "$2"; exit 0')), 'no-answer'], ['is refused', command(picky.program('stamp')), 'not-granted'], ['another authority', command(stranger.program('stamp')), 'not-verified'],
    ['stamps another file', command(hook('other', `openssl ts -query -data /etc/hostname -sha256 -cert -out "$1"`)), 'not-verified'],
  ] as const satisfies readonly (readonly [string, TimestampHook | null, keyof typeof TIMESTAMP_TEXTS])[]) {
    const folder = await sealed(timestamp)
    t.match(manifestOf(folder).time, { timestampAuthority: 'not-obtained', timestampWhyNot: why }, what)
    t.notOk(manifestOf(folder).files.some(file => file.path === 'tsa-ca.pem'), 'nothing of an authority that gave none')
    for (const file of ['VERIFY.txt', 'README_請先閱讀.html']) t.match(readFileSync(path.join(folder, file), 'utf8'), `未取得：${TIMESTAMP_TEXTS[why].zh}`)
    t.same(await verdictOf(folder), INTACT)
    t.match((await execute('bash', ['-euo', 'pipefail', '-c', commandsOf(folder)], { cwd: folder, timeout: 30_000 })).stdout, /^1 OK\n/)
  }
  t.match(readFileSync(seen, 'utf8').split('\n').map(word => path.basename(word)), ['hangs', 'request.tsq', 'answer.tsr', ''], 'two paths, and nothing else, are told to the program')
})
