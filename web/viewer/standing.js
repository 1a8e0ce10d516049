import { rocTime } from './wire.js'

/** A range counts as over so much before its end: the last frame may begin a little earlier, and nothing comes after it. */
const TAIL_MS = 150
/** A gap is told from the end of the frame before it, by a clock that is rounded. */
const GAP_EARLY_MS = 100

/**
 * Why a camera shows what it shows at an instant. Only `late` is waited for by all cameras: everything else is so, and stays so.
 * @returns {'shown' | 'not-granted' | 'failed' | 'gap' | 'hole' | 'ended' | 'late'}
 */
export function standingOf({ camera, wall, hasPicture, hasLater }) {
  if (hasPicture) return 'shown'
  if (!camera.ranges.some(({ from, to }) => wall >= from && wall < to - TAIL_MS)) return 'not-granted'
  if (camera.failure !== null) return 'failed'
  if (gapAt(camera, wall) !== undefined) return 'gap'
  if (hasLater) return 'hole' // pieces come in order: nothing more comes of this instant
  return camera.hasEnded ? 'ended' : 'late'
}

const gapAt = (camera, wall) => camera.gaps.find(({ from, to }) => wall >= from - GAP_EARLY_MS && wall < to)

const GAP_WORDS = {
  'gone': '此段影像已覆蓋或無法讀取 The footage of this time is gone',
  'transcode-busy': 'H.265：一次只能轉碼一支鏡頭，請單獨開啟這支 H.265: one camera at a time can be transcoded; open this one alone',
}
/** From when to when, and why, where the recorder noted it. */
function gapWords({ from, to, why, cause }) {
  if (why in GAP_WORDS) return GAP_WORDS[why]
  return cause == null ? '此段無影像 No footage here' : `此段無影像：${cause.zh} ${rocTime(from).slice(-8)}–${rocTime(to).slice(-8)} No footage: ${cause.en}`
}
/** What stands under the picture; empty beside one that is shown. */
export function wordsOf(standing, camera, wall) {
  switch (standing) {
    case 'not-granted': return '此時段未核准此鏡頭 Not granted at this time'
    case 'failed': return camera.failure
    case 'gap': return gapWords(gapAt(camera, wall))
    case 'hole': return '此刻無影像 No picture here'
    case 'ended': return '影像到此為止 No footage after this'
    case 'late': return '讀取中 Loading'
    default: return ''
  }
}
