/** Work under one name, one after another in the order it came; under other names meanwhile. */
export function turns(): <Result>(name: string, work: () => Promise<Result>) => Promise<Result> {
  const last = new Map<string, Promise<unknown>>()
  return async (name, work) => {
    const mine = (last.get(name) ?? Promise.resolve()).then(work)
    const ended = mine.catch(() => undefined)
    last.set(name, ended)
    try { return await mine } finally { if (last.get(name) === ended) last.delete(name) }
  }
}
