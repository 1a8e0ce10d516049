import t from 'tap'
import { cameraId, streamName, volumeId } from '../../src/domain/index.ts'
import { fitLines, fitOf, fitProblem, spaceText, spanText, type FitConfig, type VolumeFact } from '../../src/retention/index.ts'

const SLOT = 64 * 2 ** 20
const config = (declared: readonly (number | null)[], insist: FitConfig['retention']['insist'] = null): FitConfig & { file: string } => ({
  file: '/etc/custos/custos.yaml', site: { name: '信義', timezone: 'Asia/Taipei' }, retention: { floor: { kind: 'calendar-days', days: 31 }, insist },
  cameras: declared.map((declaredBps, index) => ({
    id: cameraId(`c${index}`), name: `鏡頭 ${index}`, place: null, credential: null, audio: false, priority: 5, streams: [{ name: streamName('main'), source: { kind: 'url', url: 'rtsp://h/' }, declaredBps, lower: null }],
  })),
})
const disk = (tb: number | null, id = 'disk1'): VolumeFact => ({ id: volumeId(id), size: tb === null ? null : { slotSizeBytes: SLOT, slots: Math.floor(tb * 1e12 / SLOT) } })

t.test('golden table: what fits, what does not, what cannot be told', t => {
  const table: [string, FitConfig, VolumeFact[], [string, number][], string][] = [
    ['enough', config([4e6]), [disk(1.5)], [], 'fits, needs 1.40 TB, lacks 0.0 MB'],
    ['not enough', config([4e6]), [disk(1)], [], 'does-not-fit, needs 1.40 TB, lacks 405.0 GB'],
    ['two disks together', config([4e6]), [disk(1), disk(0.5, 'disk2')], [], 'fits, needs 1.40 TB, lacks 0.0 MB'],
    ['sixteen cameras', config(Array<number>(16).fill(4e6)), [disk(20)], [], 'does-not-fit, needs 22.48 TB, lacks 2.48 TB'],
    ['measured above what was declared', config([4e6]), [disk(1.5)], [['c0/main', 8e6]], 'does-not-fit, needs 2.85 TB, lacks 1.36 TB, above c0/main'],
    ['measured below what was declared: the budget counts', config([4e6]), [disk(1)], [['c0/main', 1e6]], 'does-not-fit, needs 1.40 TB, lacks 405.0 GB'],
    ['a little above is no news', config([4e6]), [disk(1.5)], [['c0/main', 4.2e6]], 'fits, needs 1.48 TB, lacks 0.0 MB'],
    ['undeclared, but measured', config([null]), [disk(1)], [['c0/main', 4e6]], 'does-not-fit, needs 1.40 TB, lacks 405.0 GB'],
    ['undeclared', config([null]), [disk(1)], [], 'unknown, needs 0.0 MB, lacks 0.0 MB, undeclared c0/main'],
    ['one undeclared, the other fits', config([4e6, null]), [disk(2)], [], 'unknown, needs 1.40 TB, lacks 0.0 MB, undeclared c1/main'],
    ['one undeclared, the other does not even fit alone', config([4e6, null]), [disk(1)], [], 'does-not-fit, needs 1.40 TB, lacks 405.0 GB, undeclared c1/main'],
    ['a disk that cannot be read, and the other is not enough', config([4e6]), [disk(1), disk(null, 'disk2')], [], 'unknown, needs 1.40 TB, lacks 0.0 MB, unread disk2'],
    ['a disk that cannot be read, and the other is enough', config([4e6]), [disk(2), disk(null, 'disk2')], [], 'fits, needs 1.40 TB, lacks 0.0 MB, unread disk2'],
    ['no camera', config([]), [disk(1)], [], 'fits, needs 0.0 MB, lacks 0.0 MB'],
  ]
  for (const [name, given, volumes, measured, expected] of table) {
    const fit = fitOf(given, volumes, new Map(measured))
    t.equal([`${fit.verdict}, needs ${spaceText(fit.neededBytes)}, lacks ${spaceText(fit.lackingBytes, 'up')}`, ...fit.undeclared.map(key => `undeclared ${key}`), ...fit.unread.map(id => `unread ${id}`),
      ...fit.aboveDeclared.map(key => `above ${key}`)].join(', '), expected, name)
  }
  t.end()
})

t.test('what it needs is what makes it fit', t => {
  for (const count of [1, 8, 64]) {
    const given = config(Array<number>(count).fill(3.3e6)), needed = fitOf(given, [disk(0.01)]).neededBytes
    const slots = Math.ceil(needed / SLOT)
    t.equal(fitOf(given, [{ id: volumeId('disk1'), size: { slotSizeBytes: SLOT, slots: slots + 1 } }]).verdict, 'fits', `${count} cameras`)
    t.equal(fitOf(given, [{ id: volumeId('disk1'), size: { slotSizeBytes: SLOT, slots: slots - 2 } }]).verdict, 'does-not-fit', `${count} cameras, less`)
  }
  t.end()
})

t.test('a problem only where it does not fit: an error, with insistence a warning', t => {
  t.equal(fitProblem(fitOf(config([4e6]), [disk(2)]), config([4e6])), null)
  t.equal(fitProblem(fitOf(config([null]), [disk(2)]), config([null])), null)
  const lacking = fitOf(config([4e6]), [disk(1)])
  t.match(fitProblem(lacking, config([4e6])), { severity: 'error', code: 'does-not-fit', path: 'retention.floor', message: { zh: /尚缺 405\.0 GB/, en: /lack 405\.0 GB/ } })
  const insisting = config([4e6], { by: '王主任', reason: '新磁碟已請購，十二月五日到貨' })
  const problem = fitProblem(lacking, insisting)
  t.match(problem, { severity: 'warning', code: 'does-not-fit-insisted' })
  t.notMatch(JSON.stringify(problem), '十二月五日', 'no value of a setting stands in a problem')
  t.end()
})

t.test('lines are few, in both languages, however many streams there are', t => {
  const lines = fitLines(fitOf(config(Array<null>(200).fill(null)), [disk(null)]))
  t.equal(lines.length, 2)
  t.match(lines[0], { zh: /c4\/main等 200 個 沒有寫位元率/, en: /c4\/main and 195 more/ })
  for (const { zh, en } of lines) { t.match(zh, /\p{Script=Han}/u); t.notMatch(en, /\p{Script=Han}/u) }
  t.end()
})

t.test('space and time are told in the unit that fits', t => {
  t.same([0, 5e6, 1.5e9, 2.345e12, 1e15].map(bytes => spaceText(bytes)), ['0.0 MB', '5.0 MB', '1.5 GB', '2.35 TB', '1000.00 TB'])
  t.same([spaceText(1e12 + 1e9, 'up'), spaceText(1e12, 'up')], ['1.01 TB', '1.00 TB'])
  t.same([32, 45.27, 1.5, 0.5 / 24, 90 / 86_400].map(days => spanText(days).zh), ['32 天', '45.3 天', '36 小時', '30 分鐘', '90 秒'])
  t.same([32, 1.5].map(days => spanText(days).en), ['32 days', '36 hours'])
  t.end()
})
