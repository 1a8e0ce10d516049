import t from 'tap'
import { decideWatchdog, type RecorderFacts } from '../../src/health/index.ts'
import { down, facts, stream, volume } from './support/facts.ts'

const LONG_MS = 60_001
const process = (change: Partial<RecorderFacts['process']>) => ({ ...facts().process, ...change })
const hung = (id: string) => stream(id, { lastFrameAgeMs: LONG_MS })

const TABLE: readonly (readonly [title: string, given: RecorderFacts, expected: 'pet' | string])[] = [
  ['all streams record', facts(), 'pet'],
  ['no camera', facts({ streams: [] }), 'pet'],
  ['every stream stopped on purpose', facts({ streams: [down('a', { state: 'stopped', lastEndReason: 'recorder-stopped', supervisorTickAgeMs: LONG_MS })] }), 'pet'],
  ['every camera dead and waiting', facts({ streams: [down('a'), down('b', { lastEndReason: 'auth-refused' })] }), 'pet'],
  ['every camera dead for a day', facts({ streams: [down('a', { lastFrameAgeMs: 86_400_000 })] }), 'pet'],
  ['every camera dead, trying again', facts({ streams: [down('a', { state: 'connecting' }), down('b')] }), 'pet'],
  ['a disk that refuses: retried, a restart would not help', facts({ streams: [down('a', { lastEndReason: 'storage-failed' })], volumes: [volume('disk1', { state: 'failed' })] }), 'pet'],
  ['a long wait needs no tick', facts({ streams: [down('a', { supervisorTickAgeMs: 300_000 })] }), 'pet'],
  ['one stream hangs, another writes', facts({ streams: [hung('a'), stream('b')] }), 'pet'],
  ['one stream hangs, another wrote within the bound and waits now', facts({ streams: [hung('a'), down('b', { lastFrameAgeMs: 60_000 })] }), 'pet'],
  ['storage hangs: all record, none writes', facts({ streams: [hung('a'), hung('b')] }), 'no-progress a/main'],
  ['storage hangs: runs end for it, none writes', facts({ streams: [down('a', { lastEndReason: 'storage-too-slow', lastFrameAgeMs: LONG_MS })] }), 'no-progress a/main'],
  ['storage of one stream hangs, another writes', facts({ streams: [down('a', { lastEndReason: 'storage-too-slow', lastFrameAgeMs: LONG_MS }), stream('b')] }), 'pet'],
  ['storage hangs while other cameras are dead', facts({ streams: [down('a'), hung('b')] }), 'no-progress b/main'],
  ['storage hangs before the first fragment', facts({ streams: [stream('a', { lastFrameAgeMs: null })], process: process({ uptimeMs: LONG_MS }) }), 'no-progress a/main'],
  ['a camera of one picture in half a minute', facts({ streams: [stream('a', { lastFrameAgeMs: LONG_MS, pictureWaitMs: 30_000 })] }), 'pet'],
  ['that camera, and storage hangs', facts({ streams: [stream('a', { lastFrameAgeMs: 180_001, pictureWaitMs: 30_000 })] }), 'no-progress a/main'],
  ['just started', facts({ streams: [stream('a', { lastFrameAgeMs: null })], process: process({ uptimeMs: 5_000 }) }), 'pet'],
  ['a wedged supervisor while recording', facts({ streams: [stream('a', { supervisorTickAgeMs: LONG_MS }), stream('b')] }), 'supervisor-stuck a/main'],
  ['a wedged supervisor while connecting', facts({ streams: [stream('a'), down('b', { state: 'connecting', supervisorTickAgeMs: LONG_MS })] }), 'supervisor-stuck b/main'],
  ['a supervisor at the bound', facts({ streams: [stream('a', { supervisorTickAgeMs: 60_000 })] }), 'pet'],
  ['a busy event loop', facts({ process: process({ eventLoopDelayMs: 2_000 }) }), 'pet'],
  ['a stuck event loop', facts({ process: process({ eventLoopDelayMs: 5_001 }) }), 'event-loop-stuck'],
]
for (const [title, given, expected] of TABLE) {
  t.test(`watchdog: ${title}`, async t => {
    const decision = decideWatchdog(given)
    t.equal(decision.pet ? 'pet' : [decision.why, decision.subject].filter(part => part !== null).join(' '), expected)
  })
}
