import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { Check } from 'typebox/value'
import t from 'tap'
import { InboxFileSchema, InboxKeys, InboxMessageSchema, inboxSchemaText } from '../../src/inbox/index.ts'
import { at, LOBBY } from '../requests/support/front-desk.ts'
import { Correspondence } from './support/document-system.ts'

const operating = (name: string): string => readFileSync(path.join(import.meta.dirname, '../../docs/operating', name), 'utf8')
const page = operating('inbox.md')
const block = (language: string): string => new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(page)?.[1] ?? ''

t.test('the published schema is the one in force', async t => {
  if (process.env['TAP_SNAPSHOT'] === '1') writeFileSync(path.join(import.meta.dirname, '../../docs/operating/inbox.schema.json'), inboxSchemaText())
  t.equal(operating('inbox.schema.json'), inboxSchemaText())
})

t.test('the example of the page, made and proved by openssl as the page says, is taken', async t => {
  const office = await Correspondence.open(t), { front, folder: { dir } } = office, { machine } = front.office
  const message = block('json').replace('a'.repeat(32), LOBBY)
  t.ok(Check(InboxMessageSchema, JSON.parse(message)))
  writeFileSync(path.join(front.stateDir, 'message.json'), message)
  const said = execFileSync('bash', ['-euo', 'pipefail', '-c', block('sh')], { cwd: front.stateDir, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  t.match(said, /Signature Verified Successfully/)
  t.equal(readFileSync(path.join(front.stateDir, 'signed.json'), 'utf8'), message, 'what is signed are the bytes of the message')
  const file = readFileSync(path.join(front.stateDir, 'request-17.json'), 'utf8')
  t.ok(Check(InboxFileSchema, JSON.parse(file)))
  const enrolled = office.keys.add({ system: '公文系統', pem: readFileSync(path.join(front.stateDir, 'public.pem'), 'utf8'), validFrom: at('2026-11-01T00:00:00'), validUntil: at('2027-01-01T00:00:00') }, machine)
  t.equal((JSON.parse(file) as { key: string }).key, enrolled.keyId, 'the key id is what the page says')
  writeFileSync(path.join(dir, 'request-17.json'), file)
  await office.work()
  t.same(office.in('accepted'), ['request-17.json'], office.in('rejected').length > 0 ? office.reason('request-17.json') : '')
})

t.test('keys: public ones of Ed25519 only, with dates, once, and each with its entry', async t => {
  const { front, keys, key } = await Correspondence.open(t), { machine } = front.office
  const dates = { validFrom: at('2026-11-01T00:00:00'), validUntil: at('2027-01-01T00:00:00') }, pair = generateKeyPairSync('ed25519')
  const pem = pair.publicKey.export({ format: 'pem', type: 'spki' }) as string
  const refused: readonly (readonly [pem: string, change: object, why: RegExp])[] = [
    [pair.privateKey.export({ format: 'pem', type: 'pkcs8' }) as string, {}, /private key/],
    [generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'pem', type: 'spki' }) as string, {}, /no Ed25519/],
    [generateKeyPairSync('ed448').publicKey.export({ format: 'pem', type: 'spki' }) as string, {}, /no Ed25519/],
    ['hello', {}, /no Ed25519/], ['x'.repeat(10_000), {}, /no Ed25519/],
    [pem, { system: 'a\u001b[0m' }, /name of the system/], [pem, { system: '' }, /name of the system/],
    [pem, { validUntil: dates.validFrom }, /dates/], [pem, { validFrom: at('2020-01-01T00:00:00'), validUntil: at('2020-02-01T00:00:00') }, /dates/], [pem, { validUntil: at('2036-01-01T00:00:00') }, /dates/],
  ]
  for (const [text, change, why] of refused) t.throws(() => keys.add({ system: '公文系統', pem: text, ...dates, ...change }, machine), { code: 'CUSTOS_INBOX_KEY', message: why })
  t.equal(keys.list().length, 1)
  const added = keys.add({ system: '檔案系統', pem, ...dates }, machine)
  t.throws(() => keys.add({ system: '別的', pem, ...dates }, machine), /enrolled before/)
  keys.revoke(added.keyId, '汰換', machine)
  t.throws(() => { keys.revoke(added.keyId, '汰換', machine) }, /revoked before/)
  t.throws(() => keys.add({ system: '檔案系統', pem, ...dates }, machine), /enrolled before/, 'not even again')
  t.throws(() => { keys.revoke(key.keyId, '', machine) }, /reason/)
  t.throws(() => { keys.revoke('0'.repeat(16), '汰換', machine) }, /no key/)
  t.match(keys.list().map(each => [each.system, each.revoked?.reason ?? null]), [['公文系統', null], ['檔案系統', '汰換']])
  t.same(front.office.entries().filter(entry => entry.action.startsWith('inbox.')).map(entry => [entry.action, entry.object, entry.name]), [
    ['inbox.key-added', key.keyId, '王小明'], ['inbox.key-added', added.keyId, '王小明'], ['inbox.key-revoked', added.keyId, '王小明'],
  ])
  const { db } = front.office
  t.throws(() => db.prepare('DELETE FROM inbox_key').run(), /never deleted/)
  t.throws(() => db.prepare("UPDATE inbox_key SET system = 'x'").run(), /changed in nothing else/)
})

t.test('who is no administrator enrols nothing', async t => {
  const { front, keys } = await Correspondence.open(t)
  const pem = generateKeyPairSync('ed25519').publicKey.export({ format: 'pem', type: 'spki' }) as string
  const clerk = await front.as('lin', 'clerk')
  t.throws(() => keys.add({ system: 'x', pem, validFrom: at('2026-11-01T00:00:00'), validUntil: at('2027-01-01T00:00:00') }, clerk), { code: 'CUSTOS_RIGHT_MISSING' })
  t.equal(new InboxKeys({ db: front.office.db, audit: front.office.audit, rights: front.office.access.sessions, time: front.office.clock }).list().length, 1)
})
