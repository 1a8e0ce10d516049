/** One transcode at a time on the whole machine [G9]: null while somebody has the turn, which ends when it is disposed of. */
export function transcodeTurns(): () => Disposable | null {
  let holder: symbol | null = null
  return () => {
    if (holder !== null) return null
    const mine = holder = Symbol('transcode')
    return { [Symbol.dispose]: () => { if (holder === mine) holder = null } }
  }
}
