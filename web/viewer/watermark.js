/** Draws case, viewer and time over a picture (P3), elsewhere each few seconds, so that no cropped or filmed part of it is without. */
export class Watermark {
  #canvas
  #text
  constructor(canvas, text) { this.#canvas = canvas; this.#text = text }

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
    let size = Math.max(14 * devicePixelRatio, width / 34)
    paper.font = fontOf(size)
    // A long name is written smaller: cut off at the edge it would name nobody.
    size *= Math.min(1, width * 0.42 / Math.max(...lines.map(line => paper.measureText(line).width)))
    paper.font = fontOf(size)
    paper.textAlign = 'center'
    const place = Math.floor(now / 4000)
    const drift = (now % 4000) / 4000
    for (let i = 0; i < 3; i++) {
      const x = (0.22 + 0.56 * fraction(place * 0.618 + i * 0.37) + 0.04 * drift) * width, y = (0.16 + 0.3 * i + 0.1 * fraction(place * 0.414 + i * 0.71)) * height
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
}
const fraction = value => value - Math.floor(value)
