import { join } from 'node:path'
import t from 'tap'
import { loadConfig } from '../../src/config/index.ts'
import { briefly, CAMERA, loaded, yamlOf } from './support.ts'

t.test('defaults stand where keys are left out', async t => {
  const { config, problems, folder } = await loaded(t, yamlOf())
  t.same(problems, [])
  t.same(config, {
    file: join(folder, 'custos.yaml'),
    site: { name: '信義區戶政事務所', timezone: 'Asia/Taipei' },
    state: { dir: '/var/lib/custos' },
    listen: { host: '127.0.0.1', port: 8787 },
    console: { host: '127.0.0.1', port: 8443, tls: 'auto' },
    volumes: [{ id: 'disk1', path: '/srv/custos/disk1' }],
    archive: null,
    retention: { floor: { kind: 'calendar-days', days: 31 }, insist: null },
    inbox: { dir: '/var/lib/custos/inbox' },
    office: { managingUnit: '資訊室', ruleSets: null, calendar: '/var/lib/custos/calendar' },
    witness: null,
    package: { timestamp: null },
    secrets: null,
    cameras: [{ id: 'lobby', name: '大廳', place: null, credential: null, audio: false, priority: 5, streams: [{ name: 'main', source: { kind: 'url', url: 'rtsp://10.0.0.11/s' }, declaredBps: null, lower: null }] }],
  })
})

t.test('everything given is taken', async t => {
  const { config } = await loaded(t, yamlOf({
    site: '{ name: "1", timezone: Europe/Vienna }', listen: '{ host: "::1", port: 1 }',
    console: '{ host: 0.0.0.0, port: 2, tls: { cert: /a/b/../c.pem, key: /k.pem } }',
    volumes: '[ { id: a, path: /v/a/ }, { id: b, path: /v//b } ]', archive: '{ dir: /srv/archive, quota: 3 TiB }',
    retention: '{ floor: 60d, insist: { by: 王主任, reason: 新磁碟已請購 } }', inbox: 'off', secrets: '{ file: secrets.yaml }',
    cameras: '[ { id: c, name: C, place: 一樓服務臺, credential: door, audio: true, priority: 1, onvif: { host: cam.lan }, streams: { sub: { bitrate: 800kbit/s }, tele: { profile: main, bitrate: 4.5 Mbit/s, lower: { profile: sub } }, web: { url: "rtsps://[::1]:322/x", lower: { url: "rtsp://h/y" } } } } ]',
  }), { secrets0600: 'door: { username: viewer, password: "p:w" }' })
  t.match(config, {
    site: { name: '1', timezone: 'Europe/Vienna' }, listen: { host: '::1', port: 1 }, console: { host: '0.0.0.0', port: 2, tls: { cert: '/a/c.pem', key: '/k.pem' } },
    volumes: [{ id: 'a', path: '/v/a' }, { id: 'b', path: '/v/b' }], archive: { dir: '/srv/archive', quotaBytes: 3 * 2 ** 40 },
    retention: { floor: { kind: 'calendar-days', days: 60 }, insist: { by: '王主任', reason: '新磁碟已請購' } }, inbox: null,
  })
  t.same(config?.cameras[0]?.streams.map(stream => stream.source), [
    { kind: 'onvif', host: 'cam.lan', port: 80, profile: 'sub', source: null },
      { kind: 'onvif', host: 'cam.lan', port: 80, profile: 'main', source: null },
      { kind: 'url', url: 'rtsps://[::1]:322/x' },
  ])
  t.equal(config?.cameras[0]?.credential?.password, 'p:w')
  t.equal(config?.cameras[0]?.priority, 1)
  t.equal(config?.cameras[0]?.place, '一樓服務臺')
  t.same(config?.cameras[0]?.streams.map(({ declaredBps, lower }) => [declaredBps, lower]), [
    [800_000, null], [4_500_000, { kind: 'onvif', host: 'cam.lan', port: 80, profile: 'sub', source: null }],
      [null, { kind: 'url', url: 'rtsp://h/y' }],
  ])
})

t.test('a camera with onvif alone records its main stream', async t => {
  const { config } = await loaded(t, yamlOf({ cameras: '[ { id: door, name: 大門, onvif: { host: 10.0.0.12, port: 8000 } } ]' }))
  t.same(config?.cameras[0]?.streams, [{ name: 'main',
    source: { kind: 'onvif', host: '10.0.0.12', port: 8000, profile: 'main', source: null },
    declaredBps: null, lower: null }])
})

t.test('a sound configuration is frozen to its leaves', async t => {
  const { config } = await loaded(t, yamlOf({ secrets: '{ file: secrets.yaml }', cameras: '[ { id: c, name: C, credential: door, onvif: { host: h } } ]' }), { secrets0600: 'door: { username: u, password: p }' })
  const inside = (value: unknown): unknown[] => typeof value === 'object' && value !== null ? [value, ...Object.values(value).flatMap(inside)] : []
  t.ok(inside(config).every(Object.isFrozen))
  t.ok(inside(config).length > 12)
})

t.test('a trial floor is a warning, and warnings do not stop the load', async t => {
  for (const [floor, kept] of [['90s', { kind: 'plain', durationMs: 90_000 }], ['12h', { kind: 'plain', durationMs: 43_200_000 }], ['45m', { kind: 'plain', durationMs: 2_700_000 }], ['30d', { kind: 'calendar-days', days: 30 }], ['2000h', { kind: 'plain', durationMs: 7_200_000_000 }]] as const) {
    const { config, problems } = await loaded(t, yamlOf({ retention: `{ floor: ${floor} }` }))
    t.same(config?.retention.floor, kept)
    t.match(problems, [{ severity: 'warning', code: 'floor-trial', path: 'retention.floor', line: 4 }])
  }
})

t.test('trial folders may all lie inside the state folder', async t => {
  const { config } = await loaded(t, yamlOf({ state: '{ dir: /tmp/t }', volumes: '[ { id: a, path: /tmp/t/a } ]', archive: '{ dir: /tmp/t/archive, quota: 1MiB }' }))
  t.equal(config?.volumes[0]?.path, '/tmp/t/a')
})

t.test('no camera at all is a warning', async t => {
  const { config, problems } = await loaded(t, yamlOf({ cameras: '[]' }))
  t.same(config?.cameras, [])
  t.same(briefly(problems), ['cameras|4|no-cameras'])
})

t.test('256 cameras load, and aliases in moderation', async t => {
  const cameras = Array.from({ length: 256 }, (_, i) => `  - { id: c${i}, name: ${i === 0 ? '&n 走廊' : i < 50 ? '*n' : '走廊'}, onvif: { host: 10.0.${i >> 6}.${i % 64 + 1} } }`).join('\n')
  const { config } = await loaded(t, yamlOf({ cameras: `\n${cameras}` }))
  t.equal(config?.cameras.length, 256)
  t.equal(config?.cameras[49]?.name, '走廊')
})

t.test('a relative path of the configuration is resolved', async t => {
  const folder = t.testdir({ 'custos.yaml': yamlOf() })
  const before = process.cwd()
  t.teardown(() => process.chdir(before))
  process.chdir(folder)
  const result = await loadConfig('custos.yaml')
  t.equal(result.ok && result.config.file, join(folder, 'custos.yaml'))
})

t.test('many problems are bounded and counted', async t => {
  const cameras = Array.from({ length: 256 }, (_, i) => `{ id: Bad${i}, name: x, audio: 7, onvif: { host: h } }`).join(', ')
  const { problems } = await loaded(t, yamlOf({ cameras: `[ ${cameras} ]` }))
  t.equal(problems.length, 201)
  t.match(problems.at(-1), { code: 'more-problems', severity: 'error', message: { en: /^312 more problems/ } })
})

t.test('all problems of shape and of meaning come at once', async t => {
  const { problems } = await loaded(t, [
    'site: { nmae: x, timezone: Asia/Taipai }', 'state: { dir: var/lib }', 'volumes: [ { id: 7, path: / } ]', 'retention: { floor: 31 }',
    `cameras: [ ${CAMERA}, { id: lobby, name: "", streams: { main: { url: "http://h/" } } } ]`,
  ].join('\n'))
  t.same(briefly(problems), [
    'site.name|1|missing', 'site.nmae|1|unknown-key', 'site.timezone|1|timezone', 'state.dir|2|absolute-path', 'volumes[0].id|3|quote-it', 'volumes[0].path|3|absolute-path',
    'retention.floor|4|floor', 'cameras[1].id|5|id-twice', 'cameras[1].name|5|label', 'cameras[1].streams.main.url|5|url-scheme',
  ])
})

t.test('a lens of a device with several is named by its token', async t => {
  const withSource = (source: string) => loaded(t,
    yamlOf({ cameras: `[ { id: a, name: a, onvif: { host: h, source: ${source} }, streams: { main: {}, sub: {} } } ]` }))
  const { config } = await withSource('"VideoSource_3 北側"')
  t.same(config?.cameras[0]?.streams.map(({ source }) => source.kind === 'onvif' && source.source),
    ['VideoSource_3 北側', 'VideoSource_3 北側'])
  for (const wrong of ['""', '3', `"${'x'.repeat(65)}"`, '"a\\u0007"',
    '{}']) t.equal((await withSource(wrong)).config, null, wrong)
})
