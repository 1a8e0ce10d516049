import { RetryableError } from '../domain/index.ts'

/** The footage that was asked for was overwritten, or never was there. */
export class SegmentGoneError extends RetryableError {
  constructor(why: string) { super('CUSTOS_SEGMENT_GONE', why, { remedy: 'Ask again: the ring has moved on.' }) }
}

/**
 * Nothing is known of it but that its volume is not in use now: pulled, not mounted, failed. It may be there
 * all the same.
 */
export class VolumeAwayError extends SegmentGoneError {
  constructor() { super('its volume is not in use') }
}
