const URL_USERINFO = /([a-z][a-z0-9+.-]*:\/\/)[^\s/@'"]*(?::[^\s'"]*?)?@(?=[^\s@'"]*(?:[\s/'"?,:;)]|$))/gi
const AUTH_HEADER = /((?:authorization|proxy-authorization)\s*:\s*)[^\r\n]+/gi

/** Every secret handed in is taken out of `text`, raw or percent-encoded, and so is the user part of any URL. */
export function redact(text: string, secrets: readonly string[] = []): string {
  let out = text
  for (const secret of secrets) {
    if (secret.length === 0) continue
    for (const form of new Set([secret, encodeURIComponent(secret), encodeURI(secret)])) out = out.replaceAll(form, '[redacted]')
  }
  return out.replace(URL_USERINFO, '$1[redacted]@').replace(AUTH_HEADER, '$1[redacted]')
}
