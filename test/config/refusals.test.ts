import t from 'tap'
import { CAMERA, loaded, yamlOf } from './support.ts'

/** What is written, then the path, line and a part of the English text of the one error expected. */
type Refusal = readonly [what: string, yaml: string, path: string, line: number | null, words: RegExp]

const camera = (text: string): string => yamlOf({ cameras: `\n  - ${CAMERA}\n  - { id: door, name: D, ${text} }` })
const url = (text: string): string => camera(`streams: { main: { url: ${JSON.stringify(text)} } }`)

const REFUSALS: readonly Refusal[] = [
  ['a missing section', yamlOf({ state: '' }), 'state', 1, /"state" is missing/],
  ['a section without a value', yamlOf({ site: ' ' }), 'site', 1, /has no value/],
  ['a section that is text', yamlOf({ state: '/var/lib/custos' }), 'state', 2, /mapping/],
  ['a section that is a list', yamlOf({ console: '[]' }), 'console', 3, /mapping/],
  ['an unknown section', `${yamlOf()}retenton: {}`, 'retenton', 5, /did you mean "retention"/],
  ['an unknown key', yamlOf({ site: '{ name: x, color: red }' }), 'site.color', 1, /Allowed: name, timezone/],
  ['a prototype key', yamlOf({ site: '{ name: x, __proto__: { timezone: UTC } }' }), 'site.__proto__', 1, /no setting/],
  ['a key that could be a password', `${yamlOf()}"door: hunter2": 1`, '…', 5, /no setting "…"/],
  ['an account in the wrong file', camera('password: hunter2, onvif: { host: h }'), 'cameras[1].password', 6, /secrets file/],
  ['a name of blanks', yamlOf({ site: '{ name: "  " }' }), 'site.name', 1, /not only blanks/],
  ['a name with a line break', yamlOf({ site: '{ name: "a\\nb" }' }), 'site.name', 1, /control characters/],
  ['half a surrogate', yamlOf({ site: '{ name: "a\\ud800" }' }), 'site.name', 1, /control characters/],
  ['a name that is a number', yamlOf({ site: '{ name: 113 }' }), 'site.name', 1, /in quotes/],
  ['a zone that does not exist', yamlOf({ site: '{ name: x, timezone: Asia/Taipeh }' }), 'site.timezone', 1, /did you mean Asia\/Taipei/],
  ['an offset as a zone', yamlOf({ site: '{ name: x, timezone: "+08:00" }' }), 'site.timezone', 1, /IANA/],
  ['a relative folder', yamlOf({ state: '{ dir: custos }' }), 'state.dir', 2, /start at \//],
  ['the root as a folder', yamlOf({ state: '{ dir: /srv/.. }' }), 'state.dir', 2, /root/],
  ['health on the network', yamlOf({ listen: '{ host: 0.0.0.0 }' }), 'listen.host', 3, /no accounts/],
  ['an address with places for an account that is not named', url('rtsp://h/user={username}_password={password}'), 'cameras[1].streams.main', 6, /has no credential/],
  ['a host with a scheme', yamlOf({ console: '{ host: "https://box" }' }), 'console.host', 3, /without http/],
  ['a mistyped address', yamlOf({ console: '{ host: 10.0.0.300 }' }), 'console.host', 3, /IP address/],
  ['port 0', yamlOf({ listen: '{ port: 0 }' }), 'listen.port', 3, /1 to 65535/],
  ['a port with a fraction', yamlOf({ listen: '{ port: 80.5 }' }), 'listen.port', 3, /whole number/],
  ['a port in quotes', yamlOf({ listen: '{ port: "80" }' }), 'listen.port', 3, /whole number/],
  ['one port for both', yamlOf({ console: '{ port: 8787 }' }), 'console.port', 3, /share a port/],
  ['no TLS on the network', yamlOf({ console: '{ host: 192.168.1.5, tls: off }' }), 'console.tls', 3, /in the clear/],
  ['another word for tls', yamlOf({ console: '{ tls: none }' }), 'console.tls', 3, /auto, off/],
  ['a certificate without a key', yamlOf({ console: '{ tls: { cert: /a } }' }), 'console.tls.key', 3, /"key" is missing/],
  ['a relative certificate', yamlOf({ console: '{ tls: { cert: a.pem, key: /k } }' }), 'console.tls.cert', 3, /start at/],
  ['no volume', yamlOf({ volumes: '[]' }), 'volumes', 3, /1 to 64 volumes/],
  ['a volume that is no mapping', yamlOf({ volumes: '[ /srv ]' }), 'volumes[0]', 3, /mapping/],
  ['a volume id twice', yamlOf({ volumes: '[ { id: a, path: /a }, { id: a, path: /b } ]' }), 'volumes[1].id', 3, /already taken/],
  ['a volume folder twice', yamlOf({ volumes: '[ { id: a, path: /a/b }, { id: b, path: /a/./b/ } ]' }), 'volumes[1].path', 3, /already used as a volume/],
  ['a volume in a volume', yamlOf({ volumes: '[ { id: a, path: /a }, { id: b, path: /a/b } ]' }), 'volumes[1].path', 3, /inside a volume/],
  ['a volume around a volume', yamlOf({ volumes: '[ { id: a, path: /a/b }, { id: b, path: /a } ]' }), 'volumes[1].path', 3, /holds a volume/],
  ['a volume that is the state folder', yamlOf({ volumes: '[ { id: a, path: /var/lib/custos } ]' }), 'volumes[0].path', 3, /state folder/],
  ['the state folder in a volume', yamlOf({ volumes: '[ { id: a, path: /var/lib } ]' }), 'volumes[0].path', 3, /holds the state folder/],
  ['an archive in a volume', yamlOf({ archive: '{ dir: /srv/custos/disk1/archive, quota: 1GiB }' }), 'archive.dir', 4, /inside a volume/],
  ['an inbox in the archive', yamlOf({ archive: '{ dir: /srv/a, quota: 1GiB }', inbox: '{ dir: /srv/a/in }' }), 'inbox.dir', 5, /inside the archive/],
  ['a decimal unit', yamlOf({ archive: '{ dir: /srv/a, quota: 200GB }' }), 'archive.quota', 4, /GB is ambiguous/],
  ['a size without a unit', yamlOf({ archive: '{ dir: /srv/a, quota: 200 }' }), 'archive.quota', 4, /KiB, MiB/],
  ['a size of nothing', yamlOf({ archive: '{ dir: /srv/a, quota: 0GiB }' }), 'archive.quota', 4, /size/],
  ['a floor in weeks', yamlOf({ retention: '{ floor: 5w }' }), 'retention.floor', 4, /"31d"/],
  ['a floor of nothing', yamlOf({ retention: '{ floor: 0d }' }), 'retention.floor', 4, /"31d"/],
  ['a floor of a century', yamlOf({ retention: '{ floor: 36500d }' }), 'retention.floor', 4, /3660d/],
  ['insisting without a reason', yamlOf({ retention: '{ insist: { by: 王主任 } }' }), 'retention.insist.reason', 4, /"reason" is missing/],
  ['insisting by nobody', yamlOf({ retention: '{ insist: { by: " ", reason: r } }' }), 'retention.insist.by', 4, /not only blanks/],
  ['insisting in a word', yamlOf({ retention: '{ insist: yes }' }), 'retention.insist', 4, /mapping/],
  ['calendars in a volume', yamlOf({ office: '{ calendar: /srv/custos/disk1/cal }' }), 'office.calendar', 4, /inside a volume/],
  ['rule sets at a relative path', yamlOf({ office: '{ ruleSets: rules }' }), 'office.ruleSets', 4, /must start at/],
  ['a switch for the inbox', yamlOf({ inbox: 'false' }), 'inbox', 4, /off or/],
  ['cameras as a mapping', yamlOf({ cameras: '{ lobby: {} }' }), 'cameras', 4, /list/],
  ['an empty item', yamlOf({ cameras: `\n  - ${CAMERA}\n  -\n` }), 'cameras[1]', 6, /no value/],
  ['257 cameras', yamlOf({ cameras: `[${Array.from({ length: 257 }, (_, i) => `{ id: c${i}, name: n, onvif: { host: h } }`).join()}]` }), 'cameras', 4, /0 to 256 cameras/],
  ['a camera id twice', yamlOf({ cameras: `\n  - ${CAMERA}\n  - ${CAMERA}` }), 'cameras[1].id', 6, /already taken/],
  ['an id in capitals', camera('onvif: { host: h }').replace('id: door', 'id: Door'), 'cameras[1].id', 6, /a-z/],
  ['yes for audio', camera('audio: yes, onvif: { host: h }'), 'cameras[1].audio', 6, /true or false/],
  ['a place that turns the reading direction', camera('place: "一樓\u202e", onvif: { host: h }'), 'cameras[1].place', 6, /characters/],
  ['priority 0', camera('priority: 0, onvif: { host: h }'), 'cameras[1].priority', 6, /1 \(most important\) to 9/],
  ['priority 10', camera('priority: 10, onvif: { host: h }'), 'cameras[1].priority', 6, /1 \(most important\) to 9/],
  ['a priority in words', camera('priority: high, onvif: { host: h }'), 'cameras[1].priority', 6, /whole number/],
  ['a bitrate in bytes', camera('streams: { main: { url: "rtsp://h/", bitrate: 4MB/s } }'), 'cameras[1].streams.main.bitrate', 6, /Mbit\/s or kbit\/s/],
  ['a bitrate without a unit', camera('streams: { main: { url: "rtsp://h/", bitrate: 4000000 } }'), 'cameras[1].streams.main.bitrate', 6, /Mbit\/s or kbit\/s/],
  ['a lower stream that is the same', camera('onvif: { host: h }, streams: { main: { lower: { profile: main } } }'), 'cameras[1].streams.main.lower', 6, /would save nothing/],
  ['a lower stream without a source', camera('streams: { main: { url: "rtsp://h/", lower: {} } }'), 'cameras[1].streams.main.lower', 6, /no source/],
  ['a lower stream of unclear profile', camera('onvif: { host: h }, streams: { main: { lower: {} } }'), 'cameras[1].streams.main.lower', 6, /main or sub/],
  ['an account in a lower URL', camera('streams: { main: { url: "rtsp://h/", lower: { url: "rtsp://admin:hunter2@h/" } } }'), 'cameras[1].streams.main.lower.url', 6, /secrets file/],
  ['a lower stream below a lower one', camera('streams: { main: { url: "rtsp://h/", lower: { url: "rtsp://h/2", lower: { url: "rtsp://h/3" } } } }'), 'cameras[1].streams.main.lower.lower', 6, /no setting/],
  ['no source', camera('audio: false'), 'cameras[1].streams', 6, /no source/],
  ['no streams', camera('streams: {}'), 'cameras[1].streams', 6, /1 to 8 streams/],
  ['a stream without a source', camera('streams: { main: {} }'), 'cameras[1].streams.main', 6, /no source/],
  ['both sources for a stream', camera('onvif: { host: h }, streams: { main: { url: "rtsp://h/", profile: main } }'), 'cameras[1].streams.main', 6, /both url and profile/],
  ['onvif that serves no stream', camera('onvif: { host: h }, streams: { main: { url: "rtsp://h/" } }'), 'cameras[1].onvif', 6, /keep one/],
  ['a profile without onvif', camera('streams: { main: { profile: main } }'), 'cameras[1].streams.main', 6, /needs the camera's onvif/],
  ['a stream of unclear profile', camera('onvif: { host: h }, streams: { tele: {} }'), 'cameras[1].streams.tele', 6, /main or sub/],
  ['a third profile', camera('onvif: { host: h }, streams: { main: { profile: third } }'), 'cameras[1].streams.main.profile', 6, /main or sub/],
  ['a stream name in capitals', camera('streams: { Main: { url: "rtsp://h/" } }'), 'cameras[1].streams.Main', 6, /a-z/],
  ['an account in a host', camera('onvif: { host: "admin:hunter2@10.0.0.1" }'), 'cameras[1].onvif.host', 6, /secrets file/],
  ['an account in a URL', url('rtsp://admin:hunter2@10.0.0.1/s'), 'cameras[1].streams.main.url', 6, /secrets file/],
  ['an account with a slash in a URL', url('rtsp://admin:hun/ter2@10.0.0.1/s'), 'cameras[1].streams.main.url', 6, /secrets file/],
  ['an account with a # in a URL', url('rtsp://admin:hun#ter2@10.0.0.1/s'), 'cameras[1].streams.main.url', 6, /secrets file/],
  ['a password in a query', url('rtsp://10.0.0.1/s?user=admin&password=hunter2'), 'cameras[1].streams.main.url', 6, /seems to hold a password/],
  ['another scheme', url('http://10.0.0.1/s'), 'cameras[1].streams.main.url', 6, /rtsp:\/\//],
  ['a line break in a URL', url('rtsp://10.0.0.1/s\noption x y'), 'cameras[1].streams.main.url', 6, /line breaks/],
  ['a quote in a URL', url(`rtsp://10.0.0.1/s'x`), 'cameras[1].streams.main.url', 6, /single quotes/],
  ['a URL without a host', url('rtsp:///s'), 'cameras[1].streams.main.url', 6, /valid RTSP URL/],
  ['a long URL', url(`rtsp://h/${'a'.repeat(2000)}`), 'cameras[1].streams.main.url', 6, /longer than 2000/],
  ['a credential without a file', camera('credential: door, onvif: { host: h }'), 'cameras[1].credential', 6, /no secrets file/],
  ['a tab', 'site:\n\tname: x\n', '', 2, /tabs/],
  ['a key twice', yamlOf().replace('name: 信義區戶政事務所', 'name: a, name: b'), 'site.name', 1, /twice/],
  ['an open bracket', 'site: { name: x\nstate: { dir: /a }\n', '', 2, /bracket/],
  ['an open quote', 'site:\n  name: "x\n', '', null, /quote/],
  ['crooked indenting', 'site:\n   name: x\n  timezone: UTC\n', '', 3, /indenting/],
  ['two colons in a line', 'site: name: x\n', '', 1, /colon in quotes/],
  ['two documents', `${yamlOf()}---\nsite: {}\n`, '', 5, /one YAML document/],
  ['a tag', yamlOf({ site: '!!js/function { name: x }' }), '', 1, /tags/],
  ['YAML 1.1', `%YAML 1.1\n---\n${yamlOf()}`, '', 1, /1\.2/],
  ['a list as a key', '? [a, b]\n: 1\n', '', 1, /plain text/],
  ['an unknown alias', yamlOf({ site: '{ name: *office }' }), '', null, /alias/],
  ['a list as the whole', '- a\n- b\n', '', null, /key: value/],
  ['a word as the whole', 'custos\n', '', null, /key: value/],
  ['only comments', '# site\n', '', null, /empty/],
  ['nothing', '', '', null, /empty/],
  ['old Mac line ends', 'site: x\rstate: y\r', '', null, /Mac/],
]

for (const [what, yaml, path, line, words] of REFUSALS) {
  t.test(`refuses ${what}`, async t => {
    const { config, problems, folder } = await loaded(t, yaml)
    t.equal(config, null)
    const errors = problems.filter(problem => problem.severity === 'error')
    t.match(errors, [{ file: `${folder}/custos.yaml`, path, message: { en: words } }])
    if (line !== null) t.equal(errors[0]?.line, line)
    t.equal(errors.length, 1, 'nothing else is said')
    t.ok(errors[0]?.example, 'an example is given')
    t.match(errors[0]?.message.zh, /\p{Script=Han}/u)
    t.notMatch(JSON.stringify(problems), /hunter2|ter2/)
  })
}
