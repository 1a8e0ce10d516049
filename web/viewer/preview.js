/** At most so often is a still asked for: each is a decode of the recorder, though of the lowest priority. */
const ASK_EVERY_MS = 250

/** The picture under the pointer on the timeline, with the watermark over it. One question at a time; only the newest answer is shown. */
export class Preview {
  #canvas
  #ask
  #text
  #ref = 0
  #askedAt = 0
  #next = null
  #timer = null
  constructor(canvas, ask, text) { this.#canvas = canvas; this.#ask = ask; this.#text = text }

  ask(camera, at, x) {
    this.#canvas.style.left = `${Math.min(Math.max(x - 160, 4), innerWidth - 324)}px`
    this.#next = { camera, at }
    if (this.#timer !== null) return
    this.#timer = setTimeout(() => {
      this.#timer = null
      const wanted = this.#next
      if (wanted === null) return
      this.#next = null
      this.#askedAt = performance.now()
      this.#ask(wanted.camera, wanted.at, ++this.#ref)
    }, Math.max(0, ASK_EVERY_MS - (performance.now() - this.#askedAt)))
  }

  /** `caption`: which camera, and when. */
  async show({ epoch, bytes }, caption) {
    if (epoch !== this.#ref) return
    const picture = await createImageBitmap(new Blob([bytes], { type: 'image/jpeg' }))
    const { width, height } = this.#canvas, paper = this.#canvas.getContext('2d')
    const scale = Math.min(width / picture.width, height / picture.height)
    paper.fillStyle = '#000'
    paper.fillRect(0, 0, width, height)
    paper.drawImage(picture, (width - picture.width * scale) / 2, (height - picture.height * scale) / 2, picture.width * scale, picture.height * scale)
    picture.close()
    paper.font = '600 14px "Noto Sans CJK TC", "Noto Sans TC", sans-serif'
    paper.textAlign = 'center'
    for (const [n, line] of this.#text().entries()) {
      paper.lineWidth = 2
      paper.strokeStyle = 'rgb(0 0 0 / .5)'
      paper.fillStyle = 'rgb(255 255 255 / .6)'
      paper.strokeText(line, width / 2, height / 2 - 18 + n * 20)
      paper.fillText(line, width / 2, height / 2 - 18 + n * 20)
    }
    paper.fillStyle = 'rgb(0 0 0 / .65)'
    paper.fillRect(0, height - 22, width, 22)
    paper.fillStyle = '#fff'
    paper.fillText(caption, width / 2, height - 6, width - 8)
    if (epoch === this.#ref) this.#canvas.hidden = false // it may have been left meanwhile
  }

  hide() {
    this.#next = null
    this.#ref++
    this.#canvas.hidden = true
  }
}
