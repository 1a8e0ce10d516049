import { readFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { FatalError, type AuditActor } from '../domain/index.ts'

const MAX_NAME_CHARS = 80

/** Who acts at the command line: the name they give, and the login the system knows them by. `option` is how the name is given. */
export function actingPerson(name: string, option: string): AuditActor & { readonly kind: 'machine-user' } {
  const trimmed = name.trim()
  if (trimmed === '' || trimmed.length > MAX_NAME_CHARS) {
    throw new FatalError('CUSTOS_NO_NAME', `${option} 須填辦理人姓名，1 至 ${MAX_NAME_CHARS} 字。/ ${option} must name the person who acts, in 1 to ${MAX_NAME_CHARS} characters`, { remedy: `請以 ${option} 填本人姓名，會記入稽核紀錄。/ Write ${option} with your own name: it stands in the audit log.` })
  }
  return { kind: 'machine-user', name: trimmed, role: null, source: `login ${loginName()}` }
}

/** The login that began the session, which `sudo` and `su` do not change; else who runs this. */
export function loginName(): string {
  const { SUDO_USER: sudoUser } = process.env
  const user = userInfo().username
  let auditId = ''
  try { auditId = readFileSync('/proc/self/loginuid', 'utf8').trim() } catch { /* a kernel without it */ }
  const login = auditId === '' || auditId === '4294967295' ? '' : ` loginuid ${auditId}`
  return `${sudoUser === undefined ? user : `${sudoUser} as ${user}`}${login}`
}
