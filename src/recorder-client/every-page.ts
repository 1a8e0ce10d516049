/** At 100 rows, more than a recorder has of anything. */
const MOST_PAGES = 50_000

export interface AskedPage<Row, Mark> { readonly rows: readonly Row[], readonly next: Mark | null }

/** The rows of one page after another, until there are no more. Throws what asking rejects with. */
export async function* everyPage<Row, Mark>(
  ask: (after: Mark | null) => Promise<AskedPage<Row, Mark>>,
): AsyncGenerator<readonly Row[]> {
  let after: Mark | null = null
  for (let page = 0; page < MOST_PAGES; page++) {
    const { rows, next }: AskedPage<Row, Mark> = await ask(after)
    yield rows
    if (next === null) return
    after = next
  }
  throw new TypeError('the pages of the recorder do not end')
}
