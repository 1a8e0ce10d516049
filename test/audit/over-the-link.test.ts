import { createPublicKey, verify, X509Certificate } from 'node:crypto'
import t, { type Test } from 'tap'
import {
  headMessage, logRequests, OfficeCheckpoints, packageRequests, RecorderCertificate, signedHeadOf, SigningKeyAwayError,
} from '../../src/audit/index.ts'
import { connectLink, LinkServer, type LinkPeer } from '../../src/link/index.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { log } from '../link/support.ts'
import { event } from './support/log.ts'
import { headOfLog, openOffice, openRecorder, type RecorderRig } from './support/two-logs.ts'

/** The recorder's answers on a real socket, and an office that asks them. */
async function linked(t: Test, recorder: RecorderRig, isKeyAway = () => false): Promise<LinkPeer> {
  const certificate = async (): Promise<RecorderCertificate> => {
    const { key } = recorder.book
    if (key === null || isKeyAway()) throw new SigningKeyAwayError()
    return await RecorderCertificate.open(recorder.folder, key, '信義區戶政事務所')
  }
  const server = LinkServer.open({
    folder: recorder.folder, version: '1', takesRoles: ['office'], clock: systemClock, log,
    handlers: { ...logRequests(recorder.others), ...packageRequests({ log: recorder.log, certificate }) },
  })
  t.teardown(() => server[Symbol.asyncDispose]())
  for (;;) {
    const peer = await connectLink({ folder: recorder.folder, role: 'office', version: '1', clock: systemClock, log })
    if (peer === null) continue
    t.teardown(() => peer[Symbol.asyncDispose]())
    return peer
  }
}

t.test('heads of the office\'s log are told and signed over the link, and refused where they do not go on', async t => {
  const recorder = openRecorder(t), office = openOffice(t, recorder), peer = await linked(t, recorder)
  office.log.append(event())
  await peer.ask('log.head', headMessage(headOfLog(office)))
  t.match(recorder.others.newest(), [{ size: 1 }])
  const checkpoints = new OfficeCheckpoints({
    db: office.db, log: office.log, clock: office.clock,
    signer: { sign: async head => signedHeadOf(await peer.ask('log.sign', headMessage(head))) },
  })
  office.log.append(event())
  t.match(await checkpoints.signedNow(), { size: 2, keyFingerprint: recorder.book.key!.fingerprint })
  const { size, ...head } = headOfLog(office)
  await t.rejects(peer.ask('log.head', headMessage({ ...head, size: size - 1 })), { code: 'CUSTOS_OFFICE_LOG_REFUSED' })
})

t.test('a manifest is signed, twice and with its certificate, and is an entry; anything else is not signed', async t => {
  let isKeyAway = false
  const recorder = openRecorder(t), peer = await linked(t, recorder, () => isKeyAway)
  const { pem, publicPem, fingerprint } = await peer.ask('package.certificate', {})
  t.equal(fingerprint, recorder.book.key?.fingerprint)
  t.ok(new X509Certificate(pem).publicKey.equals(createPublicKey(publicPem)))
  const manifest = Buffer.from(JSON.stringify({ format: 'custos-evidence/1', packageId: 'x' }))
  const { signature, cms } = await peer.ask('package.sign', { manifest: manifest.toString('base64') })
  t.ok(verify('sha256', manifest, publicPem, Buffer.from(signature, 'base64')))
  t.equal(Buffer.from(cms, 'base64')[0], 0x30, 'DER')
  t.match(recorder.log.get(recorder.log.size()), { action: 'package.signed', object: /^[0-9a-f]{64}$/ })
  const entries = recorder.log.size()
  const checkpoint = recorder.book.make('start').body
  for (const other of [checkpoint, '', '{}', '[]', 'null', '"custos-evidence/1"', '{"format":"custos-other/1"}']) {
    await t.rejects(peer.ask('package.sign', { manifest: Buffer.from(other).toString('base64') }), { code: 'CUSTOS_NO_MANIFEST' }, other)
  }
  isKeyAway = true
  await t.rejects(peer.ask('package.sign', { manifest: manifest.toString('base64') }), { code: 'CUSTOS_SIGNING_KEY_AWAY' })
  t.equal(recorder.log.size(), entries, 'nothing is entered of what was not signed')
})
