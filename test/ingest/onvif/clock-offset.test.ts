import t from 'tap'
import { epochMs } from '../../../src/domain/index.ts'
import { offsetOf, readDeviceTime } from '../../../src/ingest/onvif/clock-offset.ts'
import { readXml } from '../../../src/ingest/onvif/xml-element.ts'

const dateTime = (element: string, year: string, month: string, day: string, hour: string, minute: string, second: string) =>
  `<tt:${element}><tt:Time><tt:Hour>${hour}</tt:Hour><tt:Minute>${minute}</tt:Minute><tt:Second>${second}</tt:Second></tt:Time><tt:Date><tt:Year>${year}</tt:Year><tt:Month>${month}</tt:Month><tt:Day>${day}</tt:Day></tt:Date></tt:${element}>`
const read = (inner: string) => readDeviceTime(readXml(`<r><SystemDateAndTime>${inner}</SystemDateAndTime></r>`))

t.test('takes the middle of the request from the middle of the second the device names', t => {
  const at = epochMs(Date.UTC(2026, 10, 22, 8, 0, 0))
  t.same(offsetOf(at, { sentAt: epochMs(at + 400), roundTripMs: 200 }), { offsetMs: 0, uncertaintyMs: 600, measuredAt: at + 400 })
  t.same(offsetOf(at, { sentAt: epochMs(at - 60_000), roundTripMs: 1000 }), { offsetMs: 60_000, uncertaintyMs: 1000, measuredAt: at - 60_000 })
  t.end()
})

t.test('holds the true offset for every phase of the device second and every way the round trip may be shared', t => {
  const hostAt = Date.UTC(2026, 10, 22, 8, 0, 0)
  for (let trueOffsetMs = -1700; trueOffsetMs <= 1700; trueOffsetMs += 37) {
    for (const [thereMs, backMs] of [[0, 300], [150, 150], [300, 0]] as const) {
      const told = epochMs(Math.floor((hostAt + thereMs + trueOffsetMs) / 1000) * 1000)
      const { offsetMs, uncertaintyMs } = offsetOf(told, { sentAt: epochMs(hostAt), roundTripMs: thereMs + backMs })
      if (Math.abs(offsetMs - trueOffsetMs) > uncertaintyMs) t.fail('outside', { trueOffsetMs, thereMs, offsetMs })
    }
  }
  t.end()
})

t.test('reads UTC, else local time, else nothing', t => {
  const utc = dateTime('UTCDateTime', '2026', '11', '22', '8', '05', '09')
  const local = dateTime('LocalDateTime', '2026', '11', '22', '16', '5', '9')
  t.same(read(utc + local), { at: Date.UTC(2026, 10, 22, 8, 5, 9), isUtc: true })
  t.same(read(local), { at: Date.UTC(2026, 10, 22, 16, 5, 9), isUtc: false })
  t.same(read(dateTime('UTCDateTime', '2028', '2', '29', '23', '59', '60')),
    { at: Date.UTC(2028, 2, 1), isUtc: true })
  t.same(read(dateTime('UTCDateTime', '2026', '2', '31', '1', '1', '1') + local),
    { at: Date.UTC(2026, 10, 22, 16, 5, 9), isUtc: false })
  t.equal(read(''), null)
  for (const odd of [['99999', '1', '1', '0', '0', '0'],
    ['2026', '13', '1', '0', '0', '0'], ['2026', '1', '0', '0', '0', '0'],
    ['2026', '2', '29', '0', '0', '0'], ['2026', '2', '31', '0', '0', '0'],
    ['2026', '4', '31', '0', '0', '0'],
    ['2026', '0', '1', '0', '0', '0'], ['2026', '1', '32', '0', '0', '0'], ['1969', '1', '1', '0', '0', '0'],
    ['2026', '1', '1', '25', '0', '0'], ['2026', '1', '1', '0', '60', '0'], ['2026', '1', '1', '0', '0', 'x'], ['2026', '', '1', '0', '0', '0'], ['-1', '1', '1', '0', '0', '0']]) {
    const [year = '', month = '', day = '', hour = '', minute = '', second = ''] = odd
    t.equal(read(dateTime('UTCDateTime', year, month, day, hour, minute, second)), null, odd.join(' '))
  }
  t.end()
})
