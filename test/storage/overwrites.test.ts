import { createHash } from 'node:crypto'
import t from 'tap'
import { epochMs } from '../../src/domain/index.ts'
import { RecorderRig } from '../support/recorder-rig.ts'

const DAY_MS = 86_400_000

t.test('what is overwritten is told: row, audit entry, and the record of the day after', async t => {
  const rig = await RecorderRig.open(t, { slots: 3 })
  await rig.fillSlots(3)
  rig.endRun()
  const old = rig.segments()
  rig.clock.drift(40 * DAY_MS, 0)
  await rig.fillSlots(2)
  rig.endRun()
  const freed = rig.rows<{ slot: number, generation: number, freed_trusted_at: number, freed_kept_until: number, freed_floor_rule: string, keep_until: number, merkle_root: string, freed_audit_seq: number }>(
    'SELECT * FROM segment WHERE freed_trusted_at IS NOT NULL ORDER BY freed_trusted_at, segment_id')
  t.equal(freed.length, 2)
  for (const row of freed) {
    t.ok(row.freed_trusted_at >= row.freed_kept_until && row.freed_kept_until >= row.keep_until)
    t.equal(row.freed_floor_rule, '31d Asia/Taipei')
    const [entry] = rig.rows<{ action: string, detail: string }>(`SELECT action, detail FROM audit_entry WHERE seq = ${row.freed_audit_seq}`)
    t.equal(entry?.action, 'slot.overwritten')
    t.match(JSON.parse(entry!.detail), { root: row.merkle_root, camera: 'lobby' })
  }
  const day = Temporal.Instant.fromEpochMilliseconds(freed[0]!.freed_trusted_at).toZonedDateTimeISO('Asia/Taipei').toPlainDate()
  t.equal(rig.storage.overwrites.writeDue(rig.clock.wallNow()), 0, 'the day is not over')
  rig.clock.drift(DAY_MS, 0)
  t.equal(rig.storage.overwrites.writeDue(rig.clock.wallNow()), 1)
  t.equal(rig.storage.overwrites.writeDue(rig.clock.wallNow()), 0, 'once only')
  const [record] = rig.storage.overwrites.recordsOf(day.toString())
  t.match(record, { segments: 2, fromAt: old[0]!.startAt, toAt: old[1]!.endAt, cameraId: 'lobby', oldestLeftAt: old[2]!.startAt })
  const sha256 = (...parts: Buffer[]) => createHash('sha256').update(Buffer.concat(parts)).digest()
  const leaf = (hex: string) => sha256(Buffer.from([0]), Buffer.from(hex, 'hex'))
  const root = sha256(Buffer.from([1]), leaf(freed[0]!.merkle_root), leaf(freed[1]!.merkle_root)).toString('hex')
  t.equal(record?.merkleRoot, root, 'RFC 6962 over the roots, computed here by hand')
  t.match(rig.storage.overwrites.erasedOn(day.toString()), [{ slot: freed[0]!.slot }, { slot: freed[1]!.slot }])
})

t.test('days without the recorder running, and days without overwriting, are caught up', async t => {
  const rig = await RecorderRig.open(t, { slots: 2 })
  await rig.fillSlots(2)
  rig.endRun()
  for (let day = 0; day < 3; day++) {
    rig.clock.drift(40 * DAY_MS, 0)
    await rig.fillSlots(1)
    rig.endRun()
  }
  await rig.restart()
  t.equal(rig.storage.overwrites.writeDue(epochMs(rig.clock.wallNow() + DAY_MS)), 3)
  t.equal(rig.storage.overwrites.writeDue(null), 0, 'while time is in doubt no day is over')
})

t.test('when the audit log cannot be written nothing is overwritten, and recording goes on while there is room [G10]', async t => {
  const rig = await RecorderRig.open(t, { slots: 4 })
  await rig.fillSlots(2)
  rig.endRun()
  rig.isAuditBroken = true
  rig.clock.drift(40 * DAY_MS, 0)
  await rig.fillSlots(2)
  const before = rig.segments().map(({ slot, generation }) => `${slot}/${generation}`)
  t.equal(before.length, 4, 'free slots were taken, sealed without an entry')
  await t.rejects(rig.fillSlots(1), { code: 'CUSTOS_AUDIT_UNWRITABLE' })
  t.same(rig.segments().map(({ slot, generation }) => `${slot}/${generation}`), before, 'nothing went')
  rig.endRun()
  rig.isAuditBroken = false
  await rig.fillSlots(1)
  t.equal(rig.rows('SELECT * FROM segment WHERE freed_trusted_at IS NOT NULL').length, 1)
})
