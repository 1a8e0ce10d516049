import { ACTS, hasRight, RIGHTS } from './rights.ts'
import { ROLE_NAMES, ROLES } from './roles.ts'

const HEADS: Readonly<Record<string, string>> = { 'chief': '課長', 'secretary': '秘書', 'director': '主任', 'unit-head': '單位主管' }

/** The table of rights as Markdown: what docs/operating/accounts.md shows between its two marks. */
export function rightsPage(): string {
  const head = ['職權 / act', ...ROLES.map(role => HEADS[role] ?? ROLE_NAMES[role].zh), '主機 / machine', '驗證碼 / factor']
  const rows = ACTS.map(act => {
    const right = RIGHTS[act]
    return [`${right.zh}<br>${right.en} (\`${act}\`)`, ...ROLES.map(role => hasRight(role, act) ? '●' : ''), right.machine === true ? '●' : '', right.factor === true ? '●' : '']
  })
  return [head, head.map((_, column) => column === 0 ? '---' : ':-:'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n')
}
