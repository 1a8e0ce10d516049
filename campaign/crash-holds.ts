import type { Site, SiteCamera } from './site.ts'

const SETTLED_MS = 4_000
const EDGE_MS = 500 // a clip begins at a key frame

interface Placed { readonly id: string, readonly camera: SiteCamera, readonly fromMs: number, readonly toMs: number, readonly placedAt: number, readonly known: readonly number[] }

/** Places holds by the command and ends them; what lies under one must be there, frame for frame, when it ends. */
export class HoldRound {
  readonly #site: Site
  readonly #random: () => number
  readonly #holdForMs: number
  readonly #spanMs: number
  readonly #inForce: Placed[] = []
  readonly acknowledged: string[] = []
  readonly problems: string[] = []
  ended = 0
  checkedFrames = 0
  refused = 0

  constructor(site: Site, random: () => number, { holdForMs, spanMs }: { holdForMs: number, spanMs: number }) {
    this.#site = site
    this.#random = random
    this.#holdForMs = holdForMs
    this.#spanMs = spanMs
  }

  get inForce(): number { return this.#inForce.length }

  async place(): Promise<void> {
    const camera = this.#site.cameras[Math.floor(this.#random() * this.#site.cameras.length)]!
    const toMs = Date.now() - SETTLED_MS
    const fromMs = toMs - this.#spanMs
    const said = await this.#site.custos(['hold', 'place', '--config', this.#site.config, '--camera', camera.id, '--from', new Date(fromMs).toISOString(), '--to', new Date(toMs).toISOString(), '--authority', 'campaign order', '--by', 'campaign'])
    const id = /hold placed: ([0-9a-f]{32})/.exec(said.out)?.[1]
    if (said.code !== 0 || id === undefined) {
      this.refused++
      this.problems.push(`hold place on ${camera.id} ended ${said.code}: ${said.out} ${said.err}`.slice(0, 400))
      return
    }
    this.acknowledged.push(id)
    // What was acknowledged counts from now on; the frames under it are looked at later, when the slot is long due.
    const complaints: string[] = []
    await this.#site.fetch(camera, fromMs, toMs, complaints)
    this.#inForce.push({ id, camera, fromMs, toMs, placedAt: Date.now(), known: camera.ledger.foundBetween(fromMs + EDGE_MS, toMs - EDGE_MS) })
  }

  /** Ends those that have stood long enough; `all` at the end of the campaign. */
  async endDue(all = false): Promise<void> {
    for (const hold of this.#inForce.filter(each => all || Date.now() - each.placedAt > this.#holdForMs)) {
      this.#inForce.splice(this.#inForce.indexOf(hold), 1)
      const complaints: string[] = []
      const found = await this.#site.fetch(hold.camera, hold.fromMs, hold.toMs, complaints) ?? await this.#site.fetch(hold.camera, hold.fromMs, hold.toMs, complaints)
      if (found === null) this.problems.push(...complaints)
      const lost = hold.known.filter(counter => found?.has(counter) !== true)
      this.checkedFrames += hold.known.length
      if (lost.length > 0) this.problems.push(`${hold.camera.id}: ${lost.length} of ${hold.known.length} frames under hold ${hold.id} are gone (${lost[0]}..)`)
      const said = await this.#site.custos(['hold', 'end', '--config', this.#site.config, '--id', hold.id, '--reason', 'campaign: looked at', '--by', 'campaign'])
      if (said.code !== 0) this.problems.push(`hold end ended ${said.code}: ${said.out} ${said.err}`.slice(0, 400))
      else this.ended++
    }
  }
}
