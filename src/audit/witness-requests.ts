import type { Handlers } from '../link/index.ts'
import { withCatalogue } from '../platform/catalogue.ts'
import type { CheckpointBook } from './checkpoint-book.ts'

/** What `custos audit witnessed` tells: over the link or, without a recorder, on the state folder. */
export function witnessRequests(book: CheckpointBook) {
  return {
    'audit.witnessed': async ({ size, by }) => withCatalogue(() => {
      const checkpoint = book.table.ofSize(size)
      if (checkpoint !== null) book.witnessed(checkpoint, 'print', { actor: by, name: by.name })
      return { isKnown: checkpoint !== null }
    }),
  } as const satisfies Handlers
}
