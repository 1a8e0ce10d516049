import { LIMITS } from './defaults.ts'
import { isHost } from './host.ts'
import { texts, type ProblemText } from './texts.ts'

// What may stand between the quotes of ffmpeg's script: visible ASCII but the single quote.
const SAFE_CHARS = /^[\x21-\x26\x28-\x7e]*$/
const SCHEME = /^rtsps?:\/\//i
// Some cameras want the account in the path or query: "/user=admin_password=…", "?pwd=…". There it stands as
// {username} and {password}, which the secrets file fills when the camera is called.
const PASSWORD_PARAMETER = /(?:^|[/?&;_,])(?:password|passwd|passwort|pwd|pass)=(?!\{password\}(?:$|[/?&;_,]))/i
const BRACES = /\{(?!(?:username|password)\})|(?<!\{(?:username|password))\}/

// Of a link-local IPv6 address: which of this machine's networks; no URL reader takes it.
const ZONE = /^(rtsps?:\/\/\[fe80:[0-9a-f:.]*)(?:%25|%)[\w.-]{1,15}\]/i

/**
 * Why `text` cannot be a stream's address, or null. No answer quotes any part of it.
 * A bare @ is refused wherever it stands: in `rtsp://admin:pa/ss@host/` a strict reader finds it in the path.
 */
export function streamUrlFault(text: string): ProblemText | null {
  if (text.length > LIMITS.urlChars) return texts.urlTooLong(LIMITS.urlChars)
  if (text.includes('@')) return texts.urlUserinfo
  if (!SAFE_CHARS.test(text)) return texts.urlCharacters
  if (!SCHEME.test(text)) return texts.urlScheme
  if (PASSWORD_PARAMETER.test(text)) return texts.urlPassword
  if (BRACES.test(text)) return texts.urlBraces
  const url = URL.parse(text.replace(ZONE, '$1]'))
  if (url === null || text.includes('#')) return texts.urlForm
  if (!isHost(url.hostname.replace(/^\[|\]$/g, '')) || url.port === '0') return texts.urlForm
  return null
}

/** Whether the account of the secrets file stands in the address itself. */
export const needsAccount = (url: string): boolean => /\{(?:username|password)\}/.test(url)
