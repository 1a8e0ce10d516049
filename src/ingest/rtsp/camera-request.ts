import { headerOf, requestLineOf, type RtspMessage } from './rtsp-message.ts'

const REQUEST = /^[A-Z_]+ \S+ RTSP\/\d/
/** Asked to see whether we are there. */
const LIVENESS = new Set(['OPTIONS', 'GET_PARAMETER', 'SET_PARAMETER'])

/** What a camera is answered that asks something itself; null where a message is no request. */
export function answerToCamera(message: RtspMessage): string | null {
  if (!REQUEST.test(message.start)) return null
  const status = LIVENESS.has(requestLineOf(message).method) ? '200 OK' : '501 Not Implemented'
  const [cseq] = /^\d{1,10}$/.exec(headerOf(message, 'cseq') ?? '') ?? []
  return `RTSP/1.0 ${status}\r\n${cseq === undefined ? '' : `CSeq: ${cseq}\r\n`}\r\n`
}
