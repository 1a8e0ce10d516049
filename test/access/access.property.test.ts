import fc from 'fast-check'
import t from 'tap'
import { accountId, type SignInAnswer } from '../../src/access/index.ts'
import { codeAt, STEP_MS } from '../../src/access/totp.ts'
import { DAY_MS, fromBase32, goodPassword, MINUTE_MS, Office } from './support/office.ts'

const SEED = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31)
/** On the real database and hasher; more run with `TAP_TIMEOUT=300 FC_RUNS=10000`, and the deciding part alone runs more below. */
const SEQUENCES = Number(process.env['FC_RUNS'] ?? 1_000)
/** A new office now and then: each look at all accounts costs with their number. */
const EACH_OFFICE = 100

type Act =
  | { readonly kind: 'wait', readonly ms: number }
  | { readonly kind: 'sign-in', readonly password: 'right' | 'wrong' | 'old', readonly code: 'right' | 'none' | 'replayed' | 'wrong', readonly undertakes: boolean }
  | { readonly kind: 'renew', readonly password: 'right' | 'wrong', readonly code: 'right' | 'none', readonly to: number }
  | { readonly kind: 'redeem', readonly token: 'right' | 'wrong', readonly to: number }
  | { readonly kind: 'reset' | 'disable' | 'enable' | 'unlock' | 'sweep' | 'leave' | 'enrol' | 'lose-factor' }
  | { readonly kind: 'step-wall', readonly ms: number }

const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait'), ms: fc.constantFrom(1_000, 30_000, 10 * MINUTE_MS, 15 * MINUTE_MS, DAY_MS, 30 * DAY_MS, 89 * DAY_MS, 90 * DAY_MS) }) },
  { weight: 10, arbitrary: fc.record({ kind: fc.constant('sign-in'), password: fc.constantFrom('right', 'right', 'right', 'wrong', 'old'), code: fc.constantFrom('right', 'right', 'none', 'replayed', 'wrong'), undertakes: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('renew'), password: fc.constantFrom('right', 'right', 'wrong'), code: fc.constantFrom('right', 'right', 'none'), to: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('redeem'), token: fc.constantFrom('right', 'right', 'wrong'), to: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constantFrom('reset', 'disable', 'enable', 'enable', 'unlock', 'sweep', 'enrol', 'enrol', 'lose-factor') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('step-wall'), ms: fc.constantFrom(400 * DAY_MS, -400 * DAY_MS, MINUTE_MS) }) },
)

/** The rules once more, in the plainest form, for one person. Steady time. */
class Model {
  state: 'active' | 'disabled' | 'left' = 'active'
  history: { readonly n: number, readonly setMs: number }[] = []
  isReset = false
  token: { readonly text: string, readonly endsMs: number } | null
  failures = 0
  lockedUntilMs = 0
  spent = ''
  undertaken = false
  secret: Buffer | null = null
  lastStep = 0
  lastCode = '000000'
  usedMs: number
  constructor(token: string, nowMs: number) { this.token = { text: token, endsMs: nowMs + 15 * MINUTE_MS }; this.usedMs = nowMs }

  isActive(nowMs: number): boolean { return this.state === 'active' && nowMs - this.usedMs < 90 * DAY_MS }
  isLocked(nowMs: number): boolean { return nowMs < this.lockedUntilMs }
  fail(nowMs: number): string {
    this.failures += 1
    if (this.failures >= 5) { this.failures = 0; this.lockedUntilMs = nowMs + 15 * MINUTE_MS }
    return 'CUSTOS_SIGN_IN_REFUSED'
  }
  /** Takes a code if it is one. */
  code(given: string, wallMs: number): boolean {
    if (this.secret === null) return true
    const present = Math.floor(wallMs / STEP_MS)
    const step = [present - 1, present, present + 1].find(each => codeAt(this.secret!, each) === given && each > this.lastStep)
    if (step === undefined) return false
    this.lastStep = step
    return true
  }
  set(n: number, nowMs: number): void { this.history.unshift({ n, setMs: nowMs }); this.isReset = false; this.usedMs = nowMs; this.failures = 0; this.lockedUntilMs = 0 }
  isRecent(n: number): boolean { return this.history.slice(0, 3).some(each => each.n === n) }
}

class World {
  readonly office: Office
  readonly name: string
  readonly model: Model
  source = 0
  sessions: string[] = []
  constructor(office: Office, name: string) {
    this.office = office
    this.name = name
    const { token } = office.access.accounts.apply({ id: name, displayName: '甲', unit: '課', post: '員', roles: ['system-admin'], reason: '到職' }, office.machine)
    if (token === null) throw new Error('the account is not active')
    this.model = new Model(token, this.nowMs)
  }
  get nowMs(): number { return Date.parse('2026-11-22T08:00:00.000Z') + this.office.clock.monoNow() }
  get wallMs(): number { return this.office.clock.wallNow() }

  typed(which: 'right' | 'none' | 'replayed' | 'wrong'): string | undefined {
    if (which === 'none') return undefined
    const { secret } = this.model
    return secret === null || which === 'wrong' ? 'wrong!' : which === 'replayed' ? this.model.lastCode : this.model.lastCode = codeAt(secret, Math.floor(this.wallMs / STEP_MS))
  }

  async run(act: Act): Promise<void> {
    const { office, model, name } = this, { access } = office, id = accountId(name), source = `${name} ${this.source++}`
    const same = (got: string, wanted: string) => { if (got !== wanted) throw new Error(`${act.kind}: ${got} where the rules say ${wanted}`) }
    const codeOf = async (work: Promise<unknown>): Promise<string> => { try { await work; return 'done' } catch (error) { return (error as { code?: string }).code ?? String(error) } }
    switch (act.kind) {
      case 'wait': office.pass(act.ms); break
      case 'step-wall': office.clock.stepWall(act.ms); break
      case 'sign-in': {
        const code = this.typed(act.code), password = act.password === 'right' ? goodPassword(model.history[0]?.n ?? 0) : act.password === 'old' ? goodPassword(model.history[1]?.n ?? 9) : 'nothing like it'
        const ask = { name, password, source, ...(code === undefined ? {} : { code }), ...(act.undertakes ? { undertakes: '1' } : {}) }
        let got: string, answer: SignInAnswer | null = null
        try { answer = await access.signIn.signIn(ask); got = answer.kind } catch (error) { got = (error as { code?: string }).code ?? String(error) }
        same(got, this.expectSignIn(password, code, act.undertakes))
        if (answer?.kind === 'session') this.sessions.push(answer.token)
        break
      }
      case 'renew': {
        const code = this.typed(act.code), password = act.password === 'right' ? goodPassword(model.history[0]?.n ?? 0) : 'nothing like it'
        same(await codeOf(access.signIn.renewPassword({ name, password, newPassword: goodPassword(act.to), source, ...(code === undefined ? {} : { code }) })), this.expectRenew(password, code, act.to))
        break
      }
      case 'redeem': {
        const token = act.token === 'right' ? model.token?.text ?? model.spent : 'BBBB-BBBB-BBBB-BBBB-BBBB'
        same(await codeOf(access.signIn.redeem({ name, token, newPassword: goodPassword(act.to), source })), this.expectRedeem(token, act.to))
        break
      }
      case 'reset':
        if (model.state !== 'active') break
        model.token = { text: access.accounts.reset(id, '忘記', office.machine), endsMs: this.nowMs + 15 * MINUTE_MS }
        Object.assign(model, { isReset: true, failures: 0, lockedUntilMs: 0 })
        break
      case 'disable':
        if (model.state === 'active') { access.accounts.disable(id, '調查', office.machine); model.state = 'disabled'; model.token = null }
        break
      case 'enable': // what an approved request does
        if (model.state !== 'disabled') break
        office.db.prepare("UPDATE account SET state = 'active', disabled_why = NULL, active_steady = ? WHERE account_id = ?").run(this.nowMs, name)
        model.state = 'active'
        model.usedMs = this.nowMs
        break
      case 'unlock': access.accounts.unlock(id, office.machine); model.failures = 0; model.lockedUntilMs = 0; break
      case 'sweep':
        access.sweep()
        if (model.state === 'active' && !model.isActive(this.nowMs)) model.state = 'disabled'
        break
      case 'leave':
        if (model.state !== 'left') { access.accounts.leave(id, { reason: '離職', undertaking: { signed: true } }, office.machine); model.state = 'left'; model.token = null; model.secret = null }
        break
      case 'lose-factor': access.factors.reset(id, '遺失', office.machine); model.secret = null; break
      case 'enrol': {
        const token = this.sessions.at(-1)
        if (token === undefined || model.secret !== null || model.isLocked(this.nowMs)) break
        try {
          const secret = fromBase32(access.factors.enrol(token).secret), step = Math.floor(this.wallMs / STEP_MS)
          access.factors.confirm(token, codeAt(secret, step))
          Object.assign(model, { secret, lastStep: step, lastCode: codeAt(secret, step), failures: 0, lockedUntilMs: 0 })
        } catch (error) { same((error as { code?: string }).code ?? String(error), 'CUSTOS_SESSION_ENDED') }
        break
      }
    }
    this.check()
  }

  /** A session that still opens belongs to an account that may have one. */
  check(): void {
    for (const token of this.sessions) {
      try { this.office.access.sessions.look(token) } catch { this.sessions = this.sessions.filter(each => each !== token); continue }
      if (!this.model.isActive(this.nowMs) || this.model.isReset) throw new Error('a session of an account that may have none')
    }
  }

  #right(password: string): boolean { const present = this.model.history[0]; return present !== undefined && password === goodPassword(present.n) }
  expectSignIn(password: string, code: string | undefined, undertakes: boolean): string {
    const { model, nowMs } = this
    if (model.isLocked(nowMs)) return 'CUSTOS_SIGN_IN_LOCKED'
    if (!this.#right(password) || !model.isActive(nowMs) || model.isReset) return model.fail(nowMs)
    if (nowMs - (model.history[0]?.setMs ?? 0) >= 90 * DAY_MS) return 'password-due'
    if (!model.undertaken && !undertakes) return 'undertaking-needed'
    if (model.secret !== null && code === undefined) return 'code-needed'
    if (model.secret !== null && !model.code(code ?? '', this.wallMs)) return model.fail(nowMs)
    Object.assign(model, { undertaken: true, failures: 0, lockedUntilMs: 0, usedMs: nowMs })
    return 'session'
  }
  expectRenew(password: string, code: string | undefined, to: number): string {
    const { model, nowMs } = this
    if (model.isLocked(nowMs)) return 'CUSTOS_SIGN_IN_LOCKED'
    if (!this.#right(password)) return model.fail(nowMs)
    if (model.isRecent(to)) return 'CUSTOS_PASSWORD_REFUSED'
    if (!model.isActive(nowMs) || model.isReset) return model.fail(nowMs)
    if (nowMs - (model.history[0]?.setMs ?? 0) < DAY_MS) return 'CUSTOS_ACCOUNT_REFUSED'
    if (model.secret !== null && !model.code(code ?? '', this.wallMs)) return model.fail(nowMs)
    model.set(to, nowMs)
    return 'done'
  }
  expectRedeem(token: string, to: number): string {
    const { model, nowMs } = this
    if (model.isLocked(nowMs)) return 'CUSTOS_SIGN_IN_LOCKED'
    if (model.token === null || token !== model.token.text || nowMs >= model.token.endsMs) return model.fail(nowMs)
    if (model.isRecent(to)) return 'CUSTOS_PASSWORD_REFUSED'
    if (!model.isActive(nowMs)) return model.fail(nowMs)
    model.spent = model.token.text
    model.token = null
    model.set(to, nowMs)
    return 'done'
  }
}

t.test(`locks, ages, history and idle times are those of the rules, and no order of calls gives a session to who may have none (seed ${SEED})`, { timeout: 300_000 }, async t => {
  let office = new Office(t), made = 0, sessions = 0
  await fc.assert(fc.asyncProperty(fc.array(act, { minLength: 3, maxLength: 14 }), async acts => {
    if (made++ % EACH_OFFICE === 0) office = new Office(t)
    const world = new World(office, `p${made}`)
    // Most begin with a password, so that the rest is worth something.
    if (made % 8 !== 0) await world.run({ kind: 'redeem', token: 'right', to: 1 })
    for (const each of acts) { await world.run(each); sessions += world.sessions.length > 0 ? 1 : 0 }
  }), { numRuns: SEQUENCES, seed: SEED })
  t.ok(sessions > SEQUENCES / 2, `${sessions} acts happened with a session open`)
})
