import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { Person } from './over-http.ts'
import type { RealRecorder } from './real-recorder.ts'

/** An account as people are told of it: role in the API's word. */
export interface Colleague { readonly id: string, readonly role: string, readonly unit?: string }

const DIRECTOR = { id: 'boss', roles: '主任', role: 'director' }, ADMIN = { id: 'root', roles: '系統管理', role: 'system-admin' }

/** The first two accounts by command; all others are asked for by the system administrator and approved by the director, over HTTP. Everybody sets a password, signs the undertaking and enrols an authenticator. */
export async function officeByApi(base: string, recorder: Pick<RealRecorder, 'folder' | 'configFile' | 'command'>, colleagues: readonly Colleague[]): Promise<ReadonlyMap<string, Person>> {
  const people = new Map<string, Person>(), fileOf = (id: string) => path.join(recorder.folder, `one-time-${id}`)
  for (const { id, roles } of [DIRECTOR, ADMIN]) {
    const ended = await recorder.command(['account', 'create', '--id', id, '--name', `人員${id}`, '--roles', roles, '--unit', '資訊室', '--token-file', fileOf(id), '--config', recorder.configFile, '--by', '王小明'])
    if (ended.code !== 0) throw new Error(`${id}: ${ended.errors}`)
  }
  const director = await Person.first(base, { name: DIRECTOR.id, token: (await readFile(fileOf(DIRECTOR.id), 'utf8')).trim(), role: DIRECTOR.role })
  people.set(DIRECTOR.id, director)
  const approveNext = async (id: string, role: string) => {
    const { requests } = await director.get<{ requests: readonly { requestId: number, accountId: string }[] }>('/api/account-requests')
    const request = requests.find(each => each.accountId === id)
    if (request === undefined) throw new Error(`no request for ${id}: ${JSON.stringify(requests)}`)
    const { token } = await director.post<{ token: string }>(`/api/account-requests/${request.requestId}/decision`, { decision: 'approved', reason: '核可' })
    people.set(id, await Person.first(base, { name: id, token, role }))
  }
  await approveNext(ADMIN.id, ADMIN.role)
  for (const { id, role, unit = '資訊室' } of colleagues) {
    await people.get(ADMIN.id)!.post('/api/accounts', { id, displayName: `人員${id}`, unit, post: '職員', roles: [role], reason: '到職' })
    await approveNext(id, role)
  }
  return people
}
