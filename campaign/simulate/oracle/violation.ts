/** Something that a guarantee forbids has happened. */
export class Violation extends Error {
  readonly guarantee: string
  constructor(guarantee: string, what: string) {
    super(`${guarantee}: ${what}`)
    this.guarantee = guarantee
  }
}
