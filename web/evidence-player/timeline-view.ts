import { both, byId, el } from './element.ts'
import type { CameraFootage, FootageSpan } from './footage.ts'
import { lengthText, rocText, taipeiTime, utcText } from './time-text.ts'

const MAX_DRAWN = 2000 // spans and gaps of one camera; thinner ones would not be seen
const TICKS = 6

/** A lane for each camera, with its footage and its gaps, over one slider. */
export class TimelineView {
  readonly #span: FootageSpan
  readonly #slider: HTMLInputElement
  readonly #needle = el('div', { class: 'needle' })

  constructor(root: HTMLElement, cameras: readonly CameraFootage[], span: FootageSpan, onSeek: (ms: number) => void) {
    this.#span = span
    this.#slider = el('input', { type: 'range', min: 0, max: Math.max(1, span.toMs - span.fromMs), step: 'any', value: 0, id: 'slider', 'aria-label': '時間軸 Timeline' })
    this.#slider.addEventListener('input', () => { onSeek(span.fromMs + Number(this.#slider.value)) })
    const lanes = el('div', { class: 'lanes' }, ...cameras.map(camera => this.#lane(camera)), this.#needle)
    lanes.addEventListener('click', event => {
      const track = (event.target as HTMLElement).closest('.track')
      if (track === null) return
      const { left, width } = track.getBoundingClientRect()
      onSeek(span.fromMs + (event.clientX - left) / width * (span.toMs - span.fromMs))
    })
    const ticks = el('div', { class: 'ticks', 'aria-hidden': 'true' }, ...Array.from({ length: TICKS }, (_, i) => el('span', {}, taipeiTime(span.fromMs + (span.toMs - span.fromMs) * i / (TICKS - 1)).slice(0, 8))))
    root.replaceChildren(this.#slider, lanes, ticks)
    this.#listGaps(cameras, onSeek)
  }

  #share(ms: number): number { return Math.min(100, Math.max(0, (ms - this.#span.fromMs) / Math.max(1, this.#span.toMs - this.#span.fromMs) * 100)) }

  #bar(kind: string, from: number, to: number, title: string): HTMLElement {
    const bar = el('div', { class: kind, title })
    bar.style.left = `${this.#share(from)}%`
    bar.style.width = `${Math.max(0.15, this.#share(to) - this.#share(from))}%`
    return bar
  }

  #lane(camera: CameraFootage): HTMLElement {
    const track = el('div', { class: 'track' },
      ...camera.spans.slice(0, MAX_DRAWN).map(({ fromMs, toMs }) => this.#bar('span', fromMs, toMs, `${taipeiTime(fromMs)} – ${taipeiTime(toMs)}`)),
      ...camera.gaps.slice(0, MAX_DRAWN).map(({ fromMs, toMs, zh, en, isThinned }) => this.#bar(isThinned ? 'thinned' : 'gap', fromMs, toMs, `${isThinned ? '僅關鍵影格 Key frames only' : '無錄影 No recording'}：${zh} ${en}（${lengthText(toMs - fromMs)}）`)))
    return el('div', { class: 'lane' }, el('span', { class: 'lane-name' }, camera.name), track)
  }

  #listGaps(cameras: readonly CameraFootage[], onSeek: (ms: number) => void): void {
    const rows = cameras.flatMap(camera => camera.gaps.map(gap => ({ camera, gap }))).sort((a, b) => a.gap.fromMs - b.gap.fromMs)
    const section = byId('gaps')
    section.hidden = rows.length === 0
    section.replaceChildren(
      el('summary', {}, ...both(`無錄影或僅關鍵影格時段（${rows.length}）`, `Gaps and spans of key frames only (${rows.length})`)),
      el('ul', {}, ...rows.slice(0, 200).map(({ camera, gap }) => el('li', {},
        el('button', { type: 'button', class: 'link', click: () => { onSeek(gap.fromMs) } }, rocText(gap.fromMs)), el('span', { class: 'en' }, ` ${utcText(gap.fromMs)} `),
        `${lengthText(gap.toMs - gap.fromMs)}　${camera.name}　${gap.zh} `, el('span', { class: 'en', lang: 'en' }, gap.en)))))
  }

  place(ms: number): void {
    if (document.activeElement !== this.#slider || !this.#slider.matches(':active')) this.#slider.value = String(ms - this.#span.fromMs)
    this.#slider.setAttribute('aria-valuetext', rocText(ms))
    this.#needle.style.setProperty('--at', String(this.#share(ms) / 100))
  }
}
