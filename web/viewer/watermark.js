/** Draws case, viewer and time over a picture (P3), elsewhere each few seconds, so that no cropped or filmed part of it is without. */
export class Watermark {
  #canvas
  #video
  #text
  /** `canvas` lies over `video`. */
  constructor(canvas, video, text) { this.#canvas = canvas; this.#video = video; this.#text = text }

  get isVisible() {
    const { display, visibility, opacity } = getComputedStyle(this.#canvas)
    return this.#canvas.isConnected && display !== 'none' && visibility === 'visible' && Number(opacity) > 0.9
  }

  /** `now` in milliseconds moves it. */
  draw(now) {
    const canvas = this.#canvas
    const width = canvas.clientWidth * devicePixelRatio, height = canvas.clientHeight * devicePixelRatio
    if (canvas.width !== Math.round(width) || canvas.height !== Math.round(height)) { canvas.width = Math.round(width); canvas.height = Math.round(height) }
    const paper = canvas.getContext('2d')
    paper.clearRect(0, 0, width, height)
    const lines = this.#text()
    const fontOf = px => `600 ${px}px "Noto Sans CJK TC", "Noto Sans TC", sans-serif`
    const area = this.#picture(width, height)
    let size = Math.max(14 * devicePixelRatio, area.width / 34)
    paper.font = fontOf(size)
    const widest = () => Math.max(...lines.map(line => paper.measureText(line).width))
    // A long name is written smaller: cut off at the edge it would name nobody.
    size *= Math.min(1, area.width * 0.8 / widest())
    paper.font = fontOf(size)
    const half = widest() / 2
    paper.textAlign = 'center'
    const place = Math.floor(now / 4000)
    const drift = (now % 4000) / 4000
    for (let i = 0; i < 3; i++) {
      const x = area.left + half + (area.width - 2 * half) * fraction(place * 0.618 + i * 0.37 + 0.04 * drift), y = area.top + (0.16 + 0.3 * i + 0.1 * fraction(place * 0.414 + i * 0.71)) * area.height
      paper.save()
      paper.translate(x, y)
      paper.rotate(-0.2)
      for (const [n, line] of lines.entries()) {
        paper.lineWidth = size / 9
        paper.strokeStyle = 'rgb(0 0 0 / .38)'
        paper.fillStyle = 'rgb(255 255 255 / .46)'
        paper.strokeText(line, 0, n * size * 1.25)
        paper.fillText(line, 0, n * size * 1.25)
      }
      paper.restore()
    }
  }

  /** Where the picture stands in the canvas; all of it while there is none. */
  #picture(width, height) {
    const { videoWidth, videoHeight } = this.#video
    if (videoWidth === 0) return { left: 0, top: 0, width, height }
    const scale = Math.min(width / videoWidth, height / videoHeight), shown = { width: videoWidth * scale, height: videoHeight * scale }
    return { left: (width - shown.width) / 2, top: (height - shown.height) / 2, ...shown }
  }
}
const fraction = value => value - Math.floor(value)
