import { Watermark } from './watermark.js'

/** Kept behind the playhead in the browser: enough for a step back, little enough for 16 cameras. */
const KEEP_BEHIND_S = 20

/** One camera's picture, fed by Media Source on the session's own timeline. */
export class CameraView {
  #source = null
  #buffer = null
  #queue = []
  #epoch = 0
  #watermark
  /** How what stands from a media time on is called; of what was announced, its first piece tells when. */
  #labels = []
  #announced = null
  #preRolls = []
  constructor({ name, ranges, watermarkText }) {
    this.box = element('div', 'camera')
    this.video = element('video')
    this.video.muted = true
    this.video.playsInline = true
    this.video.disablePictureInPicture = true
    this.video.disableRemotePlayback = true
    this.video.setAttribute('controlslist', 'nodownload noremoteplayback nofullscreen')
    const canvas = element('canvas')
    this.state = element('div', 'state')
    this.label = element('div', 'name')
    this.name = name
    this.ranges = ranges
    this.label.textContent = name
    this.box.append(this.video, canvas, this.label, this.state)
    this.#watermark = new Watermark(canvas, this.video, watermarkText)
    this.gaps = []
    /** Why it shows nothing from here on; null while nothing is wrong. */
    this.failure = null
    /** From one picture to the next. */
    this.frameS = 1 / 15
    this.hasEnded = false
    this.video.addEventListener('error', () => { if (this.#source !== null) this.failure = '此處影像無法解碼，請改看其他時間 This part cannot be decoded; look at another time' })
  }

  /** Another place: what was fetched before is thrown away. */
  begin(epoch) {
    this.#epoch = epoch
    this.#queue = []
    this.hasEnded = false
    this.failure = null
    this.gaps = this.gaps.filter(({ why }) => why !== 'transcode-busy')
    this.#source = null
    this.#buffer = null
    this.#labels = []
    this.#preRolls = []
  }

  /** Told again after each seek, from wherever that was. */
  addGap({ from, to, why, cause }) {
    const known = this.gaps.find(gap => gap.why === why && gap.cause?.en === cause?.en && from <= gap.to && to >= gap.from)
    if (known === undefined) { this.gaps.push({ from, to, why, cause }); return }
    known.from = Math.min(known.from, from)
    known.to = Math.max(known.to, to)
  }

  track({ epoch, mime, isTranscoded, stream }) {
    if (epoch !== this.#epoch) return
    this.failure = null
    this.#announced = `${this.name}${isTranscoded ? '（即時轉碼 transcoded）' : stream === 'sub' ? '（次要串流 sub stream）' : ''}`
    if (!MediaSource.isTypeSupported(mime)) { this.failure = `此瀏覽器無法播放 ${mime}，請用 Chromium This browser cannot play it; use Chromium`; return }
    if (this.#source === null) {
      const source = this.#source = new MediaSource()
      if (this.video.src) URL.revokeObjectURL(this.video.src)
      this.video.src = URL.createObjectURL(source)
      source.addEventListener('sourceopen', () => {
        if (this.#source !== source) return
        this.#buffer = source.addSourceBuffer(mime)
        this.#buffer.addEventListener('updateend', () => { this.#feed() })
        this.#feed()
      }, { once: true })
    } else this.#queue.push({ mime })
  }

  take(frame) {
    if (frame.epoch !== this.#epoch) return
    if (this.failure !== null) return
    const fromS = frame.mediaMs / 1000
    if (this.#announced !== null) { this.#labels.push({ fromS, text: this.#announced }); this.#announced = null }
    if (frame.isPreRoll) this.#preRolls.push({ fromS, toS: fromS + frame.durationMs / 1000 })
    if (frame.frames > 0) this.frameS = frame.durationMs / frame.frames / 1000
    this.#queue.push(frame)
    this.#feed()
  }

  #feed() {
    const buffer = this.#buffer
    while (buffer !== null && !buffer.updating && this.#queue.length > 0 && this.#source?.readyState === 'open') {
      const next = this.#queue.shift()
      if (next.mime !== undefined) { buffer.changeType(next.mime); continue }
      try { buffer.appendBuffer(next.bytes) } catch (error) {
        if (error.name !== 'QuotaExceededError') throw error
        this.#queue.unshift(next)
        this.#trim(1)
        return
      }
    }
    if (buffer !== null && !buffer.updating && this.#queue.length === 0) this.#trim(KEEP_BEHIND_S)
  }
  #trim(keepS) {
    const { buffered, currentTime } = this.video
    if (buffered.length > 0 && currentTime - buffered.start(0) > keepS * 1.5) this.#buffer.remove(buffered.start(0), currentTime - keepS)
  }

  /** Whether there is a picture of this media time, in seconds. */
  has(seconds) {
    const { buffered } = this.video
    for (let i = 0; i < buffered.length; i++) if (seconds >= buffered.start(i) - 0.05 && seconds < buffered.end(i)) return true
    return false
  }
  /** Begin of the next picture at or after `seconds`; null while none is here. */
  nextAfter(seconds) {
    const { buffered } = this.video
    if (this.#source === null) return null // what is there was fetched from another place
    for (let i = 0; i < buffered.length; i++) if (buffered.end(i) > seconds) return Math.max(seconds, buffered.start(i))
    return null
  }
  /** Newest picture that is here, in seconds. */
  newest() { const { buffered } = this.video; return this.#source === null || buffered.length === 0 ? null : buffered.end(buffered.length - 1) }

  /** Under the picture; told once, for a screen reader too. */
  say(words) { if (this.state.textContent !== words) this.state.textContent = words }
  /** Whether the picture of this media time lies before what was granted. */
  isPreRollAt(seconds) { return this.#preRolls.some(({ fromS, toS }) => seconds >= fromS && seconds < toS) }
  draw(now, seconds) {
    this.#watermark.draw(now)
    const text = this.#labels.findLast(({ fromS }) => fromS <= seconds + 0.001)?.text ?? this.name
    if (this.label.textContent !== text) this.label.textContent = text
    if (this.#queue.length > 0) this.#feed()
  }
  /** Nobody took the watermark off the picture. */
  get isMarked() { return this.#watermark.isVisible }
  blank() {
    this.#queue = []
    this.#buffer = null
    this.#source = null
    this.video.pause()
    this.video.removeAttribute('src')
    this.video.load()
    this.box.classList.add('blank')
  }
}

export function element(tag, className = '') {
  const made = document.createElement(tag)
  if (className !== '') made.className = className
  return made
}
