import WebSocket from 'ws'
import { decodeFrame } from '../../../src/viewing/index.ts'
import { pathOf, type Case, type Told } from '../../console/support/procedure.ts'
import { until } from '../until.ts'
import type { Person } from './over-http.ts'

/** What an application leaves empty unless it says otherwise. */
const BARE = { agents: [], applicantAccount: null, applicantUnit: null, necessity: null, identity: null, authority: null }

export const receive = async (who: Person, content: object): Promise<Told> => await who.post<Told>('/api/applications', { ...BARE, ...content })
export const act = async (who: Person, { number, version }: Case, command: object): Promise<Case> => (await who.post<Told>(`${pathOf(number)}/commands`, { version, ...command })).application
export const signature = (application: Case) => ({ kind: 'decide', step: application.state.step ?? 0, decision: 'agree', reason: null, ground: null, narrowTo: null, isNotTheApplicant: false, grant: null })

/** 附件2 of a police station. */
export const policeForm = (asked: readonly { readonly camera: string, readonly from: number, readonly to: number }[]): object => ({
  ...BARE, form: 'form-2', applicantClass: 'agency', acts: { view: true, copy: true, preserve: false }, asked, necessity: '須附卷移送檢察官', authority: { kind: 'document', number: '北市警信分刑字第1150001號' },
  fields: { agency: '臺北市政府警察局信義分局', applicant: '趙警員', phone: '02-27234567', 'legal-basis': '刑事訴訟法第230條', purpose: '偵辦竊盜案', use: '大廳及大門' },
})

/** Instants of the pictures a screen shows, by the place of the camera on it, until each camera gave `least` or showed all it has. */
export async function watched(base: string, who: Person, screen: string, cameras: number, least: number): Promise<readonly (readonly number[])[]> {
  const seen = Array.from({ length: cameras }, (): number[] => []), ended = new Set<number>()
  const socket = new WebSocket(`${base.replace('http', 'ws')}/viewer/screens/${screen}`, { headers: { cookie: who.cookie, origin: base } })
  socket.on('error', () => undefined)
  socket.on('open', () => { socket.send(JSON.stringify({ type: 'hello', plays: ['h264', 'h265'] })) })
  socket.on('message', (data, isBinary) => {
    if (!isBinary) {
      const said = JSON.parse((data as Buffer).toString()) as { readonly type: string, readonly camera: number }
      if (said.type === 'end') ended.add(said.camera)
      return
    }
    const { kind, camera, at, isPreRoll } = decodeFrame(data as Buffer)
    if (kind === 'media' && !isPreRoll) seen[camera]?.push(at)
  })
  try { await until(`pictures of ${cameras} cameras`, () => seen.every((of, camera) => of.length >= least || ended.has(camera))) } finally { socket.terminate() }
  return seen
}
