/** Carries the page's own token (access's `csrfToken`) with every change. */
export const CSRF_HEADER = 'x-custos-csrf'
/** `__Host-` makes browsers take it over TLS only, for this host and path only. */
export const cookieName = (isTls: boolean): string => isTls ? '__Host-custos' : 'custos-loopback'
