import fc from 'fast-check'
import t from 'tap'
import { PasswordHasher } from '../../src/access/password-hash.ts'
import { passwordProblems } from '../../src/access/password-rules.ts'
import { SourceThrottle } from '../../src/access/source-throttle.ts'
import { CHEAP } from './support/office.ts'

const problems = (text: string, words: readonly string[] = ['wang', '王小明', '信義區戶政事務所']) => passwordProblems(text, { leastChars: 12, words }).map(({ en }) => en)

t.test('twelve characters and three of four kinds, most of them not what is guessed first', async t => {
  for (const good of ['Velvet-Otter1-quilt', '正確馬電池釘書針Aa1-橘', 'kR7#mq-82xLw', 'Ｖｅｌｖｅｔ－Ｏｔｔｅｒ１－ｑｕｉｌｔ']) t.same(problems(good), [], good)
  for (const [bad, why] of [
    ['Velvet-Ott1', /at least 12/], ['velvetotterquilts', /three are needed/], ['VELVET OTTER QUILT', /three are needed/], ['Aaaaaaaaaaa1', /too few|common/], ['x'.repeat(129), /at most 128/],
    ['Password1234', /common/], ['P@ssw0rd2026!', /common/], ['Qwerty123456!', /common/], ['Xinyi-Taipei-2026', /common/], ['Wang-wang-2026!', /common/], ['信義區戶政事務所Ab1', /common/], ['王小明王小明王小明A1', /common/],
    ['1qaz2wsx3edC!', /common/], ['Zyxwvuts!9876', /common/], ['Velvet-Otter\n1-q', /control/],
  ] as const) t.match(problems(bad).join('; '), why, bad)
})

t.test('any text is judged without failing, and in bounded time', async t => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 300 }), text => Array.isArray(problems(text))), { numRuns: 2_000 })
  t.pass('no text breaks it')
})

t.test('a hash opens with its password alone, says with what it was made, and never with nobody\'s', async t => {
  const hasher = new PasswordHasher(CHEAP)
  const hash = await hasher.hash('Velvet-Otter1-quilt')
  t.match(hash, /^\$argon2id\$v=19\$m=8,t=1,p=1\$/)
  t.equal(await hasher.matches('Velvet-Otter1-quilt', hash), true)
  t.equal(await hasher.matches('Ｖelvet-Otter1-quilt', hash), true, 'however the input method sends it')
  t.equal(await hasher.matches('velvet-Otter1-quilt', hash), false)
  t.equal(await hasher.matches('Velvet-Otter1-quilt', null), false)
  t.not(await hasher.hash('Velvet-Otter1-quilt'), hash, 'salted')
  t.equal(hasher.isWeak(hash), false)
  t.equal(new PasswordHasher({ memoryKiB: 16, passes: 1 }).isWeak(hash), true)
  await t.rejects(hasher.matches('x', '$argon2i$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA'), TypeError)
})

t.test('more than a queue of sign-ins is refused, not kept', async t => {
  const hasher = new PasswordHasher(CHEAP)
  const answers = await Promise.allSettled(Array.from({ length: 40 }, () => hasher.matches('x', null)))
  t.equal(answers.filter(answer => answer.status === 'fulfilled').length, 32)
  t.match(answers.at(-1), { status: 'rejected', reason: { code: 'CUSTOS_SIGN_IN_BUSY' } })
})

t.test('a source that fails waits longer each time, is forgiven with time, and none takes memory without bound', async t => {
  const throttle = new SourceThrottle()
  const waits = Array.from({ length: 12 }, () => { throttle.failed('a', 0); return throttle.waitOf('a', 0) })
  t.same(waits, [0, 0, 0, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000])
  t.equal(throttle.waitOf('b', 0), 0)
  throttle.failed('a', 15 * 60_000)
  t.equal(throttle.waitOf('a', 15 * 60_000), 0)
  for (let i = 0; i < 10_000; i++) throttle.failed(`other ${i}`, 0)
  t.equal(throttle.waitOf('other 9999', 0), 0)
})
