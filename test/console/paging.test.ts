import t from 'tap'
import { CLERK, hour, LOBBY, party } from '../requests/support/front-desk.ts'
import { Console } from './support/caller.ts'
import { Counter, good, type Case } from './support/procedure.ts'

t.test('thousands of applications: a page at a time, each once, newest first; names to the code point', async t => {
  const console = await Console.open(t), counter = new Counter(console), clerk = await counter.as(CLERK)
  Object.defineProperty(console.front.holds, 'publish', { value: async () => undefined }) // 2,000 lists of up to 2,000 holds are not what this is about
  const acting = await console.front.as(...CLERK)
  const names = ['龔鑫', '𡍼大明', '王𠮷']
  for (let n = 0; n < 2_000; n++) {
    const answer = await console.front.desk.receive(acting, { key: `bulk-${String(n).padStart(6, '0')}`, content: party({ asked: [hour(LOBBY)], fields: { ...party().fields, applicant: names[n % 3]! } }) })
    if (!answer.ok) throw new Error(answer.refusal.code)
  }
  const seen: string[] = []
  let after = ''
  for (let pages = 0; pages < 30; pages++) {
    const page: { lines: Case[], next: string | null } = good(await clerk.get(`/api/applications?limit=200${after === '' ? '' : `&after=${encodeURIComponent(after)}`}`))
    seen.push(...page.lines.map(line => line.number))
    if (page.next === null) break
    after = page.next
  }
  t.equal(seen.length, 2_000)
  t.equal(new Set(seen).size, 2_000)
  t.same(seen, seen.toSorted().reverse())
  for (const part of ['龔', '鑫', '𡍼', '𠮷']) {
    const { lines } = good<{ lines: { names: string[] }[] }>(await clerk.get(`/api/applications?limit=5&name=${encodeURIComponent(part)}`))
    t.ok(lines.length === 5 && lines.every(line => line.names[0]!.includes(part)), part)
  }
  t.same(good<{ lines: unknown[] }>(await clerk.get(`/api/applications?name=${encodeURIComponent('吉')}`)).lines, [], 'a variant is another character')
})
