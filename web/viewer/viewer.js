import { CameraView, element } from './camera.js'
import { Preview } from './preview.js'
import { decodeFrame, rocTime } from './wire.js'

// Opened as …/?screen=ID (or with data-socket on <html>): the socket stands at ../screens/ID unless told otherwise.
const byId = id => document.getElementById(id)
const screen = new URLSearchParams(location.search).get('screen') ?? ''
const address = new URL(document.documentElement.dataset.socket ?? `screens/${encodeURIComponent(screen)}`, location.href)
address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:'

const TELL_EVERY_MS = 500
const LIVE_LAG_S = 0.35
const IN_STEP_S = 0.12
const H265 = 'video/mp4; codecs="hvc1.1.6.L93.B0"'

let opened = null, clockSkewMs = 0, cameras = [], isPlaying = false, rate = 1, isOver = false, isLocked = false
/** Media time that all cameras are to show, and when it was so; seconds and performance.now(). */
let stand = { mediaS: 0, at: performance.now() }
let toldAt = 0

const socket = new WebSocket(address)
socket.binaryType = 'arraybuffer'
const say = message => { if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message)) }
const serverNow = () => Date.now() + clockSkewMs
const wallOf = mediaS => opened.originAt + mediaS * 1000
const mediaOf = wall => (wall - opened.originAt) / 1000
const isLive = () => opened !== null && opened.kind !== 'granted'

socket.addEventListener('message', ({ data }) => {
  if (typeof data !== 'string') {
    const frame = decodeFrame(data)
    if (frame?.kind === 'still') void preview.show(frame)
    else if (frame !== null) cameras[frame.camera]?.take(frame)
    return
  }
  const message = JSON.parse(data)
  handlers[message.type]?.(message)
})
socket.addEventListener('close', () => { if (!isOver) finish('連線已中斷，畫面已清除。\nThe connection is gone; the pictures were taken away.') })

const preview = new Preview(byId('preview'), (camera, at, ref) => { say({ type: 'still', camera, at, ref }) }, () => [opened.subject, opened.viewer, rocTime(serverNow())])

const handlers = {
  opened(message) {
    opened = message
    clockSkewMs = message.now - Date.now()
    document.body.classList.toggle('live', isLive())
    byId('subject').textContent = message.kind === 'granted' ? `案號 ${message.subject}　${message.viewer}` : `${message.subject}　${message.viewer}`
    cameras = message.cameras.map(({ name }) => new CameraView({ name, watermarkText: () => [message.subject, message.viewer, rocTime(serverNow())] }))
    const columns = Math.ceil(Math.sqrt(cameras.length))
    byId('grid').style.gridTemplateColumns = `repeat(${columns}, 1fr)`
    byId('grid').replaceChildren(...cameras.map(camera => camera.box))
    if (isLive()) for (const camera of cameras) camera.begin(1)
    drawRanges()
    say({ type: 'hello', plays: MediaSource.isTypeSupported(H265) ? ['h264', 'h265'] : ['h264'] })
    if (isLive()) isPlaying = true
  },
  sought({ epoch, at }) {
    for (const camera of cameras) camera.begin(epoch)
    stand = { mediaS: mediaOf(at), at: performance.now() }
  },
  track(message) { cameras[message.camera]?.track(message) },
  gap({ camera, from, to, why }) {
    cameras[camera]?.gaps.push({ from, to, why })
    drawRanges()
  },
  end({ camera }) { if (cameras[camera]) cameras[camera].hasEnded = true },
  locked() { isLocked = true; veil('畫面已鎖定。請由管理人員於控制台輸入密碼後，按此處繼續。\nLocked. The custodian types the password at the console, then presses here.'); pause() },
  unlocked() { isLocked = false; byId('veil').hidden = true },
  refused({ code, message, ref }) { if (code === 'CUSTOS_PICTURE_FAILED' || code === 'CUSTOS_VIEWING_BUSY') preview.hide(); else if (ref !== null && cameras[ref]) cameras[ref].state.textContent = message; else byId('note').textContent = message },
  closed({ zh, en }) { finish(`${zh}\n${en}`) },
}

function finish(text) {
  isOver = true
  preview.hide()
  for (const camera of cameras) camera.blank()
  byId('grid').replaceChildren()
  veil(text)
}
function veil(text) {
  byId('veil-text').textContent = text
  byId('veil').hidden = false
}

// ---- the common clock

function nowS() { return isPlaying && !isStalled() ? stand.mediaS + (performance.now() - stand.at) / 1000 * rate : stand.mediaS }
function hold(mediaS) { stand = { mediaS, at: performance.now() } }
/** Whether a camera that has more to come lacks the picture of now: then all wait, and stay in step. */
let stalled = false
function isStalled() { return stalled }

function tick() {
  if (opened !== null && !isOver) {
    const before = nowS()
    if (isLive()) followLive()
    else {
      hold(before)
      const missing = cameras.filter(camera => !camera.has(before) && !camera.hasEnded && !inGap(camera, before))
      stalled = missing.length > 0
      if (stalled) jumpOver(before)
      for (const camera of cameras) show(camera, before)
      if (isPlaying && cameras.every(camera => camera.hasEnded && (camera.newest() ?? 0) <= before)) pause()
    }
    const wall = isLive() ? serverNow() : wallOf(nowS())
    byId('clock').textContent = rocTime(wall, true)
    byId('ends').textContent = opened.endsAt === null ? '' : `剩餘 ${countdown(opened.endsAt - serverNow())}`
    for (const camera of cameras) camera.draw(serverNow())
    drawHead()
    if (!isLive() && performance.now() - toldAt > TELL_EVERY_MS) {
      toldAt = performance.now()
      say({ type: 'at', at: Math.round(wallOf(nowS())) })
    }
  }
  requestAnimationFrame(tick)
}

const inGap = (camera, mediaS) => camera.gaps.some(({ from, to }) => wallOf(mediaS) >= from - 100 && wallOf(mediaS) < to)

/** No camera has anything here but something later: go there. */
function jumpOver(mediaS) {
  if (cameras.some(camera => camera.has(mediaS))) return
  const next = cameras.map(camera => camera.nextAfter(mediaS)).filter(at => at !== null)
  if (next.length > 0 && next.length === cameras.filter(camera => !camera.hasEnded || camera.nextAfter(mediaS) !== null).length) hold(Math.min(...next) + 0.001)
}

function show(camera, mediaS) {
  const { video } = camera
  const has = camera.has(mediaS)
  camera.box.classList.toggle('blank', !has)
  camera.state.textContent = has ? '' : inGap(camera, mediaS) ? '此段無影像 No footage here' : camera.hasEnded ? '' : '讀取中 Loading'
  if (!has) { video.pause(); return }
  const off = video.currentTime - mediaS
  if (!isPlaying || stalled) {
    video.pause()
    if (Math.abs(off) > 0.001) video.currentTime = mediaS
  } else {
    if (Math.abs(off) > IN_STEP_S * Math.max(1, rate)) video.currentTime = mediaS
    video.playbackRate = rate
    if (video.paused) void video.play().catch(() => undefined)
  }
}

function followLive() {
  for (const camera of cameras) {
    const newest = camera.newest()
    if (newest === null) { camera.state.textContent = camera.state.textContent || '連線中 Connecting'; continue }
    const { video } = camera
    camera.box.classList.remove('blank')
    camera.state.textContent = ''
    const behind = newest - video.currentTime
    if (behind > 1.2 || behind < 0 || !camera.has(video.currentTime)) video.currentTime = Math.max(0, newest - LIVE_LAG_S)
    video.playbackRate = behind > LIVE_LAG_S + 0.35 ? 1.1 : 1
    if (video.paused && !isLocked) void video.play().catch(() => undefined)
  }
}

function countdown(ms) {
  const s = Math.max(0, Math.floor(ms / 1000)), two = value => String(value).padStart(2, '0')
  return `${s >= 86_400 ? `${Math.floor(s / 86_400)} 日 ` : ''}${two(Math.floor(s / 3600) % 24)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`
}

// ---- the timeline

/** Granted ranges one after another, without the time between them. */
function spans() {
  const all = opened.cameras.flatMap(camera => camera.ranges).toSorted((a, b) => a.from - b.from)
  const merged = []
  for (const { from, to } of all) {
    const last = merged.at(-1)
    if (last !== undefined && from <= last.to) last.to = Math.max(last.to, to)
    else merged.push({ from, to })
  }
  return merged
}
function placeOf(wall) {
  const all = spans(), total = all.reduce((sum, { from, to }) => sum + to - from, 0)
  let before = 0
  for (const { from, to } of all) {
    if (wall < to) return (before + Math.max(0, wall - from)) / total
    before += to - from
  }
  return 1
}
function wallAt(share) {
  const all = spans()
  let rest = share * all.reduce((sum, { from, to }) => sum + to - from, 0)
  for (const { from, to } of all) {
    if (rest < to - from) return from + rest
    rest -= to - from
  }
  return all.at(-1).to - 1
}
function drawRanges() {
  if (opened === null || isLive()) return
  const strip = (className, from, to) => {
    const made = element('div', className)
    made.style.left = `${placeOf(from) * 100}%`
    made.style.width = `${(placeOf(to - 1) - placeOf(from)) * 100}%`
    return made
  }
  byId('ranges').replaceChildren(...spans().map(({ from, to }) => strip('range', from, to)), ...cameras.flatMap(camera => camera.gaps.map(({ from, to }) => strip('gap', from, to))))
}
function drawHead() { if (!isLive()) byId('head').style.left = `calc(${placeOf(wallOf(nowS())) * 100}% - 1px)` }

// ---- what a person does

function seek(wall) {
  hold(mediaOf(wall))
  say({ type: 'seek', at: Math.round(wall) })
}
function play() {
  hold(nowS())
  isPlaying = true
  byId('play').textContent = '暫停 Pause'
  say({ type: 'play', rate })
}
function pause() {
  hold(nowS())
  if (isPlaying && !isLocked) say({ type: 'pause' })
  isPlaying = false
  byId('play').textContent = '播放 Play'
}
byId('play').addEventListener('click', () => { if (isPlaying) pause(); else play() })
byId('rate').addEventListener('change', ({ target }) => {
  hold(nowS())
  rate = Number(target.value)
  if (isPlaying) say({ type: 'play', rate })
})
byId('back').addEventListener('click', () => { seek(wallOf(Math.max(0, nowS() - 1))) })
byId('step').addEventListener('click', () => {
  pause()
  hold(nowS() + Math.min(...cameras.map(camera => camera.frameS)))
  say({ type: 'act' })
})
byId('bar').addEventListener('click', event => {
  const box = byId('bar').getBoundingClientRect()
  seek(wallAt(Math.min(Math.max((event.clientX - box.left) / box.width, 0), 0.999_999)))
})
byId('bar').addEventListener('pointermove', event => {
  if (opened === null || isLive() || isLocked || isOver) return
  const box = byId('bar').getBoundingClientRect()
  const wall = wallAt(Math.min(Math.max((event.clientX - box.left) / box.width, 0), 0.999_999))
  preview.ask(Math.max(0, opened.cameras.findIndex(({ ranges }) => ranges.some(({ from, to }) => wall >= from && wall < to))), Math.round(wall), event.clientX)
})
byId('bar').addEventListener('pointerleave', () => { preview.hide() })
byId('bar').addEventListener('keydown', ({ key }) => { if (key === 'ArrowLeft' || key === 'ArrowRight') seek(wallOf(Math.max(0, nowS() + (key === 'ArrowLeft' ? -5 : 5)))) })
byId('close').addEventListener('click', () => { say({ type: 'close' }) })
byId('veil').addEventListener('click', () => { if (isLocked) say({ type: 'act' }) })

// Kiosk (R34): nothing is saved, printed, copied or cast from here. What a camera can film of the glass the watermark names.
for (const kind of ['contextmenu', 'copy', 'cut', 'dragstart', 'selectstart', 'beforeprint']) document.addEventListener(kind, event => { event.preventDefault() })
document.addEventListener('keydown', event => {
  const isTaking = (event.ctrlKey || event.metaKey) && ['p', 's', 'c', 'u'].includes(event.key.toLowerCase())
  if (isTaking || event.key === 'PrintScreen') event.preventDefault()
}, { capture: true })
document.addEventListener('visibilitychange', () => { if (document.hidden && isPlaying && !isLive()) pause() })
if ('mediaSession' in navigator) for (const action of ['play', 'pause', 'seekbackward', 'seekforward']) try { navigator.mediaSession.setActionHandler(action, () => undefined) } catch { /* not known here */ }

requestAnimationFrame(tick)
