import fc from 'fast-check'
import t from 'tap'
import { charge, DEFAULT_SETTINGS, isTooYoung, NO_FAILURES, overdueOf, passwordDue, sessionStanding, standingOf, type Account } from '../../src/access/account-machine.ts'
import { accountId } from '../../src/access/index.ts'
import { DAY_MS, MINUTE_MS } from './support/office.ts'

const SEED = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31)
const RUNS = { numRuns: 20_000, seed: SEED }
const START_MS = Date.parse('2026-11-22T08:00:00Z')
const gap = fc.oneof(fc.constantFrom(0, 1, MINUTE_MS, 15 * MINUTE_MS - 1, 15 * MINUTE_MS), fc.integer({ min: 0, max: 20 * MINUTE_MS }))

t.test(`a name is locked for a quarter of an hour after the fifth failure in a row, and only then (seed ${SEED})`, async t => {
  fc.assert(fc.property(fc.array(fc.record({ gapMs: gap, is: fc.constantFrom('wrong', 'wrong', 'wrong', 'wrong', 'right', 'unlock') }), { maxLength: 40 }), acts => {
    let failures = NO_FAILURES, nowMs = START_MS
    let inRow = 0, lockedAtMs: number | null = null
    for (const { gapMs, is } of acts) {
      nowMs += gapMs
      const now = { wallMs: 0, steadyMs: nowMs }
      if (is === 'unlock') { failures = NO_FAILURES; inRow = 0; lockedAtMs = null; continue }
      const charged = charge(failures, now, DEFAULT_SETTINGS)
      const mustBeLocked = lockedAtMs !== null && nowMs - lockedAtMs < 15 * MINUTE_MS
      if ((charged === null) !== mustBeLocked) return false
      if (charged === null) continue
      failures = is === 'right' ? NO_FAILURES : charged
      inRow = is === 'right' ? 0 : inRow + 1
      if (is === 'right') lockedAtMs = null
      if (inRow === 5) { inRow = 0; lockedAtMs = nowMs }
    }
    return true
  }), RUNS)
  t.pass('whatever the order')
})

const account: Account = {
  accountId: accountId('wang'), displayName: '王小明', unit: '課', post: '員', roles: ['clerk'], state: 'active', disabledWhy: null, endsAtMs: null, custodianId: null, mustChange: null,
  activeSteadyMs: START_MS, usedSteadyMs: null, usedAtMs: null, createdAtMs: START_MS, leftAtMs: null,
}
const instant = fc.integer({ min: START_MS - 400 * DAY_MS, max: START_MS + 400 * DAY_MS })

t.test('an account stands as active only if nothing speaks against it', async t => {
  fc.assert(fc.property(fc.record({
    state: fc.constantFrom('applied', 'refused', 'active', 'active', 'active', 'disabled', 'left'), endsAtMs: fc.option(instant), used: fc.option(instant), wallMs: instant, sinceMs: fc.integer({ min: 0, max: 200 * DAY_MS }), lockedForMs: fc.integer({ min: -5, max: 5 }),
  }), ({ state, endsAtMs, used, wallMs, sinceMs, lockedForMs }) => {
    const steadyMs = START_MS + sinceMs
    const kind = standingOf({ ...account, state, disabledWhy: state === 'disabled' ? 'by-hand' : null, endsAtMs, usedSteadyMs: used }, { count: 0, lockedUntilMs: steadyMs + lockedForMs }, { wallMs, steadyMs }, DEFAULT_SETTINGS).kind
    const isOver = endsAtMs !== null && (wallMs >= endsAtMs || steadyMs >= endsAtMs)
    const isIdle = steadyMs - Math.max(START_MS, used ?? 0) >= 90 * DAY_MS
    return kind === (state !== 'active' ? state : isOver || isIdle ? 'disabled' : lockedForMs > 0 ? 'locked' : 'active')
  }), RUNS)
  t.pass('whatever its facts')
})

t.test('the wall clock disables nobody for idleness and ages no password', async t => {
  fc.assert(fc.property(instant, instant, (wallMs, otherMs) => {
    const at = (wall: number) => ({ wallMs: wall, steadyMs: START_MS + 89 * DAY_MS })
    return overdueOf(account, at(wallMs), DEFAULT_SETTINGS) === null && passwordDue(START_MS, null, at(wallMs), DEFAULT_SETTINGS) === passwordDue(START_MS, null, at(otherMs), DEFAULT_SETTINGS)
  }), RUNS)
  t.pass('wherever it is set')
})

t.test('a password is due after ninety days or when it must change, and stays for a day otherwise', async t => {
  const at = (days: number) => ({ wallMs: 0, steadyMs: START_MS + days * DAY_MS })
  t.equal(passwordDue(null, null, at(0), DEFAULT_SETTINGS), 'none')
  t.equal(passwordDue(START_MS, null, at(89.99), DEFAULT_SETTINGS), 'good')
  t.equal(passwordDue(START_MS, null, at(90), DEFAULT_SETTINGS), 'expired')
  t.equal(passwordDue(START_MS, 'handed-over', at(0), DEFAULT_SETTINGS), 'must-change')
  t.equal(isTooYoung(START_MS, 'good', at(0.99), DEFAULT_SETTINGS), true)
  t.equal(isTooYoung(START_MS, 'good', at(1), DEFAULT_SETTINGS), false)
  t.equal(isTooYoung(START_MS, 'must-change', at(0), DEFAULT_SETTINGS), false)
})

t.test('a session is open only within both of its bounds', async t => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 13 * 60 }), fc.integer({ min: 0, max: 12 }), fc.option(fc.integer({ min: 0, max: 7 })), (began, touched, viewed) => {
    const ago = (minutes: number) => START_MS - minutes * MINUTE_MS
    const standing = sessionStanding({ beganMs: ago(began), touchedMs: ago(touched), viewedMs: viewed === null ? null : ago(viewed) }, { wallMs: 0, steadyMs: START_MS }, DEFAULT_SETTINGS)
    return began >= 720 ? standing.kind === 'over' : touched >= 10 ? standing.kind === 'over' : standing.kind === 'open' && standing.isViewingLocked === (viewed !== null && viewed >= 5)
  }), RUNS)
  t.pass('whatever its age')
})
