import t from 'tap'
import { OpensslError, runOpenssl } from '../../src/platform/openssl.ts'

t.test('gives what openssl wrote', async t => {
  t.match((await runOpenssl(['dgst', '-sha256', '-r'], { stdin: 'abc' })).toString(), /^ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad /)
})

t.test('a refusal is an error with its words, on one line', async t => {
  const error: unknown = await runOpenssl(['x509', '-noout'], { stdin: 'no certificate' }).catch((each: unknown) => each)
  t.ok(error instanceof OpensslError)
  t.match((error as Error).message, /^openssl: exit 1: [^\n]+$/)
})

t.test('one that cannot be started is an error of the same kind', async t => {
  await t.rejects(runOpenssl(['x'.repeat(200_000)]), { code: 'CUSTOS_OPENSSL_FAILED', exitCode: null, cause: { code: 'E2BIG' } })
})

t.test('one that does not end is ended', async t => {
  await t.rejects(runOpenssl(['prime', '-generate', '-bits', '60000'], { timeoutMs: 300 }), /exit SIGKILL/)
})
