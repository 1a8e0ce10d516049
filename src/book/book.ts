import type { TimeRange } from '../domain/index.ts'
import type { OfficeCalendar } from '../rules/index.ts'
import type { BookCore } from './core.ts'
import { Incidents } from './incident.ts'
import { LogBook, type Waiting } from './log-book.ts'
import { Reconciler, type Applications, type ReconciledView } from './reconciler.ts'
import { ReviewPacks, type GrantFact, type OfficeHours } from './review-pack.ts'

export interface BookOptions extends BookCore {
  readonly applications: Applications
  readonly grants: (range: TimeRange) => Iterable<GrantFact>
  readonly calendar: () => OfficeCalendar
  readonly hours?: OfficeHours
}
/** For health: `reconciled` is null before the first night, `waiting` while every line is signed. */
export interface BookView { readonly reconciled: ReconciledView | null, readonly waiting: Waiting | null, readonly packsDue: readonly string[] }
export interface Book {
  readonly log: LogBook
  readonly reconciler: Reconciler
  readonly reviews: ReviewPacks
  readonly incidents: Incidents
  view(): BookView
  /** Once a night: the reconciliation, then packs of months that ended and have none. */
  nightly(signal?: AbortSignal): Promise<{ readonly orphans: number, readonly packsMade: readonly string[] }>
}

/** The log book with all that is read out of it, over one catalogue. */
export function openBook({ applications, grants, calendar, hours, ...core }: BookOptions): Book {
  const log = new LogBook(core), reconciler = new Reconciler(core, applications), incidents = new Incidents(core)
  const reviews = new ReviewPacks(core, { calendar, grants, ...(hours === undefined ? {} : { hours }) })
  return {
    log, reconciler, reviews, incidents,
    view: () => ({ reconciled: reconciler.view(), waiting: log.waiting(), packsDue: reviews.due() }),
    async nightly(signal) {
      const { orphans } = await reconciler.run(signal)
      const missing = reviews.due().filter(month => reviews.of(month).length === 0)
      for (const month of missing) reviews.make(month)
      return { orphans: orphans.length, packsMade: missing }
    },
  }
}
