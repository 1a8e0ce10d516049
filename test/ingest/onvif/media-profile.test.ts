import t from 'tap'
import { DeviceText } from '../../../src/ingest/onvif/device-text.ts'
import { chooseProfile, readProfiles, type MediaProfile } from '../../../src/ingest/onvif/media-profile.ts'
import { readXml } from '../../../src/ingest/onvif/xml-element.ts'

const profile = (token: string, more: Partial<MediaProfile> = {}): MediaProfile =>
  ({ token, name: token, sourceToken: 'v', codec: 'h264', width: 640, height: 480, fps: 15, bitrateKbps: 1000, govLength: 30, ...more })
const read = (xml: string, service: 'media' | 'media2' = 'media') => readProfiles(readXml(`<GetProfilesResponse>${xml}</GetProfilesResponse>`), service, new DeviceText(null))
const encoder = (inner: string) => `<Profiles token="t"><VideoEncoderConfiguration>${inner}</VideoEncoderConfiguration></Profiles>`

const choices: [string, readonly MediaProfile[], string | null, string | null][] = [
  ['by size', [profile('s'), profile('l', { width: 1920, height: 1080 }), profile('m', { width: 1280, height: 720 })], 'l', 's'],
  ['by bitrate where the pictures are equal', [profile('a'), profile('b', { bitrateKbps: 4000 }), profile('c', { bitrateKbps: 500 })], 'b', 'c'],
  ['by the order of the device where all is equal', [profile('a'), profile('b'), profile('c')], 'a', 'b'],
  ['H.265 like H.264', [profile('a'), profile('b', { codec: 'h265', width: 2000 })], 'b', 'a'],
  ['never another codec', [profile('a', { codec: 'other', width: 4000 }), profile('b')], 'b', null],
  ['a profile of unknown size last', [profile('a', { width: null }), profile('b')], 'b', 'a'],
  ['the sub stream of the same lens', [profile('l', { width: 1920 }), profile('x', { sourceToken: 'w', width: 100 }), profile('s')], 'l', 's'],
  ['the first lens of the device, not the largest',
  [profile('a'), profile('b', { sourceToken: 'w', width: 1920 })], 'a', null],
  ['what has no name where nothing has one',
  [profile('j', { codec: 'other', width: 4000 }), profile('u', { codec: 'unknown' })], 'u', null],
  ['H.264 before what has no name', [profile('u', { codec: 'unknown', width: 4000 }), profile('a')], 'a',
  null],
  ['nothing where nothing fits', [profile('a', { codec: 'other' })], null, null],
  ['nothing where there is nothing', [], null, null],
]
for (const [what, profiles, main, sub] of choices) {
  t.test(`chooses ${what}`, t => {
    for (const [profile, expected] of [['main', main], ['sub', sub]] as const) {
      const choice = { profile, source: null, mayReplaceSource: true }
      if (expected === null) t.throws(() => chooseProfile(profiles, choice),
        { code: 'CUSTOS_ONVIF_NO_USABLE_PROFILE' }, profile)
      else t.equal(chooseProfile(profiles, choice).token, expected, profile)
    }
    t.end()
  })
}

t.test('knows the spellings of the codecs', t => {
  const codecs = ['H264', 'h264', 'H.264', 'video/H264', 'AVC', 'H265', 'HEVC', 'h.265', 'JPEG', 'MPEG4', 'AV1', ''].map(name => read(encoder(`<Encoding>${name}</Encoding>`))[0]?.codec)
  t.same(codecs, ['h264', 'h264', 'h264', 'h264', 'h264', 'h265', 'h265', 'h265', 'other', 'other', 'other',
    'unknown'])
  t.end()
})

t.test('says null for what is missing, nonsense or out of bounds', t => {
  const [bare] = read(encoder('<Encoding>H264</Encoding>'))
  t.match(bare, { sourceToken: null, width: null, height: null, fps: null, bitrateKbps: null, govLength: null })
  for (const value of ['-1', '0', '1e9', 'NaN', '99999999999', '0x10', ' ', '1 2', 'Infinity']) {
    const [odd] = read(encoder(`<Resolution><Width>${value}</Width></Resolution><RateControl><FrameRateLimit>${value}</FrameRateLimit><BitrateLimit>${value}</BitrateLimit></RateControl><H264><GovLength>${value}</GovLength></H264>`))
    t.match(odd, { width: null, fps: null, bitrateKbps: null, govLength: null }, value)
  }
  t.match(read(encoder('<RateControl><FrameRateLimit>30</FrameRateLimit><EncodingInterval>2</EncodingInterval></RateControl>'))[0], { fps: 15 }, 'every second frame is sent')
  t.match(read(encoder('<RateControl><FrameRateLimit>12.5</FrameRateLimit></RateControl>'))[0], { fps: 12.5 })
  t.end()
})

t.test('leaves out profiles whose token cannot be used, and lists a bounded number', t => {
  const tokens = ['', 'a\u0001b', 'x'.repeat(257), 'fine', '1.0', 'true'].map(token => `<Profiles token="${token}"/>`).join('')
  t.same(read(tokens).map(found => found.token), ['fine', '1.0', 'true'], 'tokens stay text')
  t.equal(read('<Profiles/>').length, 0)
  t.equal(read('<Profiles token="t"/>'.repeat(2000), 'media2').length, 512)
  t.end()
})

t.test('keeps to a lens: it is taken wherever it stands, and another one only where it was replaced',
  async t => {
  const lenses = [profile('a'), profile('b', { sourceToken: 'w', width: 1920 }),
    profile('c', { sourceToken: 'w' })]
  const of = (source: string | null, mayReplaceSource = true, all = lenses) =>
    chooseProfile(all, { profile: 'main', source, mayReplaceSource }).token
  t.equal(of('w'), 'b')
  t.equal(of('v'), 'a')
  t.throws(() => of('gone'), { code: 'CUSTOS_ONVIF_CHANNEL_GONE', endReason: 'channel-gone' },
    'which of the others it would be cannot be told')
  t.equal(of('gone', true, [profile('n', { sourceToken: 'new' })]), 'n', 'the only lens of another device')
  t.throws(() => of('gone', false, [profile('n', { sourceToken: 'new' })]),
    { code: 'CUSTOS_ONVIF_CHANNEL_GONE' }, 'not where one was named')
})
