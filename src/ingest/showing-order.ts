import { isOneGroup, MOST_HELD } from './decoding-order.ts'

interface Shown { readonly stampTicks: number, readonly atTicks: number }

/**
 * Keeps reordered pictures in the order of their stamps where their decoding times were moved apart: a line that
 * was held up moves some of a group and not others. Times in ticks of the track, stamps in those of the camera.
 */
export class ShowingOrder {
  #last: Shown[] = []

  /**
   * When a picture is shown that by its own stamp would be at `wantedTicks`: behind those that come before it,
   * and before those that come behind it as far as that is not before `leastTicks`.
   */
  place(stampTicks: number, wantedTicks: number, leastTicks: number): number {
    const stamps = this.#last.map(each => each.stampTicks)
    const near = this.#last.filter(each => isOneGroup(each.stampTicks, stampTicks, stamps))
    const before = Math.max(...near.filter(each => each.stampTicks < stampTicks).map(({ atTicks }) => atTicks))
    const behind = Math.min(...near.filter(each => each.stampTicks > stampTicks).map(({ atTicks }) => atTicks))
    let atTicks = Math.max(wantedTicks, before + 1)
    if (atTicks >= behind && behind - 1 >= leastTicks && behind - 1 > before) {
      atTicks = Math.max(leastTicks, before + 1, Math.floor((Math.max(before, leastTicks) + behind) / 2))
    }
    this.#last = [...this.#last.slice(1 - MOST_HELD), { stampTicks, atTicks }]
    return atTicks
  }
}
