import { RetryableError, type CameraEndReason } from '../../domain/index.ts'

/** Every way an exchange with a device can fail, with what the operator looks up, the gap's cause and the next step. */
export const ONVIF_FAILURES = {
  'unreachable': { code: 'CUSTOS_ONVIF_UNREACHABLE', endReason: 'unreachable',
    remedy: 'Check power and cable of the camera, and its address in the configuration.' },
  'refused': { code: 'CUSTOS_ONVIF_REFUSED', endReason: 'refused',
    remedy: 'Check the ONVIF port in the configuration, and that ONVIF is switched on in the camera.' },
  'timed-out': { code: 'CUSTOS_ONVIF_TIMED_OUT', endReason: 'onvif-timed-out',
    remedy: 'Restart the camera if this lasts; it accepts connections but does not answer in time.' },
  'auth-refused': { code: 'CUSTOS_ONVIF_AUTH_REFUSED', endReason: 'auth-refused',
    remedy: 'Check user and password in the secrets file, the rights of that ONVIF user, and the date set in the camera.' },
  'not-onvif': { code: 'CUSTOS_ONVIF_NOT_ONVIF', endReason: 'onvif-not-spoken',
    remedy: 'Check that address and port belong to the camera; if they do, update its firmware or configure an RTSP URL instead.' },
  'soap-fault': { code: 'CUSTOS_ONVIF_SOAP_FAULT', endReason: 'onvif-fault',
    remedy: 'Update the firmware of the camera, or configure an RTSP URL instead.' },
  'no-usable-profile': { code: 'CUSTOS_ONVIF_NO_USABLE_PROFILE', endReason: 'onvif-no-profile',
    remedy: 'Set up an H.264 or H.265 stream in the camera; a sub stream needs a second one of the same lens.' },
  'bad-uri': { code: 'CUSTOS_ONVIF_BAD_URI', endReason: 'onvif-bad-address',
    remedy: 'The camera gave a stream address that is not safe to use: update its firmware, or configure an RTSP URL instead.' },
  'redirected': { code: 'CUSTOS_ONVIF_REDIRECTED', endReason: 'redirected',
    remedy: 'Check that the address is the camera\'s: it redirects to another host, where the password does not go.' },
  'https-failed': { code: 'CUSTOS_ONVIF_HTTPS_FAILED', endReason: 'onvif-https',
    remedy: 'Check that the camera\'s HTTPS port can be reached, set onvif.port to it, or allow HTTP there.' },
  'channel-gone': { code: 'CUSTOS_ONVIF_CHANNEL_GONE', endReason: 'channel-gone',
    remedy: 'List the lenses with custos cameras probe and name one with onvif.source in the configuration.' },
} as const satisfies Record<string, { code: string, endReason: CameraEndReason, remedy: string }>

export type OnvifFailure = keyof typeof ONVIF_FAILURES

/**
 * A device did not give what was asked. Retried like any camera fault; `failure` says which kind, `endReason` what the gap records.
 * Message and cause hold no credential, digest or nonce: device text in them went through the session's scrubber.
 */
export class OnvifError extends RetryableError {
  readonly failure: OnvifFailure
  readonly endReason: CameraEndReason
  constructor(failure: OnvifFailure, message: string, cause?: Error) {
    const facts = ONVIF_FAILURES[failure]
    super(facts.code, message, { remedy: facts.remedy, cause })
    this.failure = failure
    this.endReason = facts.endReason
  }
}
