import t from 'tap'
import { diffCameras } from '../../src/config/index.ts'
import { loaded, yamlOf } from './support.ts'
import type { Test } from 'tap'

const SECRETS = 'door: { username: u, password: p }'
const door = (text: string): string => `{ id: door, name: 大門, credential: door, onvif: { host: 10.0.0.12 } ${text} }`
const lobby = '{ id: lobby, name: 大廳, streams: { main: { url: "rtsp://10.0.0.11/s" } } }'

async function configOf(t: Test, cameras: string, sections: Parameters<typeof yamlOf>[0] = {}, secrets0600 = SECRETS) {
  const { config } = await loaded(t, yamlOf({ secrets: '{ file: secrets.yaml }', cameras, ...sections }), { secrets0600 })
  if (config === null) throw new Error('the test needs a sound configuration')
  return config
}

t.test('the same configuration read twice asks for nothing', async t => {
  const change = diffCameras(await configOf(t, `[ ${lobby}, ${door('')} ]`), await configOf(t, `[ ${door('')}, ${lobby} ]`))
  t.same(change, { added: [], removed: [], changed: [], needsRestart: [], takenOver: [] }, 'in whatever order')
})

t.test('cameras come and go', async t => {
  const change = diffCameras(await configOf(t, `[ ${lobby} ]`), await configOf(t, `[ ${door('')} ]`))
  t.same(change.added.map(camera => camera.id), ['door'])
  t.same(change.removed, ['lobby'])
  t.same(change.changed, [])
})

t.test('every change of a camera is seen, and a mere name does not disturb the recording', async t => {
  const before = await configOf(t, `[ ${door('')} ]`)
  const after = async (cameras: string, secrets?: string) => {
    const { changed, added, removed } = diffCameras(before, await configOf(t, cameras, {}, secrets))
    t.same([added, removed], [[], []])
    return changed.map(change => [change.before.id, change.after.id, change.reconnect])
  }
  t.same(await after(`[ ${door('').replace('大門', '正門')} ]`), [['door', 'door', false]])
  t.same(await after(`[ ${door(', audio: true')} ]`), [['door', 'door', true]])
  t.same(await after(`[ ${door(', priority: 2')} ]`), [['door', 'door', false]])
  t.same(await after(`[ ${door(', place: 二樓櫃臺')} ]`), [['door', 'door', false]])
  t.same(await after(`[ ${door(', streams: { main: { bitrate: 4Mbit/s } }')} ]`), [['door', 'door', false]], 'a budget changes what is planned, not what is recorded')
  t.same(await after(`[ ${door(', streams: { main: { lower: { profile: sub } } }')} ]`), [['door', 'door', true]])
  t.same(await after(`[ ${door('').replace('10.0.0.12', '10.0.0.13')} ]`), [['door', 'door', true]])
  t.same(await after(`[ ${door(', streams: { main: {}, sub: {} }')} ]`), [['door', 'door', true]])
  t.same(await after(`[ ${door('').replace('credential: door, ', '')} ]`), [['door', 'door', true]])
  t.same(await after(`[ ${door('')} ]`, SECRETS.replace('password: p', 'password: q')), [['door', 'door', true]], 'a new password')
})

t.test('sections that need a restart are named', async t => {
  const before = await configOf(t, `[ ${lobby} ]`)
  const needs = async (sections: Parameters<typeof yamlOf>[0]) => diffCameras(before, await configOf(t, `[ ${lobby} ]`, sections)).needsRestart
  t.same(await needs({ site: '{ name: 另一所 }' }), ['site'])
  t.same(await needs({ state: '{ dir: /x }', inbox: '{ dir: /var/lib/custos/inbox }', office: '{ calendar: /var/lib/custos/calendar }' }), ['state'])
  t.same(await needs({ office: '{ managingUnit: 人事室 }' }), ['office'])
  t.same(await needs({ listen: '{ port: 1 }', console: '{ tls: off }' }), ['listen', 'console'])
  t.same(await needs({ volumes: '[ { id: disk2, path: /srv/custos/disk1 } ]', archive: '{ dir: /a, quota: 1GiB }' }), ['volumes', 'archive'])
  t.same(await needs({ retention: '{ floor: 32d }', inbox: 'off' }), ['retention', 'inbox'])
  const stamped = diffCameras(before, await configOf(t, `[ ${lobby} ]`, { package: '{ timestamp: { command: [/bin/hook] } }' }))
  t.same([stamped.needsRestart, stamped.takenOver], [[], ['package']], 'read at each use')
  t.same(await needs({ retention: '{ insist: { by: 王主任, reason: 新磁碟已請購 } }' }), [], 'insisting counts at once')
})
