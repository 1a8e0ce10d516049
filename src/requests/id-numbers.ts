import type { FormField, RequestForm } from '../rules/index.ts'
import type { Content } from './cases/application.ts'
import type { ApplicationNumber } from './cases/application-number.ts'
import { maskedIdNumber } from './cases/id-number.ts'
import type { ContentProblem } from './cases/refusal.ts'
import type { PersonVault } from './person-vault.ts'
import type { idNumberTable, SealedNumber } from './tables/id-numbers.ts'

type Table = ReturnType<typeof idNumberTable>
const placeOf = (number: string, { version, place }: Pick<SealedNumber, 'version' | 'place'>): string => `${number}/${version}/${place}`

/** The content with every ID number in it replaced; `place` is a path such as `agents[0].fields.agent-id`. Blank ones stay. */
function mapped(content: Content, form: RequestForm, change: (place: string, value: string) => string): Content {
  const idsOf = (isAgent: boolean): readonly FormField[] => form.fields.filter(field => field.kind === 'id-number' && (field.of === 'agent') === isAgent)
  const changed = (values: Readonly<Record<string, string>>, fields: readonly FormField[], at: string): Readonly<Record<string, string>> =>
    ({ ...values, ...Object.fromEntries(fields.flatMap(({ id }) => { const value = values[id]; return value === undefined || value.trim() === '' ? [] : [[id, change(`${at}.${id}`, value)]] })) })
  return {
    ...content, fields: changed(content.fields, idsOf(false), 'fields'),
    agents: content.agents.map((agent, index) => ({ ...agent, fields: changed(agent.fields, idsOf(true), `agents[${index}].fields`) })),
  }
}

/** ID numbers of applications: sealed apart, masked everywhere else. */
export class IdNumbers {
  readonly #table: Table
  readonly #vault: () => PersonVault
  constructor(table: Table, vault: () => PersonVault) { this.#table = table; this.#vault = vault }

  /** A form that is completed comes back with the masks it was shown: each is taken for the number behind it. A mask that hides none of this case is a problem. */
  unmasked(content: Content, form: RequestForm, number: ApplicationNumber | null): { readonly content: Content, readonly problems: readonly ContentProblem[] } {
    const problems: ContentProblem[] = []
    const known = number === null ? [] : this.#table.of(number)
    const full = mapped(content, form, (place, value) => {
      if (!value.includes('*')) return value
      const same = known.filter(row => row.masked === value)
      const row = same.find(candidate => candidate.place === place) ?? same[0]
      if (row !== undefined && number !== null) return this.#vault().open(placeOf(number, row), row.sealed)
      problems.push({ where: place, zh: '證號不完整，請重新填寫全部字元。', en: 'The number is not whole: write all of it.' })
      return value
    })
    return { content: full, problems }
  }

  masked(content: Content, form: RequestForm): Content { return mapped(content, form, (_, value) => maskedIdNumber(value)) }

  /** Stores them for this version, inside the caller's transaction. */
  keep(full: Content, form: RequestForm, number: ApplicationNumber, version: number): void {
    mapped(full, form, (place, value) => {
      this.#table.add(number, { version, place, masked: maskedIdNumber(value), sealed: this.#vault().seal(placeOf(number, { version, place }), value) })
      return value
    })
  }

  /** The newest at a place; null when none was written there. Throws PersonKeyError. */
  open(number: ApplicationNumber, place: string): string | null {
    const row = this.#table.of(number).find(candidate => candidate.place === place)
    return row === undefined ? null : this.#vault().open(placeOf(number, row), row.sealed)
  }
}
