import path from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { auditWitnessed } from '../../src/cli/audit-checkpoint.ts'
import { Office, spoken } from './support/office.ts'
import { serveBadLine, serveRecorder } from './support/serve-recorder.ts'

/** With one checkpoint, over `size` entries. */
async function withCheckpoint(t: Test): Promise<{ readonly office: Office, readonly size: number }> {
  const office = await Office.open(t.testdir({}))
  await using parts = await office.recorder()
  return { office, size: parts.checkpoints.make('start').size }
}
async function witnessed({ configFile }: Office, size: number): Promise<string> {
  const out = spoken()
  const code = await auditWitnessed({ configFile, size: String(size), by: '王主任', how: 'print', out })
  return `${code} ${out.text()}`
}
function entries(office: Office): unknown[] {
  const db = new Database(path.join(office.stateDir, 'catalogue.db'), { readonly: true })
  try {
    const sql = "SELECT actor_name, object FROM audit_entry WHERE action = 'checkpoint.witnessed'"
    return db.prepare(sql).all()
  } finally { db.close() }
}

t.test('a printed checkpoint is noted alike by a running recorder and without one, once', async t => {
  const { office, size } = await withCheckpoint(t), noted = [{ actor_name: '王主任', object: String(size) }]
  const running: string[] = []
  await t.test('running', async t => {
    await serveRecorder(t, office, own => ({ 'audit.witnessed': own['audit.witnessed']! }))
    running.push(await witnessed(office, size))
    const unknown = { code: 'CUSTOS_AUDIT_USAGE', message: /no checkpoint over/ }
    await t.rejects(witnessed(office, size + 99), unknown)
  })
  t.same(entries(office), noted)
  t.equal(await witnessed(office, size), running[0])
  t.match(running[0], /^0 .*\nNoted: 王主任 printed/)
  t.same(entries(office), noted)
})

t.test('an answer that is lost is asked for again: one entry', async t => {
  const { office, size } = await withCheckpoint(t), line = await serveBadLine(t, office, 'isKnown')
  t.match(await witnessed(office, size), /^0 /)
  t.equal(line.losses, 2)
  t.equal(entries(office).length, 1)
})
