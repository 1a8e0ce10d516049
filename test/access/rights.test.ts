import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { ACTS, APPROVERS, hasRight, machineHasRight, PICTURE_ACTS, RIGHTS, rightsPage, ROLE_NAMES, roleNamed, ROLES, type Act, type Role } from '../../src/access/index.ts'

t.test('no role and no combination of roles has standing view or copy, nor has the machine [G5]', async t => {
  fc.assert(fc.property(fc.subarray([...ROLES]), fc.constantFrom<Act>('view', 'copy'), (roles, act) => !roles.some(role => hasRight(role, act)) && !machineHasRight(act)))
  t.same(ROLES.filter(role => hasRight(role, 'view') || hasRight(role, 'copy')), [])
})

t.test('who administers, audits, keeps records or visits sees no picture in that role, and the machine none at all', async t => {
  const picturesOf = (role: Role) => PICTURE_ACTS.filter(act => hasRight(role, act))
  for (const role of ['system-admin', 'auditor', 'records', 'staff', 'vendor'] as const) t.same(picturesOf(role), [], role)
  t.same(PICTURE_ACTS.filter(machineHasRight), [])
  t.same(picturesOf('custodian'), ['open-granted-view', 'make-granted-copy', 'live-view', 'aim-camera', 'reference-image'])
})

t.test('approval, copy and break-glass ask for the factor (R69); who administers decides on no account and no application', async t => {
  for (const act of ['approve-step', 'make-granted-copy', 'witness-copy', 'break-glass', 'account-approve'] as const) t.equal(RIGHTS[act].factor, true, act)
  for (const act of ['approve-step', 'account-approve', 'sign-book', 'end-hold', 'break-glass', 'witness-copy'] as const) t.notOk(hasRight('system-admin', act), act)
  t.same(ACTS.filter(act => hasRight('auditor', act)), ['read-audit', 'read-health', 'account-list', 'make-account-review'], 'an auditor reads')
  t.same(ACTS.filter(act => hasRight('staff', act)), ['ask-view', 'read-health'])
  t.same(ACTS.filter(act => hasRight('vendor', act)), ['read-health', 'maintain'])
})

t.test('roles are found by key, Chinese name and post; an approver without a post is none', async t => {
  for (const role of ROLES) { t.equal(roleNamed(role), role); t.equal(roleNamed(ROLE_NAMES[role].zh), role) }
  t.same(['課長', '秘書', '主任', '單位主管'].map(roleNamed), [...APPROVERS])
  t.equal(roleNamed('核章主管'), null)
  t.equal(roleNamed('constructor'), null)
})

t.test('the page of the operator shows this table', async t => {
  const page = readFileSync(new URL('../../docs/operating/accounts.md', import.meta.url), 'utf8')
  const shown = /<!-- rights -->\n([^]*?)\n<!-- \/rights -->/.exec(page)?.[1]
  t.equal(shown, rightsPage(), 'paste what `node -e "console.log((await import(\'./src/access/index.ts\')).rightsPage())"` prints')
})
