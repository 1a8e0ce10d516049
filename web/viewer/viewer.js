import { CameraView, element } from './camera.js'
import { Preview } from './preview.js'
import { standingOf, wordsOf } from './standing.js'
import { Timeline } from './timeline.js'
import { decodeFrame, rocTime } from './wire.js'

// Opened as …/?screen=ID (or with data-socket on <html>): the socket stands at ../screens/ID unless told otherwise.
const byId = id => document.getElementById(id)
const screen = new URLSearchParams(location.search).get('screen') ?? ''
const address = new URL(document.documentElement.dataset.socket ?? `screens/${encodeURIComponent(screen)}`, location.href)
address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:'

const TELL_EVERY_MS = 500
/** The recorder tells twice a second that it is there: a cable that was pulled tells nothing. */
const LINE_GONE_MS = 10_000
/** R66: it locks after five minutes; a minute before, the page says so. */
const WARN_AFTER_MS = 4 * 60_000, ACT_EVERY_MS = 5_000
/** A live camera without a new picture for so long has stopped. */
const STOPPED_MS = 4_000
const LIVE_LAG_S = 0.35
const IN_STEP_S = 0.12
const H265 = 'video/mp4; codecs="hvc1.1.6.L93.B0"'

let opened = null, timeline = null, clockSkewMs = 0, cameras = [], isPlaying = false, rate = 1, isOver = false, isLocked = false
/** Media time that all cameras are to show, and when it was so; seconds and performance.now(). */
let stand = { mediaS: 0, at: performance.now() }
let toldAt = 0, heardAt = performance.now(), actedAt = performance.now()
/** When each live camera's newest picture came. */
let freshAt = []

const socket = new WebSocket(address)
socket.binaryType = 'arraybuffer'
const say = message => { if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message)) }
const serverNow = () => Date.now() + clockSkewMs
const wallOf = mediaS => opened.originAt + mediaS * 1000
const mediaOf = wall => (wall - opened.originAt) / 1000
const isLive = () => opened !== null && opened.kind !== 'granted'

socket.addEventListener('message', ({ data }) => {
  heardAt = performance.now()
  if (typeof data !== 'string') {
    const frame = decodeFrame(data)
    if (frame?.kind === 'still') void preview.show(frame, `${opened.cameras[frame.camera]?.name ?? ''}　${rocTime(frame.at)}`)
    else if (frame !== null) cameras[frame.camera]?.take(frame)
    return
  }
  const message = JSON.parse(data)
  handlers[message.type]?.(message)
})
const LINE_GONE = '連線已中斷，畫面已清除。請檢查網路後按「重新連線」；超過一分鐘，須由管理人員於控制台重新開啟。\nThe connection is gone; the pictures were taken away. See to the network and reconnect; after a minute the custodian has to open it anew at the console.'
const CLOSE_WORDS = {
  4401: '登入已結束。請重新登入後再開啟。\nThe login is over. Sign in again, then open it anew.',
  4404: '這個畫面已結束，或不是由此登入開啟。請由管理人員於控制台重新開啟。\nThis screen is over, or another login opened it. The custodian opens it anew at the console.',
  4409: '畫面已在另一個視窗開啟，此處已清除。\nIt is shown in another window now; the pictures here were taken away.',
}
socket.addEventListener('close', ({ code }) => {
  if (isOver) return
  if (CLOSE_WORDS[code] !== undefined) finish(CLOSE_WORDS[code])
  else if (opened === null) finish('無法連線：登入可能已結束，或主機沒有回應。請重新登入後再開啟。\nNo connection: the login may be over, or the recorder does not answer. Sign in again, then open it anew.', reconnect)
  else finish(LINE_GONE, reconnect)
})

const preview = new Preview(byId('preview'), (camera, at, ref) => { say({ type: 'still', camera, at, ref }) }, () => [opened.subject, opened.viewer, rocTime(serverNow())])

const handlers = {
  opened(message) {
    opened = message
    clockSkewMs = message.now - Date.now()
    document.body.classList.toggle('live', isLive())
    document.title = { granted: '陪同閱覽 Viewing', live: '即時畫面 Live view', aiming: '調整鏡頭 Aiming' }[message.kind]
    byId('subject').textContent = `${message.kind === 'granted' ? '案號 Case ' : ''}${message.subject}　${message.viewer}`
    cameras = message.cameras.map(({ name, ranges }) => new CameraView({ name, ranges, watermarkText: () => [message.subject, message.viewer, rocTime(serverNow())] }))
    freshAt = cameras.map(() => ({ newest: null, at: performance.now() }))
    const columns = Math.ceil(Math.sqrt(cameras.length))
    byId('grid').style.gridTemplateColumns = `repeat(${columns}, 1fr)`
    byId('grid').replaceChildren(...cameras.map(camera => camera.box))
    if (isLive()) for (const camera of cameras) camera.begin(1)
    else timeline = new Timeline(message.cameras)
    drawRanges()
    say({ type: 'hello', plays: MediaSource.isTypeSupported(H265) ? ['h264', 'h265'] : ['h264'] })
    if (isLive()) isPlaying = true
  },
  sought({ epoch, at }) {
    for (const camera of cameras) camera.begin(epoch)
    stand = { mediaS: mediaOf(at), at: performance.now() }
  },
  track(message) { cameras[message.camera]?.track(message) },
  gap(message) {
    cameras[message.camera]?.addGap(message)
    drawRanges()
  },
  end({ camera }) { if (cameras[camera]) cameras[camera].hasEnded = true },
  locked() {
    isLocked = true
    pause()
    preview.hide()
    veil('畫面已鎖定：五分鐘沒有操作。請由管理人員於控制台輸入密碼，再按「繼續」。\nLocked after five minutes without an act. The custodian types the password at the console, then presses “Go on”.', { text: '繼續 Go on', press: () => { say({ type: 'act' }) } })
  },
  unlocked() { isLocked = false; unveil() },
  refused({ code, message, ref, camera }) {
    if (cameras[camera]) cameras[camera].failure = message
    else if (ref !== null) preview.hide()
    else if (code === 'CUSTOS_VIEWING_LOCKED' && isLocked) byId('veil-text').textContent = '仍在鎖定中。請先由管理人員於控制台輸入密碼解除，再按「繼續」。\nStill locked. The custodian first types the password at the console, then presses “Go on”.'
    else tellPerson(message)
  },
  closed({ zh, en }) { finish(`${zh}\n${en}`) },
}

function finish(text, button = null) {
  isOver = true
  preview.hide()
  for (const camera of cameras) camera.blank()
  byId('grid').replaceChildren()
  veil(text, button)
  socket.close()
}
const reconnect = { text: '重新連線 Reconnect', press: () => { location.reload() } }
/** Covers everything, for the eye and for the keyboard. */
function veil(text, button) {
  byId('veil-text').textContent = text
  byId('veil').hidden = false
  for (const part of document.querySelectorAll('header, main, footer')) part.inert = true
  byId('veil-button').hidden = button === null
  byId('veil-button').textContent = button?.text ?? ''
  byId('veil-button').onclick = button?.press ?? null
  byId('veil-button').focus()
}
function unveil() {
  byId('veil').hidden = true
  for (const part of document.querySelectorAll('header, main, footer')) part.inert = false
  byId('play').focus()
}
function tellPerson(text) { if (byId('note').textContent !== text) byId('note').textContent = text }

// ---- the common clock

function nowS() { return isPlaying && !stalled ? stand.mediaS + (performance.now() - stand.at) / 1000 * rate : stand.mediaS }
function hold(mediaS) { stand = { mediaS, at: performance.now() } }
/** Whether a camera lacks a picture of now that is still to come: then all wait, and stay in step. */
let stalled = false

function tick() {
  if (opened !== null && !isOver) {
    if (isLive()) followLive()
    else followGranted()
    const wall = isLive() ? serverNow() : wallOf(nowS())
    byId('clock').textContent = rocTime(wall, true)
    byId('ends').textContent = opened.endsAt === null ? '' : `剩餘 Left ${countdown(opened.endsAt - serverNow())}`
    for (const camera of cameras) camera.draw(serverNow(), isLive() ? Infinity : nowS())
    drawHead()
    if (performance.now() - toldAt > TELL_EVERY_MS) tellPlayhead()
  }
  requestAnimationFrame(tick)
}

function tellPlayhead() {
  toldAt = performance.now()
  if (!isLive()) say({ type: 'at', at: Math.round(wallOf(nowS())) })
  if (performance.now() - actedAt > WARN_AFTER_MS && !isLocked) tellPerson(LOCK_WARNING)
  if (!cameras.every(camera => camera.isMarked)) {
    say({ type: 'close' })
    finish('浮水印遭移除，閱覽已結束。\nThe watermark was taken away; the viewing is over.')
  }
}

function followGranted() {
  const before = nowS(), wall = wallOf(before)
  const standings = cameras.map(camera => standingOf({ camera, wall, hasPicture: camera.has(before), hasLater: camera.nextAfter(before) !== null }))
  hold(before)
  stalled = standings.includes('late')
  if (!stalled) goOn(before, standings)
  for (const [i, camera] of cameras.entries()) show(camera, standings[i], before)
}

/** Over time that was not granted to the next range, over a hole of all cameras to the next picture, and to a stand at the end. */
function goOn(mediaS, standings) {
  const granted = timeline.grantedFrom(wallOf(mediaS))
  if (granted !== null && granted > wallOf(mediaS)) {
    hold(mediaOf(granted))
    tellPlayhead()
  } else if (standings.includes('hole') && !standings.includes('shown')) {
    hold(Math.min(...cameras.map(camera => camera.nextAfter(mediaS) ?? Infinity)) + 0.001)
  } else if (isPlaying && isAtEnd(mediaS)) {
    pause()
    hold(Math.min(mediaS, Math.max(...cameras.map(camera => camera.newest() ?? 0)) - 0.001)) // the last picture stays
    tellPerson('已到核准時段的終點 End of what was granted')
  }
}
function isAtEnd(mediaS) { return timeline.grantedFrom(wallOf(mediaS)) === null || cameras.every(camera => camera.hasEnded && (camera.newest() ?? 0) <= mediaS) }

function show(camera, standing, mediaS) {
  const { video } = camera
  camera.box.classList.toggle('blank', standing !== 'shown')
  camera.say(standing === 'shown' && camera.isPreRollAt(mediaS) ? '前導畫面：核准時段之前 Pre-roll: before the granted time' : wordsOf(standing, camera, wallOf(mediaS)))
  if (standing !== 'shown') { video.pause(); return }
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
  for (const [i, camera] of cameras.entries()) {
    const newest = camera.newest(), fresh = freshAt[i], { video } = camera
    if (newest !== fresh.newest) { fresh.newest = newest; fresh.at = performance.now() }
    const hasStopped = performance.now() - fresh.at > STOPPED_MS
    camera.box.classList.toggle('blank', newest === null || hasStopped || camera.failure !== null)
    camera.say(camera.failure ?? (hasStopped
      ? newest === null ? '鏡頭目前沒有畫面，恢復後自動顯示 The camera gives no picture now; it will show by itself' : `畫面中斷，停在 ${rocTime(wallOf(newest)).slice(-8)}，恢復後自動顯示 No picture since then; it will come back by itself`
      : newest === null ? '連線中 Connecting' : ''))
    if (newest === null) continue
    const behind = newest - video.currentTime
    if (behind > 1.2 || behind < 0 || !camera.has(video.currentTime)) video.currentTime = Math.max(0, newest - LIVE_LAG_S)
    video.playbackRate = behind > LIVE_LAG_S + 0.35 ? 1.1 : 1
    if (video.paused && !isLocked) void video.play().catch(() => undefined)
  }
}

function countdown(ms) {
  const s = Math.max(0, Math.floor(ms / 1000)), two = value => String(value).padStart(2, '0')
  return `${s >= 86_400 ? `${Math.floor(s / 86_400)} 日 d ` : ''}${two(Math.floor(s / 3600) % 24)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`
}

// ---- the timeline

/** A row for each camera; over them the ranges with their begin and end. */
function drawRanges() {
  if (opened === null || isLive()) return
  const strip = (className, { from, to }, row = null) => {
    const made = element('div', className)
    made.style.left = `${timeline.shareOf(from) * 100}%`
    made.style.width = `${(timeline.shareOf(to - 1) - timeline.shareOf(from)) * 100}%`
    if (row !== null) { made.style.top = `${row / cameras.length * 100}%`; made.style.height = `${100 / cameras.length}%` }
    return made
  }
  const spans = timeline.spans.map(span => {
    const made = strip('span', span)
    for (const at of [span.from, span.to]) made.append(Object.assign(element('span'), { textContent: rocTime(at).slice(-8) }))
    return made
  })
  byId('ranges').replaceChildren(...cameras.flatMap((camera, row) => [
    ...camera.ranges.map(range => strip('range', range, row)), ...camera.gaps.filter(({ why }) => why !== 'transcode-busy').map(gap => strip('gap', gap, row)),
  ]), ...spans)
}
function drawHead() {
  if (isLive()) return
  const wall = wallOf(nowS()), share = timeline.shareOf(wall), bar = byId('bar'), words = rocTime(wall)
  byId('head').style.left = `calc(${share * 100}% - 1px)`
  if (bar.getAttribute('aria-valuetext') === words) return
  bar.setAttribute('aria-valuenow', String(Math.round(share * 1000)))
  bar.setAttribute('aria-valuetext', words)
}
function underPointer({ clientX }) {
  const box = byId('bar').getBoundingClientRect()
  return timeline.wallAt((clientX - box.left) / box.width)
}

// ---- what a person does

const LOCK_WARNING = '一分鐘內沒有操作就會鎖定，按任一鍵即可繼續 It locks within a minute; press any key to go on'
function seek(wall) {
  tellPerson('')
  hold(mediaOf(wall))
  say({ type: 'seek', at: Math.round(wall) })
}
const move = ms => { seek(timeline.moved(wallOf(nowS()), ms)) }
function play() {
  hold(nowS())
  if (isAtEnd(nowS() + 0.2)) seek(timeline.beginsAt)
  tellPerson('')
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
/** One picture further or back. */
function step(frames) {
  pause()
  hold(mediaOf(timeline.moved(wallOf(nowS()), frames * Math.min(...cameras.map(camera => camera.frameS)) * 1000)))
  say({ type: 'act' })
}
const toggle = () => { if (isPlaying) pause(); else play() }
const canAct = () => opened !== null && !isLive() && !isLocked && !isOver

byId('play').addEventListener('click', () => { if (canAct()) toggle() })
byId('rate').addEventListener('change', ({ target }) => {
  hold(nowS())
  rate = Number(target.value)
  if (isPlaying) say({ type: 'play', rate })
})
byId('back').addEventListener('click', () => { if (canAct()) move(-1000) })
byId('step').addEventListener('click', () => { if (canAct()) step(1) })
byId('bar').addEventListener('click', event => { if (canAct()) seek(underPointer(event)) })
byId('bar').addEventListener('pointermove', event => {
  if (!canAct()) return
  const wall = underPointer(event)
  preview.ask(Math.max(0, opened.cameras.findIndex(({ ranges }) => ranges.some(({ from, to }) => wall >= from && wall < to))), Math.round(wall), event.clientX)
})
byId('bar').addEventListener('pointerleave', () => { preview.hide() })
byId('close').addEventListener('click', () => { say({ type: 'close' }) })

const BAR_KEYS = {
  ArrowLeft: ({ shiftKey }) => { move(shiftKey ? -60_000 : -5_000) }, ArrowRight: ({ shiftKey }) => { move(shiftKey ? 60_000 : 5_000) },
  PageUp: () => { seek(timeline.wallAt(timeline.shareOf(wallOf(nowS())) - 0.1)) }, PageDown: () => { seek(timeline.wallAt(timeline.shareOf(wallOf(nowS())) + 0.1)) },
  Home: () => { seek(timeline.beginsAt) }, End: () => { seek(timeline.endsAt - 1) },
  ' ': toggle, ',': () => { step(-1) }, '.': () => { step(1) },
}
byId('bar').addEventListener('keydown', event => {
  if (!canAct() || event.isComposing || event.keyCode === 229 || BAR_KEYS[event.key] === undefined) return
  event.preventDefault()
  BAR_KEYS[event.key](event)
})

// A key or a click keeps the screen open, wherever it was meant to go.
for (const kind of ['keydown', 'pointerdown']) document.addEventListener(kind, () => {
  if (byId('note').textContent === LOCK_WARNING) tellPerson('')
  if (opened === null || isOver || isLocked || performance.now() - actedAt < ACT_EVERY_MS) return
  actedAt = performance.now()
  say({ type: 'act' })
}, { capture: true })

// Kiosk (R34): nothing is saved, printed, copied or cast from here. What a camera can film of the glass the watermark names.
for (const kind of ['contextmenu', 'copy', 'cut', 'dragstart', 'selectstart', 'beforeprint']) document.addEventListener(kind, event => { event.preventDefault() })
document.addEventListener('keydown', event => {
  const isTaking = (event.ctrlKey || event.metaKey) && ['p', 's', 'c', 'u'].includes(event.key.toLowerCase())
  if (isTaking || event.key === 'PrintScreen') event.preventDefault()
}, { capture: true })
document.addEventListener('visibilitychange', () => { if (document.hidden && isPlaying && !isLive()) pause() })
if ('mediaSession' in navigator) for (const action of ['play', 'pause', 'seekbackward', 'seekforward']) try { navigator.mediaSession.setActionHandler(action, () => undefined) } catch { /* not known here */ }

setInterval(() => { if (!isOver && performance.now() - heardAt > LINE_GONE_MS) finish(LINE_GONE, reconnect) }, 1000)
requestAnimationFrame(tick)
