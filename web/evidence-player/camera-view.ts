import { both, el } from './element.ts'
import { spanAt, type CameraFootage } from './footage.ts'
import type { Frame } from './frame-table.ts'
import { snapshotText } from './snapshot-text.ts'
import { PlaybackError, StreamFeeder } from './stream-feeder.ts'
import { rocDate, taipeiTime, utcText } from './time-text.ts'

/** One camera's picture with its time, and what stands in its place where there is none. */
export class CameraView {
  readonly root: HTMLElement
  readonly feeder: StreamFeeder
  readonly footage: CameraFootage
  readonly video: HTMLVideoElement
  readonly #clock = el('div', { class: 'clock' })
  readonly #plate = el('div', { class: 'plate', hidden: true, role: 'status' })
  #frame: Frame | null = null
  #isFeeding = false
  isBroken = false

  constructor(footage: CameraFootage, originMs: number, onPick: () => void) {
    this.footage = footage
    this.video = el('video', { playsinline: true, disablepictureinpicture: true, 'aria-label': `攝影機 Camera ${footage.name}` })
    this.video.muted = true
    this.feeder = new StreamFeeder(this.video, footage, originMs)
    const title = el('button', { type: 'button', class: 'camera-name', click: onPick, title: '選為操作對象 Choose for frame steps and snapshots' }, footage.name, footage.stream === '' ? null : el('span', { class: 'en' }, ` ${footage.stream}`))
    this.root = el('figure', { class: 'camera', 'data-camera': footage.cameraId }, el('div', { class: 'screen' }, this.video, this.#plate), el('figcaption', {}, title, this.#clock))
    this.#watchFrames()
  }

  get frame(): Frame | null { return this.#frame }

  async open(): Promise<void> {
    try { await this.feeder.open() } catch (error) { this.fail(error) }
  }

  close(): void { this.feeder.close() }

  fail(error: unknown): void {
    this.isBroken = true
    const [zh, en] = error instanceof PlaybackError ? [error.zh, error.message] : ['這段影像無法解讀', `This footage cannot be read: ${String(error).slice(0, 160)}`]
    this.#say(zh, en, this.footage.files.map(file => file.path))
  }

  #say(zh: string, en: string, paths: readonly string[] = []): void {
    this.#plate.replaceChildren(el('p', {}, ...both(zh, en)), ...paths.slice(0, 5).map(path => el('code', {}, path)))
    this.#plate.hidden = false
  }

  /** What the camera shows at a wall time: footage, or why there is none. */
  hasFootage(wallMs: number): boolean {
    if (this.isBroken) return false
    const has = spanAt(this.footage.spans, wallMs) !== null
    this.root.classList.toggle('in-gap', !has)
    if (has) this.#plate.hidden = true
    else {
      const gap = this.footage.gaps.find(each => !each.isThinned && each.fromMs <= wallMs && wallMs < each.toMs)
      if (gap === undefined) this.#say('此時段不在本套件內', 'Not in this package at this time')
      else this.#say(`無錄影：${gap.zh}`, `No recording: ${gap.en}`)
      this.#clock.replaceChildren(el('span', { class: 'en' }, '—'))
      this.#frame = null
    }
    return has
  }

  /** Asks for frames around a time, one request at a time. */
  feed(wallMs: number): void {
    if (this.isBroken || this.#isFeeding) return
    this.#isFeeding = true
    this.feeder.ensure(wallMs).catch((error: unknown) => { this.fail(error) }).finally(() => { this.#isFeeding = false })
  }

  async show(frame: Frame): Promise<void> {
    try {
      await this.feeder.show(frame)
      this.#shown(frame)
    } catch (error) { this.fail(error) }
  }

  async showWall(wallMs: number): Promise<void> {
    if (!this.hasFootage(wallMs)) return
    try {
      const frame = await this.feeder.frameOfWall(wallMs)
      if (frame !== null) await this.show(frame)
    } catch (error) { this.fail(error) }
  }

  #watchFrames(): void {
    const video = this.video
    const look = (mediaS: number): void => { const frame = this.feeder.frameAt(mediaS); if (frame !== null && !this.root.classList.contains('in-gap')) this.#shown(frame) }
    if ('requestVideoFrameCallback' in video) {
      const next = (_: number, { mediaTime }: { mediaTime: number }): void => { look(mediaTime + 0.002); video.requestVideoFrameCallback(next) }
      video.requestVideoFrameCallback(next)
    } else (video as HTMLVideoElement).addEventListener('timeupdate', () => { look((video as HTMLVideoElement).currentTime) })
  }

  #shown(frame: Frame): void {
    this.#frame = frame
    this.root.dataset.wall = new Date(Math.floor(frame.wallMs)).toISOString()
    this.#clock.replaceChildren(
      el('span', { class: 'date' }, rocDate(frame.wallMs)), ' ', el('strong', {}, taipeiTime(frame.wallMs)), frame.key ? el('span', { class: 'key', title: '關鍵畫面 Key frame' }, '◆') : el('span', { class: 'key' }, ' '),
      el('span', { class: 'en utc' }, utcText(frame.wallMs)))
  }

  /** A PNG of the picture with its origin burnt in beneath. Null when there is no picture. */
  async snapshot(caseNumber: string, packageId: string): Promise<{ readonly blob: Blob, readonly name: string } | null> {
    const frame = this.#frame, { videoWidth: width, videoHeight: height } = this.video
    if (frame === null || width === 0) return null
    const file = this.footage.files[this.footage.records[frame.record]!.file]!
    const { lines, name } = snapshotText({ caseNumber, packageId, camera: this.footage.name, atMs: frame.wallMs, path: file.path, sha256: file.sha256, frame: frame.index })
    const size = Math.max(12, Math.round(width / 62)), line = Math.round(size * 1.6)
    const canvas = el('canvas', { width, height: height + line * lines.length + size })
    const context = canvas.getContext('2d')
    if (context === null) return null
    context.fillStyle = '#111'
    context.fillRect(0, 0, canvas.width, canvas.height)
    context.drawImage(this.video, 0, 0, width, height)
    context.fillStyle = '#fff'
    context.textBaseline = 'top'
    for (const [i, text] of lines.entries()) {
      context.font = `${size}px "Noto Sans CJK TC", "Microsoft JhengHei", "PingFang TC", sans-serif`
      context.fillText(text, size, height + size / 2 + i * line, width - size * 2)
    }
    const blob = await new Promise<Blob | null>(resolve => { canvas.toBlob(resolve, 'image/png') })
    return blob === null ? null : { blob, name }
  }
}
