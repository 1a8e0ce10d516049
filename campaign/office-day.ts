import { setTimeout as sleep } from 'node:timers/promises'
import { pathOf, type Case } from '../test/console/support/procedure.ts'
import { act, policeForm, receive, signature, watched } from '../test/support/recorder/case-by-api.ts'
import { until } from '../test/support/until.ts'
import { officeByApi } from '../test/support/recorder/office-people.ts'
import type { Person } from '../test/support/recorder/over-http.ts'
import type { Site } from './site.ts'

export interface Asked { readonly camera: string, readonly from: number, readonly to: number }
export interface Copy { readonly copy: string, readonly packageId: string, readonly state: string, readonly error: { readonly code: string } | null, readonly archiveItem: string | null }
export type Target = { readonly kind: 'here' } | { readonly kind: 'folder' | 'zip', readonly path: string }

const COLLEAGUES = [{ id: 'lin', role: 'clerk' }, { id: 'chen', role: 'chief' }, { id: 'wang', role: 'secretary' }, { id: 'kuan', role: 'custodian' }, { id: 'audit', role: 'auditor' }]
const VISITOR = { name: '趙警員', part: 'applicant' }, RECIPIENT = { recipient: { name: '趙警員', unit: '信義分局', idType: '服務證' } }
const UP_WITHIN_MS = 60_000, MADE_WITHIN_MS = 120_000

/** People of an office at their work, by the API alone. What a kill interrupts is found out by asking, as people would. */
export class OfficeDay {
  readonly base: string
  readonly #people: ReadonlyMap<string, Person>
  private constructor(base: string, people: ReadonlyMap<string, Person>) { this.base = base; this.#people = people }

  static async open(site: Site, base: string): Promise<OfficeDay> {
    await untilOpen(base)
    const command = async (args: readonly string[]) => { const { code, out, err } = await site.custos(args); return { code, output: Buffer.from(out), errors: err } }
    return new OfficeDay(base, await officeByApi(base, { folder: site.folder, configFile: site.config, command }, COLLEAGUES))
  }

  #who(id: string): Person { return this.#people.get(id)! }

  /** Received, signed by all four, its statement signed. */
  async granted(asked: readonly Asked[]): Promise<Case> {
    for (const person of this.#people.values()) await person.freshen()
    let { application } = await receive(this.#who('lin'), policeForm(asked))
    for (const signer of ['lin', 'chen', 'wang', 'boss']) application = await act(this.#who(signer), application, signature(application))
    return await act(this.#who('kuan'), application, { kind: 'sign-statement', name: VISITOR.name })
  }

  /** Instants of what a screen showed, by camera in the order of the grant. */
  async viewed({ number }: Case, cameras: number): Promise<readonly (readonly number[])[]> {
    const kuan = this.#who('kuan')
    await kuan.freshen()
    const { screen } = await kuan.post<{ screen: string }>('/api/screens/granted', { application: number, visitor: VISITOR, isStatementConfirmed: true })
    try { return await watched(this.base, kuan, screen, cameras, 20) } finally { await kuan.post(`/api/screens/${screen}/close`).catch(() => undefined) }
  }

  async ask({ number }: Case, target: Target): Promise<string> {
    await this.#who('kuan').freshen()
    return (await this.#who('kuan').post<Copy>('/api/copies', { application: number, target })).copy
  }

  /** Null while the recorder does not answer. */
  async copy(copy: string): Promise<Copy | null> {
    try { return await this.#who('kuan').get<Copy>(`/api/copies/${copy}`) } catch (error) {
      if (isUnanswered(error)) return null
      throw error
    }
  }
  async made(copy: string): Promise<Copy> {
    let seen: Copy | null = null
    await until(`copy ${copy} is made`, async () => { seen = await this.copy(copy); return seen !== null && (seen.state === 'ready' || seen.error !== null) }, MADE_WITHIN_MS)
    return seen!
  }

  /** Until it is released; a release whose answer was lost is looked for, and begun again where it did not come about. How often it was begun. */
  async release(copy: string): Promise<{ readonly released: Copy, readonly tries: number }> {
    for (let tries = 1; ; tries++) {
      const lin = this.#who('lin')
      try {
        await lin.freshen()
        await lin.post(`/api/copies/${copy}/release`, RECIPIENT)
      } catch (error) { if (!isUnanswered(error)) throw error }
      let seen: Copy | null = null
      await until(`what came of the release of ${copy}`, async () => { seen = await this.copy(copy); return seen !== null && seen.state !== 'releasing' }, UP_WITHIN_MS)
      const { state, error } = seen!
      if (state === 'released') return { released: seen!, tries }
      if (state !== 'ready' || tries > 5) throw new Error(`copy ${copy} is ${state}: ${JSON.stringify(error)}`)
      await sleep(500)
    }
  }

  /** Its holds go with it. */
  async close({ number }: Case): Promise<void> {
    const { application } = await this.#who('kuan').get<{ application: Case }>(pathOf(number))
    if (application.state.kind !== 'closed') await act(this.#who('kuan'), application, { kind: 'close', reason: '已辦畢' }) // a kill may have taken the answer
  }

  async bookLines(number: string): Promise<readonly { readonly act: string, readonly object: string }[]> {
    return (await this.#who('audit').get<{ lines: readonly { line: { act: string, object: string } }[] }>(`/api/book/lines?application=${encodeURIComponent(number)}`)).lines.map(({ line }) => line)
  }
}

/** Recording comes before the office: the console answers some time after health does. */
export async function untilOpen(base: string): Promise<void> {
  await until('the console', async () => { try { return (await fetch(`${base}/viewer/`)).ok } catch { return false } }, UP_WITHIN_MS)
}

/** The recorder was just killed, and whoever asked has no answer. */
export const isUnanswered = (error: unknown): boolean => error instanceof TypeError && /fetch failed|terminated/.test(error.message)
