import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { realArchiveDisk } from '../../src/archive/index.ts'
import { FaultyDisk } from './support/faulty-disk.ts'
import { ACTING, ArchiveRig, at, bytesOf, contentOf, facts, flip } from './support/rig.ts'

t.test('a folder is put in encrypted, read back, and comes out byte for byte, with who read it on record', async t => {
  const rig = await ArchiveRig.open(t)
  const files = { 'manifest.json': '{"a":1}', 'video/lobby.mp4': bytesOf(5 * 2 ** 20 + 3, 'v'), 'video/空.txt': '', 'README_請先閱讀.html': '<p>讀我</p>' }
  const item = await rig.archive.put(ACTING, { folder: rig.source(files), facts: facts() })
  t.equal(item.itemNo, 'A115-0001')
  t.equal(item.state, 'kept')
  t.equal(item.expiresAt, at('2027-11-27'))
  t.match(item.expiryText, /115年11月26日複製.*至116年11月26日終止時屆滿/)
  const found = await contentOf(await rig.archive.read(ACTING, item.itemNo))
  t.same(Object.keys(found).sort(), Object.keys(files).sort())
  for (const [name, content] of Object.entries(files)) t.ok(found[name]?.equals(Buffer.from(content)), name)
  t.match(rig.entries('archive.put')[0], { object: 'A115-0001', result: 'done', name: '王小明' })
  t.match(rig.entries('archive.read')[0], { object: 'A115-0001', name: '王小明' })
  t.equal(statSync(rig.itemFile(item.itemNo, 'payload')).size, item.bytes)
})

t.test('nothing on the volume tells a content, a name of a file or of a person; keys lie in the key file only', async t => {
  const rig = await ArchiveRig.open(t)
  const itemNo = await rig.put({}, { 'secret-name.txt': 'the secret content' })
  const onVolume = Buffer.concat([readFileSync(rig.itemFile(itemNo, 'payload')), readFileSync(rig.itemFile(itemNo, 'sidecar.json'))]).toString('latin1')
  for (const word of ['secret-name', 'secret content', ...['趙警員', '李主任', '偵辦竊盜案'].map(text => Buffer.from(text).toString('latin1'))]) t.notOk(onVolume.includes(word), word)
  t.ok(onVolume.includes(Buffer.from('大廳').toString('latin1')), 'the camera is told: R24 needs it')
  t.same(readdirSync(path.join(rig.stateDir, 'keys')).map(name => name.replace(/\.[0-9a-f]{16}$/, '')).sort(), ['archive-keys', 'archive-master'])
  for (const name of readdirSync(path.join(rig.stateDir, 'keys'))) t.equal(statSync(path.join(rig.stateDir, 'keys', name)).mode & 0o777, 0o600)
})

t.test('the same footage of an application put again is the item it made', async t => {
  const rig = await ArchiveRig.open(t)
  t.equal(await rig.put(), await rig.put())
  t.not(await rig.put(), await rig.put({ footageSha256: 'd'.repeat(64) }))
  t.not(await rig.put(), await rig.put({ kind: 'preserved' }))
  t.equal(rig.archive.list().length, 3)
})

t.test('full: putting in is refused, nothing is removed for it, and health says so until there is room', async t => {
  const rig = await ArchiveRig.open(t, each => { each.quotaBytes = 4 * 2 ** 20 })
  const first = await rig.put()
  await t.rejects(rig.put({ footageSha256: 'd'.repeat(64) }), { code: 'CUSTOS_ARCHIVE_FULL' })
  t.equal(rig.archive.get(first)?.state, 'kept')
  t.match(rig.archive.view(), { isFull: true, items: 1 })
  t.same(readdirSync(path.join(rig.dir, 'items')), [first])
  await rig.put({ footageSha256: 'd'.repeat(64) }, { 'small.txt': 'x' })
  t.equal(rig.archive.view().isFull, false)
  t.ok(rig.archive.view().bytes <= rig.quotaBytes)
})

t.test('the disk fills up in the middle: refused as full, nothing of it is left, the next one goes in', async t => {
  const disk = new FaultyDisk(realArchiveDisk)
  const rig = await ArchiveRig.open(t, each => { each.disk = disk })
  await rig.put()
  const before = disk.steps.length
  await rig.put({ footageSha256: 'd'.repeat(64) })
  const writes = disk.steps.slice(before).map((step, index) => [step, index] as const).filter(([step]) => step === 'payload write' || step === 'payload sync' || step === 'sidecar publish').map(([, index]) => index)
  t.ok(writes.length >= 4)
  for (const [n, index] of writes.entries()) {
    disk.break(index, 'not-applied', 'no-space')
    await t.rejects(rig.put({ footageSha256: String(n).repeat(64) }), { code: 'CUSTOS_ARCHIVE_FULL' })
    t.ok(disk.hasBroken)
    t.same(readdirSync(path.join(rig.dir, 'items')).sort(), ['A115-0001', 'A115-0002'], `after write ${n}`)
  }
  const next = await rig.put({ footageSha256: 'e'.repeat(64) })
  t.ok(next > 'A115-0002', 'a number given once is not given again')
})

t.test('what is no sound package is refused with its reason', async t => {
  const rig = await ArchiveRig.open(t)
  const refused = { code: 'CUSTOS_ARCHIVE_REFUSED' }
  await t.rejects(rig.put({ ranges: [] }), refused)
  await t.rejects(rig.put({ footageSha256: 'ABC' }), refused)
  await t.rejects(rig.put({ reason: ' ' }), refused)
  await t.rejects(rig.put({ approver: '李\u202e任' }), refused)
  await t.rejects(rig.archive.put(ACTING, { folder: path.join(rig.folder, 'nowhere'), facts: facts() }), refused)
  const linked = rig.source({ 'a.txt': 'a' })
  symlinkSync('/etc/hostname', path.join(linked, 'link'))
  await t.rejects(rig.archive.put(ACTING, { folder: linked, facts: facts() }), refused)
  const empty = path.join(rig.folder, 'empty')
  mkdirSync(empty)
  await t.rejects(rig.archive.put(ACTING, { folder: empty, facts: facts() }), refused)
  t.same(rig.archive.list(), [])
})

t.test('a volume that is missing, empty, foreign or damaged is refused, never made anew, and used again when it is back', async t => {
  const rig = await ArchiveRig.open(t)
  const itemNo = await rig.put()
  const away = path.join(rig.folder, 'away')
  const refusedAs = async (state: string) => {
    await t.rejects(rig.put({ footageSha256: 'd'.repeat(64) }), { code: 'CUSTOS_ARCHIVE_UNAVAILABLE', state, message: /^存檔區無法使用：\P{ASCII}+ \/ the archive cannot be used: [ -~]+$/u })
    t.equal(await rig.archive.sweep(), 0)
    t.equal(rig.archive.view().state, state)
    t.equal(rig.archive.get(itemNo)?.lost, null, 'a volume that is not there is no item lost')
  }
  renameSync(rig.dir, away)
  await refusedAs('missing')
  t.notOk(existsSync(rig.dir))
  mkdirSync(rig.dir)
  await refusedAs('not-mounted')
  t.same(readdirSync(rig.dir), [])
  writeFileSync(path.join(rig.dir, 'holiday.jpg'), 'x')
  await refusedAs('foreign')
  rmSync(rig.dir, { recursive: true })
  const other = await ArchiveRig.open({ testdir: () => path.join(rig.folder, 'other'), teardown: work => { t.teardown(work) } })
  renameSync(other.dir, rig.dir)
  await refusedAs('foreign')
  writeFileSync(path.join(rig.dir, 'custos-archive.json'), '{')
  await refusedAs('damaged')
  rmSync(rig.dir, { recursive: true })
  renameSync(away, rig.dir)
  await rig.archive.sweep()
  t.equal(rig.archive.view().state, 'ok')
  t.equal(await rig.archive.verify(itemNo), null)
  t.same([rig.entries('archive.unavailable').length, rig.entries('archive.available').length], [4, 1])
})

t.test('a read-only volume is refused and reads as such', async t => {
  const readOnly = { ...realArchiveDisk, mountOf: async (folder: string, step: string) => ({ ...await realArchiveDisk.mountOf(folder, step), readOnly: true }) }
  const rig = await ArchiveRig.open(t)
  await rig.put()
  rig.disk = readOnly
  await rig.start()
  t.equal(rig.archive.view().state, 'read-only')
  await t.rejects(rig.put({ footageSha256: 'd'.repeat(64) }), { code: 'CUSTOS_ARCHIVE_UNAVAILABLE' })
})

t.test('what is changed or deleted from outside is noticed, alarmed once and on record; nothing is thrown away for it', async t => {
  const rig = await ArchiveRig.open(t)
  const items = []
  for (const sha of ['1', '2', '3', '4', '5']) items.push(await rig.put({ footageSha256: sha.repeat(64) }))
  const [flipped, short, gone, sidecar, folder] = items
  if (flipped === undefined || short === undefined || gone === undefined || sidecar === undefined || folder === undefined) throw new Error('five were put in')
  flip(rig.itemFile(flipped, 'payload'), 2 ** 20 + 500)
  writeFileSync(rig.itemFile(short, 'payload'), readFileSync(rig.itemFile(short, 'payload')).subarray(0, -1))
  rmSync(rig.itemFile(gone, 'payload'))
  writeFileSync(rig.itemFile(sidecar, 'sidecar.json'), readFileSync(rig.itemFile(sidecar, 'sidecar.json'), 'utf8').replace(/"expiresAt":(\d+)/, (_, ms: string) => `"expiresAt":${Number(ms) - 86_400_000}`))
  rmSync(path.dirname(rig.itemFile(folder, 'payload')), { recursive: true })
  await rig.archive.sweep()
  await rig.archive.sweep()
  t.same(rig.archive.view().lost.map(({ itemNo }) => itemNo).sort(), [short, gone, sidecar, folder].sort())
  t.equal(rig.entries('archive.item-lost').length, 4, 'once each')
  t.match(await rig.archive.verify(flipped), /chunk 1 does not open/, 'a bit that turned is found by reading')
  await t.rejects(contentOf(await rig.archive.read(ACTING, flipped)), { code: 'CUSTOS_ARCHIVE_ITEM' })
  t.equal(await rig.archive.verify(sidecar), null, 'its payload is sound: the sidecar is written anew')
  await rig.archive.sweep()
  t.equal(rig.archive.get(sidecar)?.lost, null)
  t.equal(rig.entries('archive.item-found').length, 1)
  t.equal(rig.archive.list().every(item => item.state === 'kept'), true)
  writeFileSync(path.join(rig.dir, 'items', 'note.txt'), 'x')
  await rig.archive.sweep()
  t.equal(rig.archive.view().strays, 1)
  t.equal(rig.entries('archive.stray').length, 1)
})

t.test('the catalogue is lost: every pin comes back from its sidecar, with holds, filing mark and end; again changes nothing', async t => {
  const rig = await ArchiveRig.open(t)
  const [one, two] = [await rig.put(), await rig.put({ footageSha256: 'd'.repeat(64), kind: 'preserved' })]
  const hold = rig.archive.acts.placeHold(ACTING, one, { authority: '臺北地檢署115年度他字第1號', lastDay: Temporal.PlainDate.from('2028-03-01') })
  rig.archive.acts.markFiled(ACTING, two, '北市信戶資字第1150001號')
  await rig.archive.sweep()
  const before = rig.archive.list().map(({ verifiedAt: _, ...item }) => item)
  await rig.loseCatalogue()
  t.same(rig.archive.list(), [])
  flip(rig.itemFile(two, 'payload'), 700)
  t.match(await rig.archive.rebuild(), { adopted: [one, two], unsound: [{ itemNo: two }], strays: [] })
  t.same(rig.archive.list().map(({ verifiedAt: _, lost: _lost, ...item }) => ({ ...item, lost: null })), before.map(item => ({ ...item, lost: null })))
  t.equal(rig.archive.get(one)?.holds[0]?.holdId, hold.holdId)
  t.same((await rig.archive.rebuild()).adopted, [])
  t.equal(rig.archive.list().length, 2)
  t.ok(await rig.put({ footageSha256: 'e'.repeat(64) }) > two)
})

t.test('a catalogue restored from an older backup forgets no hold', async t => {
  const rig = await ArchiveRig.open(t)
  const one = await rig.put()
  rig.archive.acts.placeHold(ACTING, one, { authority: '地檢署函', lastDay: Temporal.PlainDate.from('2028-03-01') })
  await rig.archive.sweep()
  rig.db.exec("DROP TRIGGER archive_hold_stays; DELETE FROM archive_hold; UPDATE archive_item SET revision = 1, sidecar_revision = 1")
  t.equal(rig.archive.get(one)?.holds.length, 0)
  await rig.archive.sweep()
  t.equal(rig.archive.get(one)?.holds.length, 1)
  t.equal(rig.entries('archive.sidecar-taken-in').length, 1)
})

t.test('the key file is lost, damaged or of another master: nothing is made anew, nothing destroyed, and it is said', async t => {
  const rig = await ArchiveRig.open(t)
  const itemNo = await rig.put()
  const keys = path.join(rig.stateDir, 'keys', 'archive-keys'), sound = readFileSync(keys)
  rig.passTo(at('2028-02-01'))
  for (const break_ of [() => { rmSync(keys) }, () => { writeFileSync(keys, '{}') }, () => { flip(keys, sound.length - 20) }]) {
    break_()
    await rig.start()
    t.equal(rig.archive.view().state, 'key-file')
    t.equal(await rig.archive.sweep(), 0)
    await t.rejects(rig.put({ footageSha256: 'd'.repeat(64) }), { code: 'CUSTOS_ARCHIVE_UNAVAILABLE' })
    t.equal(rig.archive.get(itemNo)?.state, 'kept')
    writeFileSync(keys, sound)
  }
  await rig.archive.sweep()
  t.equal(rig.archive.get(itemNo)?.state, 'destroyed', 'once it is back, what is over its time goes')
})

t.test('with a credential from outside the disk the key file opens with it only', async t => {
  const rig = await ArchiveRig.open(t, each => { each.more = { credential: () => Buffer.from('from systemd') } })
  const itemNo = await rig.put()
  rig.more = {}
  await rig.start()
  t.equal(rig.archive.view().state, 'key-file')
  rig.more = { credential: () => Buffer.from('another') }
  await rig.start()
  t.equal(rig.archive.view().state, 'key-file')
  rig.more = { credential: () => Buffer.from('from systemd') }
  await rig.start()
  t.equal(await rig.archive.verify(itemNo), null)
})

t.test('what the log cannot take has not been put in [G10]', async t => {
  const rig = await ArchiveRig.open(t)
  const one = await rig.put()
  rig.db.exec("CREATE TRIGGER full BEFORE INSERT ON audit_entry BEGIN SELECT RAISE(ABORT, 'no room'); END")
  await t.rejects(rig.put({ footageSha256: 'd'.repeat(64) }))
  await t.rejects(rig.archive.read(ACTING, one))
  rig.db.exec('DROP TRIGGER full')
  await rig.archive.sweep()
  t.equal(rig.archive.list().length, 1)
  t.same(readdirSync(path.join(rig.dir, 'items')), ['A115-0001'])
})

t.test('an archive that cannot be opened for another cause says so, and is used as soon as it can', async t => {
  const disk = new FaultyDisk(realArchiveDisk)
  const causes: readonly (readonly [string, (rig: ArchiveRig) => () => void])[] = [
    ['the credential cannot be read', rig => {
      let isBroken = true
      rig.more = { credential: () => { if (isBroken) throw Object.assign(new Error('EACCES'), { code: 'EACCES' }); return null } }
      return () => { isBroken = false }
    }],
    ['the free space is not told', rig => { rig.disk = disk; disk.break(3, 'not-applied'); return () => undefined }],
    ['the audit log cannot be written', rig => {
      const { audit } = rig, append = audit.append.bind(audit)
      audit.append = () => { throw new Error('no room') }
      return () => { audit.append = append }
    }],
  ]
  for (const [what, spoil] of causes) {
    const rig = await ArchiveRig.open({ testdir: () => t.testdir(), teardown: work => { t.teardown(work) } })
    const itemNo = what === 'the audit log cannot be written' ? null : await rig.put()
    const heal = spoil(rig)
    if (itemNo === null) rig.db.exec('DELETE FROM archive_volume') // a volume that is taken into use has an entry
    await rig.start()
    t.match([rig.archive.view().state, rig.archive.isUsable], ['failed', false], what)
    heal()
    await rig.archive.sweep()
    t.match([rig.archive.view().state, rig.archive.isUsable], ['ok', true], `${what}: tried again, without a new start`)
    if (itemNo !== null) t.equal(await rig.archive.verify(itemNo), null)
  }
})
