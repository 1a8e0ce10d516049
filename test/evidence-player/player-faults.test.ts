import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { chromium } from 'playwright-core'
import { manifestText, verifyPackage, type Manifest, type TimestampHook } from '../../src/export/index.ts'
import { TARGET } from '../../scripts/build-player.mjs'
import { CASE, execute, inARow, makePackage, Recorder, Shelf, span, take } from '../export/package/support.ts'
import { realFootage } from '../support/fragments.ts'
import { TimeStampAuthority } from '../support/time-stamp-authority.ts'

const ARGUMENTS = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
const root = t.testdir()
const recorder = await Recorder.open(t as unknown as Test, path.join(root, 'state'))
const playerFile = path.join(root, 'player.html')
copyFileSync(TARGET, playerFile)

const footage = await realFootage({ codec: 'h264', width: 320, height: 180, seconds: 4 })
async function packageOf(who: Recorder, parent: string, timestamp: TimestampHook | null = null): Promise<string> {
  const shelf = new Shelf(), range = span(0, 8_800), folder = path.join(root, parent, `${CASE}-1`)
  mkdirSync(folder, { recursive: true })
  await shelf.add(footage, inARow(footage, 4))
  await shelf.add(footage, inARow(footage, 4, { run: 2, fromMs: 7_000 }))
  await makePackage(who, path.dirname(folder), await take(shelf, folder, { range }), { range, timestamp })
  return folder
}

const read = (folder: string, name: string): Buffer => readFileSync(path.join(folder, name))
const filesIn = (folder: string): string[] => (readdirSync(folder, { recursive: true }) as string[]).filter(name => statSync(path.join(folder, name)).isFile()).sort()
function flip(folder: string, name: string, at: number): void {
  const bytes = read(folder, name)
  bytes[at]! ^= 1
  writeFileSync(path.join(folder, name), bytes)
}
/** Everything listed, summed and signed anew by `who`. */
async function resealed(folder: string, who: Recorder, change: (manifest: Manifest) => Manifest = manifest => manifest): Promise<void> {
  const manifest = change(JSON.parse(read(folder, 'manifest.json').toString('utf8')) as Manifest)
  const files = manifest.files.map(file => { const bytes = read(folder, file.path); return { ...file, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') } })
  const text = Buffer.from(manifestText({ ...manifest, files }))
  writeFileSync(path.join(folder, 'manifest.json'), text)
  writeFileSync(path.join(folder, 'manifest.sig'), who.key.sign(text))
  writeFileSync(path.join(folder, 'manifest.p7s'), (await who.certificate.sign(readFileSync(path.join(folder, 'manifest.json')))).cms)
  writeFileSync(path.join(folder, 'SHA256SUMS'), [...files, { path: 'manifest.json', sha256: createHash('sha256').update(text).digest('hex') }].sort((a, b) => a.path < b.path ? -1 : 1).map(file => `${file.sha256}  ${file.path}\n`).join(''))
}

/** The page in a browser, beside the program; `compare` gives what the program finds, and fails where the page names something else. */
async function openBoth(t: Test, sound: string) {
  const { fingerprint } = recorder.key, name = path.basename(path.dirname(sound))
  const context = await chromium.launchPersistentContext(path.join(root, `profile-${name}`), { executablePath: '/usr/bin/chromium', args: ARGUMENTS, headless: false, viewport: { width: 1280, height: 800 } })
  t.teardown(() => context.close())
  const page = await context.newPage()
  const ofPage = async (folder: string): Promise<string[]> => {
    await page.goto(pathToFileURL(playerFile).href)
    await page.locator('#pick-folder').setInputFiles(folder)
    await page.locator('#verdict:not([data-kind=working])[data-kind]').waitFor({ timeout: 20_000 })
    await page.evaluate(`(() => { const typed = document.getElementById('typed'); typed.value = '${fingerprint}'; typed.dispatchEvent(new Event('input')) })()`)
    return [...new Set(await page.locator('#fault-rows code').allInnerTexts())].sort()
  }
  let copies = 0
  const both = async (spoil: (folder: string) => void | Promise<void>): Promise<{ readonly program: string[], readonly shown: string[] }> => {
    const folder = path.join(root, `${name}-${++copies}`, `${CASE}-1`)
    cpSync(sound, folder, { recursive: true })
    await spoil(folder)
    const program = [...new Set((await verifyPackage(folder, { fingerprint })).faults.map(({ code }) => code))].sort(), shown = await ofPage(folder)
    rmSync(path.dirname(folder), { recursive: true })
    return { program, shown }
  }
  const compare = async (what: string, spoil: (folder: string) => void | Promise<void>): Promise<string[]> => {
    const { program, shown } = await both(spoil)
    t.same(shown, program, `${what}: ${program.join(', ')}`)
    return program
  }
  const checks = async (): Promise<string[]> => await page.locator('#checks li').evaluateAll(lines => lines.map(line => `${line.className} ${line.textContent}`)) as string[]
  return { both, compare, checks, verdict: () => page.locator('#verdict').getAttribute('data-kind') }
}

t.test('spoilt in every way, the page names the same faults as the program', { timeout: 400_000 }, async t => {
  const sound = await packageOf(recorder, 'sound')
  const forger = await Recorder.open(t, path.join(root, 'forger'))
  const { compare } = await openBoth(t, sound)
  t.same(await compare('untouched', () => undefined), [])
  for (const name of filesIn(sound)) {
    const { length } = read(sound, name)
    for (const at of new Set([length >> 2, length - 1])) t.not((await compare(`a bit at ${at} of ${name}`, folder => { flip(folder, name, at) })).length, 0)
    t.ok((await compare(`${name} dropped`, folder => { rmSync(path.join(folder, name)) })).includes('file-missing'))
  }
  const { videos } = JSON.parse(read(sound, 'manifest.json').toString('utf8')) as Manifest, [one = '', two = ''] = videos.map(({ path: name }) => name)
  const [first, second] = videos[0]!.records
  t.same(await compare('a file added', folder => { writeFileSync(path.join(folder, 'video', 'other.mp4'), 'x') }), ['file-extra'])
  const put = (folder: string, name: string): void => { mkdirSync(path.dirname(path.join(folder, name)), { recursive: true }); writeFileSync(path.join(folder, name), 'x') }
  t.same(await compare('what operating systems put there', folder => { for (const name of ['.DS_Store', 'video/Thumbs.db', 'forms/Desktop.ini', 'System Volume Information/WPSettings.dat', `${one.replace(/[^/]*$/, '')}._x.mp4`]) put(folder, name) }), [])
  t.same(await compare('what only looks like it', folder => { for (const name of ['x.DS_Store', 'System Volume Informations/x']) put(folder, name) }), ['file-extra'])
  t.same(await compare('a video renamed', folder => { renameSync(path.join(folder, one), path.join(folder, 'video', 'new.mp4')) }), ['file-extra', 'file-missing'])
  await compare('the manifest renamed', folder => { renameSync(path.join(folder, 'manifest.json'), path.join(folder, 'manifest.json.x')) })
  await compare('two videos swapped', folder => { renameSync(path.join(folder, one), path.join(folder, 't')); renameSync(path.join(folder, two), path.join(folder, one)); renameSync(path.join(folder, 't'), path.join(folder, two)) })
  await compare('two records swapped, signed by the recorder', async folder => {
    const bytes = read(folder, one), cut = (record: { offset: number, bytes: number }): Buffer => bytes.subarray(record.offset, record.offset + record.bytes)
    writeFileSync(path.join(folder, one), Buffer.concat([bytes.subarray(0, first!.offset), cut(second!), cut(first!), bytes.subarray(second!.offset + second!.bytes)]))
    const sha256 = createHash('sha256').update(read(folder, one)).digest('hex')
    await resealed(folder, recorder, manifest => ({ ...manifest, videos: manifest.videos.map((video, i) => i > 0 ? video : { ...video, sha256, records: [{ ...second!, offset: first!.offset }, { ...first!, offset: first!.offset + second!.bytes }, ...video.records.slice(2)] }) }))
  })
  await compare('the last entry cut off, signed by the recorder', async folder => {
    writeFileSync(path.join(folder, 'audit/entries.jsonl'), `${read(folder, 'audit/entries.jsonl').toString('utf8').trimEnd().split('\n').slice(0, -1).join('\n')}\n`)
    await resealed(folder, recorder)
  })
  for (const edge of ['from', 'to'] as const) {
    t.same(await compare(`the grant shorter by a moment ${edge === 'from' ? 'at its start' : 'at its end'}, signed by the recorder`, folder => resealed(folder, recorder, manifest => ({
      ...manifest, application: { ...manifest.application, scope: manifest.application.scope.map(line => ({ ...line, [edge]: new Date(Date.parse(line[edge]) + (edge === 'from' ? 1 : -80)).toISOString() })) },
    }))), ['outside-grant'])
  }
  t.same(await compare('signed anew by the recorder', folder => resealed(folder, recorder)), [])
  await compare('another case than the entries are of', folder => resealed(folder, recorder, manifest => ({ ...manifest, application: { ...manifest.application, number: '115-調-0099' } })))
  await compare('a segment that no entry names', folder => resealed(folder, recorder, manifest => ({ ...manifest, videos: manifest.videos.map(video => ({ ...video, segments: video.segments.map(segment => ({ ...segment, auditSeq: 1 })) })) })))
  await compare('a video that is no listed file', folder => resealed(folder, recorder, manifest => ({ ...manifest, videos: manifest.videos.map((video, i) => i > 0 ? video : { ...video, sha256: 'e'.repeat(64) }) })))
  await compare('a manifest written prettily', folder => { writeFileSync(path.join(folder, 'manifest.json'), JSON.stringify(JSON.parse(read(folder, 'manifest.json').toString('utf8')), null, 2)) })
  await compare('signed by another key', folder => resealed(folder, forger))
  await compare('another key inside as well', async folder => {
    writeFileSync(path.join(folder, 'pub.pem'), forger.key.publicPem)
    writeFileSync(path.join(folder, 'recorder-cert.pem'), forger.certificate.pem)
    await resealed(folder, forger, manifest => ({ ...manifest, key: { ...manifest.key, fingerprint: forger.key.fingerprint } }))
  })
  const forged = await packageOf(forger, 'forged')
  t.same(await compare('forged as a whole, with a log of its own', folder => { rmSync(folder, { recursive: true }); cpSync(forged, folder, { recursive: true }) }), ['wrong-key'])
})

t.test('the time stamp: missing, of something else or none at all, the page names what the program names; what it cannot check it says, and where to check it', { timeout: 400_000 }, async t => {
  const authority = new TimeStampAuthority(path.join(root, 'tsa')), stranger = new TimeStampAuthority(path.join(root, 'stranger')), picky = new TimeStampAuthority(path.join(root, 'picky'), { digests: 'sha512' })
  const query = async (data: string): Promise<Buffer> => { const file = path.join(root, 'query'); await execute('openssl', ['ts', '-query', '-data', data, '-sha256', '-cert', '-out', file]); return readFileSync(file) }
  const stamped = await packageOf(recorder, 'stamped', { command: [authority.program('stamp')], ca: { pem: authority.caPem } })
  const token = read(stamped, 'manifest.tsr'), imprint = createHash('sha256').update(read(stamped, 'manifest.json')).digest(), time = token.indexOf(Buffer.from('Z', 'latin1'), token.indexOf(imprint))
  const put = (bytes: Buffer) => (folder: string): void => { writeFileSync(path.join(folder, 'manifest.tsr'), bytes) }
  const flipped = (at: number): Buffer => { const bytes = Buffer.from(token); bytes[at]! ^= 1; return bytes }
  {
    const { both, compare, checks, verdict } = await openBoth(t, stamped)
    t.same(await compare('untouched', () => undefined), [])
    t.equal(await verdict(), 'confirmed')
    const said = (await checks()).filter(line => line.includes('manifest.tsr'))
    t.match(said, [/^good .*manifest\.tsr.*SHA-256/, /^not-done .*簽章.*VERIFY\.txt.*openssl.*signature.*openssl.*VERIFY\.txt/], 'what was checked, and what is openssl\'s')
    t.same(await compare('gone', folder => { rmSync(path.join(folder, 'manifest.tsr')) }), ['file-missing'])
    t.match((await checks()).filter(line => line.includes('manifest.tsr')), [/^bad /])
    for (const [what, bytes] of [
      ['over another file', await authority.answer(await query(path.join(stamped, 'VERIFY.txt')))], ['a refusal', await picky.answer(await query(path.join(stamped, 'manifest.json')))], ['cut', token.subarray(0, -9)], ['empty', Buffer.alloc(0)], ['no token', Buffer.from('時戳')],
      ['another first bit', flipped(0)], ['another imprint', flipped(token.indexOf(imprint))], ['another time', flipped(time - 1)], ['larger than any', Buffer.concat([token, Buffer.alloc(256 * 1024)])], ['the package\'s own signature', read(stamped, 'manifest.p7s')],
    ] as const) t.same(await compare(what, put(bytes)), ['token-invalid'], what)
    t.same(await compare('with something after it, as openssl takes it', put(Buffer.concat([token, Buffer.from('x')]))), [])
    const { length } = token.subarray(token[1] === 0x82 ? 4 : 2), open = Buffer.concat([Buffer.from([0x30, 0x80]), token.subarray(-length), Buffer.alloc(2)])
    t.same(await compare('with an open length, which openssl takes', put(open)), [])
    t.match((await checks()).filter(line => line.includes('manifest.tsr')), [/^not-done .*SHA-256/, /^not-done .*openssl/], 'it is not said to be good')
    for (const [what, bytes] of [['the authority\'s signature', flipped(token.length - 1)], ['a stranger\'s token', await stranger.answer(await query(path.join(stamped, 'manifest.json')))]] as const) {
      t.same(await both(put(bytes)), { program: ['token-invalid'], shown: [] }, `${what} is what the page leaves to openssl`)
      t.ok((await checks()).some(line => /^not-done .*manifest\.tsr/.test(line)), 'and says so')
    }
  }
  const plain = await packageOf(recorder, 'plain'), { compare, checks } = await openBoth(t, plain)
  t.same(await compare('none announced, none there', () => undefined), [])
  t.notOk((await checks()).some(line => line.includes('manifest.tsr')))
  const later = await authority.answer(await query(path.join(plain, 'manifest.json')))
  t.same(await compare('one that was added later', put(later)), [])
  t.ok((await checks()).some(line => /^good .*manifest\.tsr/.test(line)))
  t.same(await compare('one of another package that was added', put(token)), ['token-invalid'])
  t.same(await compare('something else of its name', put(Buffer.from('x'))), ['token-invalid'])
})
