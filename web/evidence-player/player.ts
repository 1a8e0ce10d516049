import { CameraView } from './camera-view.ts'
import { byId, el } from './element.ts'
import type { CameraFootage } from './footage.ts'
import type { Manifest } from './manifest.ts'
import { lengthText, rocDate, taipeiTime, utcText } from './time-text.ts'
import { TimelineView } from './timeline-view.ts'

export const MAX_CAMERAS = 4
const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 4, 8, 16]
const FASTEST = 16 // browsers throw at more
const DRIFT_SEEK_S = 0.35, DRIFT_NUDGE_S = 0.03
const GAP_SHOWN_MS = 1500 // then the player goes on where some camera has footage again

/** Plays up to four cameras in step: one wall clock, which the first camera with footage leads. */
export class Player {
  readonly #manifest: Manifest | null
  readonly #cameras: readonly CameraFootage[]
  readonly #originMs: number
  readonly #endMs: number
  readonly #grid: HTMLElement
  readonly #timeline: TimelineView
  #views: CameraView[] = []
  #active = 0
  #wallMs: number
  #playing = false
  #speed = 1
  #lastTick = 0
  #gapSince = 0
  #settled: Promise<void> = Promise.resolve()
  #closed = false

  constructor(cameras: readonly CameraFootage[], manifest: Manifest | null) {
    this.#manifest = manifest
    this.#cameras = cameras
    this.#originMs = cameras.reduce((least, { records, gaps }) => Math.min(least, records[0]?.atMs ?? Infinity, gaps[0]?.fromMs ?? Infinity), Infinity)
    this.#endMs = cameras.reduce((most, { spans, gaps }) => Math.max(most, spans.at(-1)?.toMs ?? 0, gaps.at(-1)?.toMs ?? 0), 0)
    this.#wallMs = cameras.reduce((least, { records }) => Math.min(least, records[0]?.atMs ?? Infinity), Infinity)
    this.#grid = byId('cameras')
    this.#timeline = new TimelineView(byId('timeline'), cameras, { fromMs: this.#originMs, toMs: this.#endMs }, ms => { void this.seek(ms) })
  }

  async open(): Promise<void> {
    const boxes = this.#cameras.map((camera, i) => {
      const box = el('input', { type: 'checkbox', checked: i < MAX_CAMERAS, change: () => { void this.#choose(boxes) } })
      box.checked = i < MAX_CAMERAS
      return { box, camera }
    })
    byId('choose').replaceChildren(...(this.#cameras.length < 2 ? [] : boxes.map(({ box, camera }) => el('label', { class: 'chip' }, box, camera.name))))
    await this.#choose(boxes)
    requestAnimationFrame(now => { this.#tick(now) })
  }

  close(): void {
    this.#closed = true
    for (const view of this.#views) view.close()
    this.#grid.replaceChildren()
  }

  async #choose(boxes: readonly { readonly box: HTMLInputElement, readonly camera: CameraFootage }[]): Promise<void> {
    const chosen = boxes.filter(({ box }) => box.checked)
    for (const { box } of boxes) box.disabled = chosen.length >= MAX_CAMERAS && !box.checked
    const kept = this.#views.filter(view => chosen.some(({ camera }) => camera === view.footage))
    for (const view of this.#views) if (!kept.includes(view)) view.close()
    this.#views = chosen.map(({ camera }) => kept.find(view => view.footage === camera) ?? new CameraView(camera, this.#originMs, () => { this.#pick(camera) }))
    this.#grid.replaceChildren(...this.#views.map(view => view.root))
    this.#grid.dataset.count = String(this.#views.length)
    this.#pick(this.#views[this.#active]?.footage ?? this.#views[0]?.footage ?? null)
    for (const view of this.#views) if (!kept.includes(view)) await view.open()
    await this.seek(this.#wallMs)
  }

  #pick(camera: CameraFootage | null): void {
    this.#active = Math.max(0, this.#views.findIndex(view => view.footage === camera))
    for (const [i, view] of this.#views.entries()) view.root.classList.toggle('active', i === this.#active && this.#views.length > 1)
  }

  pickNumber(number: number): void { const view = this.#views[number - 1]; if (view !== undefined) this.#pick(view.footage) }

  get #view(): CameraView | null { return this.#views[this.#active] ?? null }

  /** Moves every camera to a wall time. */
  async seek(ms: number): Promise<void> {
    this.#wallMs = Math.min(Math.max(ms, this.#originMs), Math.max(this.#originMs, this.#endMs - 1))
    this.#gapSince = 0
    this.#draw()
    const target = this.#wallMs
    this.#settled = this.#settled.then(async () => {
      if (this.#closed || target !== this.#wallMs) return // another place was asked for meanwhile
      await Promise.all(this.#views.map(view => view.showWall(target)))
    })
    await this.#settled
    this.#grid.dataset.settledAt = String(target)
  }

  async toggle(): Promise<void> { if (this.#playing) this.pause(); else await this.play() }

  async play(): Promise<void> {
    if (this.#wallMs >= this.#endMs - 100) await this.seek(this.#originMs)
    this.#playing = true
    this.#lastTick = performance.now()
    this.#draw()
  }

  pause(): void {
    this.#playing = false
    for (const view of this.#views) view.video.pause()
    this.#draw()
  }

  /** Shows the next or last frame of the chosen camera, and the others as they were then. */
  async step(by: 1 | -1, key = false): Promise<void> {
    const view = this.#view
    if (view === null || view.isBroken) return
    this.pause()
    this.#settled = this.#settled.then(async () => {
      try {
        const from = view.frame ?? await view.feeder.frameOfWall(this.#wallMs)
        const to = from === null ? null : await view.feeder.neighbour(from, by, key)
        if (to === null) return
        this.#wallMs = to.wallMs
        view.hasFootage(to.wallMs)
        await view.show(to)
        await Promise.all(this.#views.filter(other => other !== view).map(other => other.showWall(to.wallMs)))
        this.#draw()
      } catch (error) { view.fail(error) }
    })
    await this.#settled
    this.#grid.dataset.steps = String(Number(this.#grid.dataset.steps ?? '0') + 1)
  }

  async skip(ms: number): Promise<void> { await this.seek(this.#wallMs + ms) }

  changeSpeed(by: 1 | -1): void { this.setSpeed(SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, SPEEDS.indexOf(this.#speed) + by))]!) }
  setSpeed(speed: number): void {
    this.#speed = speed
    for (const view of this.#views) view.video.playbackRate = speed
    this.#draw()
  }

  toggleSound(): void {
    const video = this.#view?.video
    if (video !== undefined) video.muted = !video.muted
    byId('sound').setAttribute('aria-pressed', String(video?.muted === false))
  }

  async fullScreen(): Promise<void> {
    try {
      if (document.fullscreenElement === null) await byId('stage').requestFullscreen()
      else await document.exitFullscreen()
    } catch { /* the browser or its owner forbids it; the picture stays as it is */ }
  }

  async snapshot(): Promise<void> {
    const made = await this.#view?.snapshot(this.#manifest?.application.number ?? '', this.#manifest?.packageId ?? '')
    if (made == null) return
    const url = URL.createObjectURL(made.blob)
    el('a', { href: url, download: made.name }).click()
    setTimeout(() => { URL.revokeObjectURL(url) }, 60_000)
  }

  /** The next place where some chosen camera has footage. */
  #nextFootage(): number | null {
    const starts = this.#views.filter(view => !view.isBroken).flatMap(view => view.footage.spans.filter(span => span.fromMs > this.#wallMs).map(span => span.fromMs))
    return starts.length === 0 ? null : Math.min(...starts)
  }

  #tick(now: number): void {
    if (this.#closed) return
    const elapsedMs = Math.min(now - this.#lastTick, 250)
    this.#lastTick = now
    if (this.#playing) this.#advance(elapsedMs, now)
    requestAnimationFrame(later => { this.#tick(later) })
  }

  #advance(elapsedMs: number, now: number): void {
    const shown = this.#views.filter(view => view.hasFootage(this.#wallMs))
    for (const view of this.#views) if (!shown.includes(view) && !view.video.paused) view.video.pause()
    const leader = this.#view !== null && shown.includes(this.#view) ? this.#view : shown[0]
    if (leader === undefined) this.#crossGap(elapsedMs, now)
    else {
      this.#gapSince = 0
      this.#follow(leader, shown, elapsedMs)
    }
    if (this.#wallMs >= this.#endMs - 1) this.pause()
    this.#draw()
  }

  #crossGap(elapsedMs: number, now: number): void {
    if (this.#gapSince === 0) this.#gapSince = now
    this.#wallMs = Math.min(this.#wallMs + elapsedMs * this.#speed, this.#endMs)
    const next = this.#nextFootage()
    if (now - this.#gapSince < GAP_SHOWN_MS) return
    if (next === null) this.#wallMs = this.#endMs
    else void this.seek(next)
  }

  #follow(leader: CameraView, shown: readonly CameraView[], elapsedMs: number): void {
    const mediaS = (): number => (this.#wallMs - this.#originMs) / 1000
    for (const view of shown) {
      view.feed(this.#wallMs)
      const { video } = view
      if (!isBuffered(video, mediaS())) continue
      const drift = video.currentTime - mediaS()
      if (video.paused) {
        if (Math.abs(drift) > DRIFT_NUDGE_S) video.currentTime = mediaS()
        video.playbackRate = this.#speed
        void video.play().catch(() => {}) // a pause that came at once ends it with an error
      } else if (view !== leader && !video.seeking) {
        if (Math.abs(drift) > DRIFT_SEEK_S * Math.max(1, this.#speed)) video.currentTime = mediaS()
        else video.playbackRate = Math.abs(drift) < DRIFT_NUDGE_S ? this.#speed : Math.min(FASTEST, this.#speed * (drift > 0 ? 0.92 : 1.08))
      }
    }
    const { video } = leader
    if (video.paused || video.seeking) return
    if (video.readyState >= 3) this.#wallMs = Math.max(this.#wallMs, this.#originMs + video.currentTime * 1000)
    else if (!isBuffered(video, video.currentTime + 0.05) && isBuffered(video, video.currentTime + 0.3)) video.currentTime += 0.3 // a seam of a few ms between two runs
    else if (leader.feeder.footage.spans.some(span => Math.abs(span.toMs - this.#wallMs) < 500)) this.#wallMs += elapsedMs * this.#speed // over the last frame into the gap
  }

  #draw(): void {
    byId('play').setAttribute('aria-pressed', String(this.#playing))
    byId('play').classList.toggle('playing', this.#playing)
    byId('speed').textContent = `${this.#speed}×`
    byId('place').replaceChildren(el('span', {}, `${rocDate(this.#wallMs)} `), el('strong', {}, taipeiTime(this.#wallMs)), el('span', { class: 'en' }, ` ${utcText(this.#wallMs)}　${lengthText(this.#wallMs - this.#originMs)} / ${lengthText(this.#endMs - this.#originMs)}`))
    this.#timeline.place(this.#wallMs)
  }
}

function isBuffered({ buffered }: HTMLVideoElement, s: number): boolean {
  for (let i = 0; i < buffered.length; i++) if (buffered.start(i) - 0.02 <= s && s < buffered.end(i)) return true
  return false
}
