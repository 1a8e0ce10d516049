import { chmodSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { openHostClock } from '../../src/trusted-time/index.ts'
import { NO_ANSWER, parseTimedate, parseTracking } from '../../src/trusted-time/host-clock.ts'

const TRACKING = 'A29FC87B,162.159.200.123,4,1795471461.182880843,-0.002500000,0.000000123,0.000000456,-12.345,0.001,0.020,0.012,0.001,64.5,Normal\n'

t.test('what chronyc prints is read', t => {
  t.same(parseTracking(TRACKING), { source: 'chrony', isSynchronised: true, referenceOffsetMs: 2.5 })
  t.same(parseTracking(TRACKING.replace('Normal', 'Not synchronised')), { source: 'chrony', isSynchronised: false, referenceOffsetMs: null })
  t.same(parseTracking(TRACKING.replace('Normal', 'Insert second'))?.isSynchronised, true)
  t.same(parseTracking(TRACKING.replace(',4,', ',0,'))?.isSynchronised, false)
  // As chronyd 4.3 with `local stratum 5` and no server printed it.
  t.same(parseTracking('7F7F0101,,5,1795471461.182880843,0.000000000,0.000000000,0.000000000,0.000,0.000,0.000,0.000000000,0.000000000,0.0,Normal')?.isSynchronised, false, 'its own clock is no reference')
  for (const text of ['', '506 Cannot talk to daemon', 'a,b,c', TRACKING.replace('-0.0025', 'x'), TRACKING.replace(',4,', ',four,')]) t.equal(parseTracking(text), null, JSON.stringify(text))
  t.end()
})

t.test('what timedatectl prints is read', t => {
  t.same(parseTimedate('NTP=yes\nNTPSynchronized=yes\n'), { source: 'timesyncd', isSynchronised: true, referenceOffsetMs: null })
  t.same(parseTimedate('NTP=no\nNTPSynchronized=no\n')?.isSynchronised, false)
  t.equal(parseTimedate('Failed to connect to bus'), null)
  t.end()
})

t.test('programs are asked for real: absent, failing, slow and talkative ones say nothing', { timeout: 10_000 }, async t => {
  const folder = t.testdir()
  const program = (name: string, body: string): string => {
    const file = path.join(folder, name)
    writeFileSync(file, `#!/bin/sh\n${body}\n`)
    chmodSync(file, 0o755)
    return file
  }
  const chronyc = program('chronyc', `[ "$*" = '-n -c tracking' ] && printf '%s' '${TRACKING.trim()}'`)
  const timedatectl = program('timedatectl', 'echo NTP=yes; echo NTPSynchronized=yes')
  const ask = (programs: { chronyc: string, timedatectl: string }) => openHostClock(programs).askSync()
  t.equal((await ask({ chronyc, timedatectl })).source, 'chrony', 'chrony knows more')
  t.equal((await ask({ chronyc: path.join(folder, 'absent'), timedatectl })).source, 'timesyncd')
  t.equal((await ask({ chronyc: program('failing', 'echo 506 Cannot talk to daemon; exit 1'), timedatectl })).source, 'timesyncd')
  const startedAt = performance.now()
  t.same(await ask({ chronyc: program('slow', 'exec sleep 30'), timedatectl: program('talkative', 'exec yes') }), NO_ANSWER)
  t.ok(performance.now() - startedAt < 5_000)
  t.match(openHostClock().bootId, /^[0-9a-f]{32}$/)
})

