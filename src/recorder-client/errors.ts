import { RetryableError } from '../domain/index.ts'

/** No recorder can be asked now. Nothing was sent. */
export class RecorderAwayError extends RetryableError {
  constructor(why: string) {
    super('CUSTOS_RECORDER_AWAY', `目前連不上錄影程式：${why}。/ the recorder cannot be asked now: ${why}`, {
      remedy: '錄影程式回來後會自動接上；請稍後再試。/ It is connected to again by itself: try again in a moment.',
    })
  }
}

/** As much footage is being read as one office may read at a time. */
export class ReadersFullError extends RetryableError {
  constructor(most: number) {
    super('CUSTOS_READERS_FULL', `同時讀取的影像段已達 ${most} 個。/ ${most} segments are being read already`, {
      remedy: '請等其他檢視或複製結束後再試。/ Try again when another viewing or copy has ended.',
    })
  }
}
