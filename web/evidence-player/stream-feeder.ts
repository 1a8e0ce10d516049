import { boxesIn, MediaError, parseMoof, silence } from './boxes.ts'
import { joinBytes, readSlice, type Bytes } from './bytes.ts'
import { InitCache, keyBefore, recordAt, type CameraFootage, type FootageFile } from './footage.ts'
import { frameTable, type Frame } from './frame-table.ts'

/** Why a stream cannot be shown. */
export class PlaybackError extends Error {
  readonly zh: string
  constructor(zh: string, en: string) { super(en); this.zh = zh }
}

const AHEAD_S = 12, BEHIND_S = 10
const MAX_WINDOW_BYTES = 96 << 20 // browsers refuse more than about 150 MB a video
const MAX_FED_RECORD_BYTES = 64 << 20
const KEPT_RECORDS = 600

/**
 * Feeds one camera's records from the local files into its <video>, around the place that is shown, and knows every frame it fed.
 * All cameras share one origin, so that equal media times are equal wall times.
 */
export class StreamFeeder {
  readonly video: HTMLVideoElement
  readonly footage: CameraFootage
  readonly #originMs: number
  readonly #inits = new InitCache()
  readonly #offsets = new Map<number, number>()
  readonly #frames = new Map<number, readonly Frame[]>()
  #buffer: SourceBuffer | null = null
  #url = ''
  #from = 0      // records [from, to) are in the buffer
  #to = 0
  #bytes = 0
  #file = -1
  #mime = ''
  #busy: Promise<void> = Promise.resolve()
  withSound = false
  isWithoutSound = false

  constructor(video: HTMLVideoElement, footage: CameraFootage, originMs: number) {
    this.video = video
    this.footage = footage
    this.#originMs = originMs
  }

  /** Throws PlaybackError when the browser cannot play this camera's codec, MediaError when the file is none of ours. */
  async open(): Promise<void> {
    if (typeof MediaSource === 'undefined') throw new PlaybackError('此瀏覽器不支援播放，請用 VLC 開啟下列檔案', 'This browser cannot play it. Open the file with VLC')
    const source = new MediaSource()
    this.#url = URL.createObjectURL(source)
    const opened = new Promise(resolve => { source.addEventListener('sourceopen', resolve, { once: true }) })
    this.video.src = this.#url
    await opened
    this.#mime = await this.#mimeOf(this.footage.files[0]!)
    this.#buffer = source.addSourceBuffer(this.#mime)
    source.duration = ((this.footage.records.at(-1)?.endMs ?? this.#originMs) - this.#originMs) / 1000 + 1
  }

  close(): void {
    this.video.removeAttribute('src')
    this.video.load()
    URL.revokeObjectURL(this.#url)
    this.#buffer = null
  }

  async #mimeOf(file: FootageFile): Promise<string> {
    const { tracks, video } = await this.#inits.of(file.blob)
    const all = `video/mp4; codecs="${tracks.map(track => track.codec).join(', ')}"`
    if (MediaSource.isTypeSupported(all)) return all
    const pictures = `video/mp4; codecs="${video.codec}"`
    if (MediaSource.isTypeSupported(pictures)) { this.isWithoutSound = true; return pictures }
    throw /^h(vc|ev)1/.test(video.codec)
      ? new PlaybackError('此瀏覽器無法播放 H.265 影像，請用 VLC 開啟下列檔案', 'This browser cannot play H.265. Open the file with VLC')
      : new PlaybackError(`此瀏覽器無法播放 ${video.codec} 影像，請用 VLC 開啟下列檔案`, `This browser cannot play ${video.codec}. Open the file with VLC`)
  }

  /** Runs one after another what touches the buffer. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#busy.then(work)
    this.#busy = turn.then(() => {}, () => {})
    return turn
  }

  /** Sees to it that frames around `wallMs` are in the buffer. Rejects when they cannot be read. */
  ensure(wallMs: number): Promise<void> { return this.#inTurn(() => this.#ensure(wallMs)) }

  async #ensure(wallMs: number): Promise<void> {
    const { records } = this.footage
    const wanted = recordAt(records, wallMs)
    if (this.#buffer === null || records.length === 0) return
    if (wanted < this.#from || wanted > this.#to || this.#to === this.#from) {
      await this.#clear()
      this.#from = this.#to = keyBefore(records, wanted)
    }
    const untilMs = wallMs + AHEAD_S * 1000
    while (this.#to < records.length && (this.#to <= wanted || (records[this.#to]!.atMs < untilMs && this.#bytes < MAX_WINDOW_BYTES))) {
      await this.#append(this.#to)
      this.#to += 1
      if (this.#to > wanted + 1) break // the rest in the next turn, so that a seek need not wait for it
    }
    await this.#forget(wallMs, wanted)
  }

  /** Drops whole groups of pictures that lie well behind. */
  async #forget(wallMs: number, wanted: number): Promise<void> {
    const { records } = this.footage
    const keep = keyBefore(records, Math.min(recordAt(records, wallMs - BEHIND_S * 1000), wanted))
    if (keep <= this.#from || this.#from + 60 > keep) return
    const end = this.#frames.get(keep)?.[0]?.atS
    if (end === undefined || end <= 0) return
    await this.#updated(buffer => { buffer.remove(0, end - 0.001) })
    for (; this.#from < keep; this.#from++) this.#bytes -= records[this.#from]!.bytes
  }

  async #clear(): Promise<void> {
    if (this.#to > this.#from) await this.#updated(buffer => { buffer.remove(0, Infinity) })
    this.#bytes = 0
    this.#file = -1
  }

  async #append(position: number): Promise<void> {
    const record = this.footage.records[position]!, file = this.footage.files[record.file]!
    const init = await this.#inits.of(file.blob)
    const media = await this.#mediaOf(position)
    if (record.file !== this.#file) {
      const mime = await this.#mimeOf(file)
      if (mime !== this.#mime) { this.#buffer?.changeType(mime); this.#mime = mime }
      const bytes = new Uint8Array(init.bytes)
      if (this.isWithoutSound) silence(bytes, boxesIn(bytes, 0, bytes.length).find(box => box.type === 'moov')!, init.video)
      await this.#updated(buffer => { buffer.appendBuffer(bytes) })
      const offset = this.#offsets.get(record.file)!
      if (this.#buffer !== null) this.#buffer.timestampOffset = offset
      this.#file = record.file
    }
    await this.#updated(buffer => { buffer.appendBuffer(media) })
    this.#bytes += record.bytes
  }

  /** `moof` and `mdat` of a record, and its frames into the table. */
  async #mediaOf(position: number): Promise<Bytes> {
    const record = this.footage.records[position]!, file = this.footage.files[record.file]!
    if (record.bytes > MAX_FED_RECORD_BYTES) throw new MediaError(`a record of ${record.bytes} bytes`)
    const { video } = await this.#inits.of(file.blob)
    const bytes = await readSlice(file.blob, record.offset, record.offset + record.bytes)
    const boxes = boxesIn(bytes, 0, bytes.length)
    const moof = boxes.find(box => box.type === 'moof')
    if (moof === undefined) throw new MediaError('a record without moof')
    const pictures = parseMoof(bytes, moof).tracks.find(track => track.trackId === video.trackId)
    if (pictures === undefined) throw new MediaError('a record without pictures')
    if (!this.#offsets.has(record.file)) {
      if (position === file.firstRecord) this.#offsets.set(record.file, (record.atMs - this.#originMs) / 1000 - pictures.decodeTime / video.timescale)
      else await this.#mediaOf(file.firstRecord)
    }
    this.#frames.set(position, frameTable(pictures, video.timescale, record, position, this.#offsets.get(record.file)!))
    if (this.#frames.size > KEPT_RECORDS) for (const old of this.#frames.keys()) if (old < this.#from || old > this.#to + 1) { this.#frames.delete(old); if (this.#frames.size <= KEPT_RECORDS / 2) break }
    if (this.isWithoutSound) silence(bytes, moof, video)
    return joinBytes(boxes.filter(box => box.type === 'moof' || box.type === 'mdat').map(box => bytes.subarray(box.at, box.endAt)))
  }

  async #updated(change: (buffer: SourceBuffer) => void): Promise<void> {
    const buffer = this.#buffer
    if (buffer === null) return
    await new Promise<void>((resolve, reject) => {
      const done = (event: Event): void => {
        for (const type of ['updateend', 'error']) buffer.removeEventListener(type, done)
        if (event.type === 'error') reject(new PlaybackError('瀏覽器無法解讀這段影像', 'The browser cannot decode this footage'))
        else resolve()
      }
      for (const type of ['updateend', 'error']) buffer.addEventListener(type, done)
      change(buffer)
    })
  }

  /** The frame shown at a media time, out of what was fed. */
  frameAt(mediaS: number): Frame | null {
    const record = recordAt(this.footage.records, this.#originMs + mediaS * 1000)
    for (const position of [record, record - 1, record + 1]) {
      const found = this.#frames.get(position)?.find(frame => frame.atS - 0.0005 <= mediaS && mediaS < frame.atS + frame.durationS - 0.0005)
      if (found !== undefined) return found
    }
    return null
  }

  async #framesOf(position: number): Promise<readonly Frame[]> {
    if (!this.#frames.has(position)) await this.#mediaOf(position)
    return this.#frames.get(position) ?? []
  }

  /** The frame that is recorded at `wallMs`, or the nearest before it; the first one when all are later. */
  async frameOfWall(wallMs: number): Promise<Frame | null> {
    const { records } = this.footage
    if (records.length === 0) return null
    const position = recordAt(records, wallMs)
    const frames = await this.#framesOf(position)
    return frames.findLast(frame => frame.wallMs <= wallMs) ?? frames[0] ?? null
  }

  /** The next frame, or with -1 the one before; null at the end. With `key`, the next key frame. */
  async neighbour(frame: Frame, step: 1 | -1, key = false): Promise<Frame | null> {
    const { records } = this.footage
    let { record, index } = frame
    for (let looked = 0; looked < 20_000; looked++) {
      index += step
      let frames = await this.#framesOf(record)
      if (index < 0 || index >= frames.length) {
        record += step
        if (record < 0 || record >= records.length) return null
        if (key && !records[record]!.key) { index = step > 0 ? Number.MAX_SAFE_INTEGER - 1 : 0; continue }
        frames = await this.#framesOf(record)
        index = step > 0 ? 0 : frames.length - 1
      }
      const found = frames[index]
      if (found !== undefined && (!key || found.key)) return found
    }
    return null
  }

  /** Shows exactly this frame; resolves when the browser has it on screen. */
  async show(frame: Frame): Promise<void> {
    await this.ensure(frame.wallMs)
    const middle = frame.atS + frame.durationS / 2
    if (Math.abs(this.video.currentTime - middle) < 0.0005 && this.video.readyState >= 2 && !this.video.seeking) return
    const sought = new Promise<void>(resolve => {
      const timer = setTimeout(resolve, SEEK_LIMIT_MS)
      this.video.addEventListener('seeked', () => { clearTimeout(timer); resolve() }, { once: true })
    })
    this.video.currentTime = middle
    await sought
  }
}

const SEEK_LIMIT_MS = 4000
