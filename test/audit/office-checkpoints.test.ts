import t, { type Test } from 'tap'
import {
  AuditUnavailableError, isSignedBy, noteText, signedTextOf, type HeadSigner, type SignedHead, type WholeHead,
} from '../../src/audit/index.ts'
import { RetryableError } from '../../src/domain/index.ts'
import { fill, openLog } from './support/log.ts'
import { headOfLog, officeOf, openOffice, openRecorder, partedOffice, type OfficeRig, type RecorderRig } from './support/two-logs.ts'

t.test('a checkpoint of the office\'s log is signed by the recorder, and its key is kept here', async t => {
  const recorder = openRecorder(t), office = openOffice(t, recorder)
  fill(office, 7)
  const stored = await office.checkpoints.signedNow()
  t.match(stored, { size: 7, keyFingerprint: recorder.book.key!.fingerprint })
  const [key] = office.checkpoints.table.keys()
  t.match(key, { fingerprint: stored.keyFingerprint, firstSeq: 8 })
  t.match(office.log.get(8), { action: 'audit-key.received', object: stored.keyFingerprint })
  t.ok(isSignedBy(signedTextOf(stored)!, key!.publicPem))
  await office.checkpoints.signedNow()
  t.equal(office.checkpoints.table.keys().length, 1)
  t.same(office.checkpoints.earlier().map(({ size }) => size), [7, 7, 8, 8], 'made, and asked for')
})

t.test('what left the machine: the recorder\'s note once it names this log, before that the one of the common part', async t => {
  const recorder = openRecorder(t)
  fill(recorder, 3)
  const before = recorder.book.make('day', '2026-11-22')
  recorder.book.witnessed(before, 'print')
  const office = partedOffice(t, recorder)
  await office.checkpoints.signedNow()
  t.equal(noteText(office.checkpoints.outside()!), noteText(signedTextOf(before)!))
  const after = recorder.book.make('day', '2026-11-23')
  recorder.book.witnessed(after, 'print')
  await office.checkpoints.signedNow()
  t.equal(noteText(office.checkpoints.outside()!), noteText(signedTextOf(after)!))
})

t.test('one request at a time; whoever comes meanwhile shares one over the entries of then', async t => {
  const recorder = openRecorder(t), asked: number[] = []
  let inFlight = 0, most = 0
  const slow: HeadSigner = {
    async sign(head) {
      asked.push(head.size)
      most = Math.max(most, ++inFlight)
      await new Promise(resolve => { setImmediate(resolve) })
      inFlight -= 1
      return await recorder.others.sign(head)
    },
  }
  const office = officeOf(openLog(t, undefined, recorder.clock), slow)
  fill(office, 2)
  const first = office.checkpoints.signedNow()
  fill(office, 2)
  const later = [1, 2, 3].map(() => office.checkpoints.signedNow())
  t.equal((await first).size, 2)
  const sizes = (await Promise.all(later)).map(({ id }) => id)
  t.equal(new Set(sizes).size, 1)
  t.same([asked, most], [[2, 5], 1], 'the key\'s entry is the fifth')
  t.equal((await office.checkpoints.signedNow()).size, 5)
})

t.test('an answer that is none is not used', async t => {
  const recorder = openRecorder(t), stranger = openRecorder(t)
  const altered: readonly (readonly [string, (answer: SignedHead, head: WholeHead) => SignedHead | Promise<SignedHead>])[] = [
    ['another size', answer => ({ ...answer, body: answer.body.replace('\n3\n', '\n2\n') })],
    ['another log', answer => ({ ...answer, body: answer.body.replace(/^custos\/./, 'custos/f') })],
    ['another last hash', answer => ({ ...answer, body: answer.body.replace(/last ../, 'last 00') })],
    ['a line more', answer => ({ ...answer, body: `${answer.body}also custos/0123456789abcdef 1 ${Buffer.alloc(32).toString('base64')}\n` })],
    ['nothing', answer => ({ ...answer, body: '' })],
    ['no signature under the name of a key', answer => ({ ...answer, signature: null })],
    ['another key than it names', async (answer, head) => ({ ...answer, publicPem: (await stranger.others.sign(head)).publicPem })],
    ['a signature altered', answer => ({ ...answer, signature: Buffer.from(answer.signature!.map((byte, i) => i === 20 ? byte ^ 1 : byte)) })],
  ]
  for (const [what, change] of altered) {
    const office = officeOf(openLog(t, undefined, recorder.clock), {
      sign: async head => await change(await openRecorder(t).others.sign(head), head),
    })
    fill(office, 3)
    await t.rejects(office.checkpoints.signedNow(), { code: 'CUSTOS_BAD_SIGNATURE_ANSWER' }, what)
    t.same([office.checkpoints.table.newest(), office.checkpoints.table.keys(), office.log.size()], [null, [], 3])
  }
})

t.test('no head is sent whose entries are not committed', async t => {
  const recorder = openRecorder(t), office = openOffice(t, recorder)
  let asking: Promise<unknown> = Promise.resolve()
  office.log.transaction(() => { asking = office.checkpoints.signedNow() })
  await t.rejects(asking, TypeError)
})

const AWAY = new RetryableError('CUSTOS_LINK_GONE', 'the recorder is away', { remedy: 'wait' })
/** How a request may end; each is followed by one that goes well. */
const FAULTS: readonly (readonly [string, (recorder: RecorderRig, office: OfficeRig) => HeadSigner, string])[] = [
  ['the recorder is away', () => ({ sign: () => Promise.reject(AWAY) }), 'CUSTOS_LINK_GONE'],
  ['the answer is lost', recorder => ({ sign: async head => { await recorder.others.sign(head); throw AWAY } }), 'CUSTOS_LINK_GONE'],
  ['the recorder cannot write', recorder => ({
    sign: async head => {
      recorder.db.pragma('query_only = ON')
      try { return await recorder.others.sign(head) } finally { recorder.db.pragma('query_only = OFF') }
    },
  }), 'CUSTOS_AUDIT_UNWRITABLE'],
  ['the office cannot write the answer', (recorder, office) => ({
    sign: async head => {
      const answer = await recorder.others.sign(head)
      office.db.pragma('query_only = ON')
      return answer
    },
  }), 'CUSTOS_AUDIT_UNWRITABLE'],
  ['the recorder fails after it remembered', recorder => ({
    sign: async head => { recorder.others.tell(head); throw AWAY },
  }), 'CUSTOS_LINK_GONE'],
]

for (const [what, signer, code] of FAULTS) {
  t.test(`${what}: nothing half is kept, and asked again it is signed`, async t => {
    const recorder = openRecorder(t), office = openOffice(t, recorder)
    fill(office, 4)
    await faulty(t, { recorder, office, signer, code })
    const again = officeOf(office, recorder.others) // another process after a kill
    t.match(await again.checkpoints.signedNow(), { size: office.checkpoints.earlier().at(-1)!.size, signature: Buffer })
    fill(office, 1)
    const lost = office.log.size()
    await faulty(t, { recorder, office, signer, code })
    fill(office, 3)
    const size = office.log.size()
    t.match(await again.checkpoints.signedNow(), { size, signature: Buffer }, 'and after more was entered')
    t.equal(recorder.others.refused(), null)
    const known = recorder.others.newest()[0]!
    t.same([known.size, known.root], [size, office.log.tree.root(size)])
    t.ok(again.checkpoints.earlier().some(head => head.size === lost), 'what may have been named can still be proved')
  })
}

async function faulty(t: Test, { recorder, office, signer, code }: {
  recorder: RecorderRig, office: OfficeRig, signer: (typeof FAULTS)[number][1], code: string,
}): Promise<void> {
  const before = office.checkpoints.table.newest()
  await t.rejects(officeOf(office, signer(recorder, office)).checkpoints.signedNow(), { code })
  office.db.pragma('query_only = OFF')
  office.log.probe()
  recorder.log.probe()
  t.same(office.checkpoints.table.newest(), before)
  t.ok(headOfLog(office).size >= (recorder.others.newest()[0]?.size ?? 0))
}

t.test('AuditUnavailableError is what the office tells when its own log cannot be written', async t => {
  const recorder = openRecorder(t), office = openOffice(t, recorder)
  office.db.pragma('query_only = ON')
  await t.rejects(office.checkpoints.signedNow(), AuditUnavailableError)
  t.same(recorder.others.newest(), [], 'nothing was asked')
})
