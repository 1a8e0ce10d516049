import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { descend, readXml, readXmlInSlices, textAt, XmlError } from '../../../src/ingest/onvif/xml-element.ts'

t.test('reads elements, attributes and text without their prefixes', t => {
  const root = readXml('\uFEFF<?xml version="1.0"?>\n<!-- a --><s:A xmlns:s="urn:x" tt:token = \'1\' GovLength="5"><b/> text <tt:b x="&quot;">\n&lt;&#65;&#x42;&amp;amp; </tt:b><![CDATA[<&]]></s:A>\0 rest')
  t.same(root.name, 'A')
  t.same([...root.attributes], [['token', '1'], ['GovLength', '5']])
  t.equal(root.text, 'text <&')
  t.same(root.children.map(child => [child.name, child.text, child.attributes.get('x')]), [['b', '', undefined], ['b', '<AB&amp;', '"']])
  t.equal(textAt(root, 'b'), undefined)
  t.equal(descend(root, 'b', 'c'), undefined)
  t.end()
})

t.test('keeps a bare ampersand, as cameras send it', t => {
  t.equal(readXml('<Uri>rtsp://h/?a=1&b=2&copy=3</Uri>').text, 'rtsp://h/?a=1&b=2&copy=3')
  t.equal(readXml('<a>&#0;&#xD800;&#x110000;</a>').text, '\uFFFD\uFFFD\uFFFD')
  t.end()
})

t.test('refuses what is no XML or has no business in an answer', t => {
  for (const text of ['', ' ', 'x', 'x<a/>', '<', '<a', '<a>', '<a b>', '<a b=c/>', '<a b="1/>', '<a b="<"/>', '<a></b>', '</a>', '<a><b></a></b>', '<1/>', '<a', '<!-- ', '<?x', '<a><![CDATA[x</a>',
    '<![CDATA[x]]><a/>', '<!DOCTYPE a><a/>', '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', '<a><!DOCTYPE b></a>', `<${'a'.repeat(200)}/>`, '<a>'.repeat(49) + '</a>'.repeat(49), `<a>${'<b/>'.repeat(100_000)}</a>`, `<a>${'&lt;'.repeat(50_001)}</a>`]) {
    t.throws(() => readXml(text), XmlError, JSON.stringify(text.slice(0, 40)))
  }
  t.end()
})

// The package's own reader takes 17 s for 256 KiB of the first of these, and 64 times that for 2 MiB.
t.test('takes time linear to the length of what a hostile device sends', t => {
  const sizeBytes = 2 * 1024 * 1024
  const fill = (piece: string) => piece.repeat(Math.floor(sizeBytes / piece.length))
  const hostile = ['xmlns', '&', '&#x', '<', '<a ', '</', '<!--', '<![CDATA[', '<a b="', '<a b=', ' a=""', '<a/>', '\n', '<a>', 'a:', '&amp;', '<?'].flatMap(piece => [`<a>${fill(piece)}</a>`, `<a ${fill(piece)}`, `<a b="${fill(piece)}`, fill(piece)])
  let worstMs = 0
  for (const text of hostile) {
    const startedAt = performance.now()
    try { readXml(text) } catch (error) { if (!(error instanceof XmlError)) throw error }
    worstMs = Math.max(worstMs, performance.now() - startedAt)
  }
  t.ok(worstMs < 3000, `${Math.round(worstMs)} ms for the worst of ${hostile.length}`)
  t.end()
})

t.test('takes the answer of a 64-channel recorder', t => {
  const profile = '<trt:Profiles token="p"><tt:VideoEncoderConfiguration token="v">' + '<tt:Setting><tt:Value>1</tt:Value></tt:Setting>'.repeat(60) + '</tt:VideoEncoderConfiguration></trt:Profiles>'
  const startedAt = performance.now()
  t.equal(readXml(`<r>${profile.repeat(192)}</r>`).children.length, 192)
  t.comment(`${Math.round(performance.now() - startedAt)} ms for ${Math.round(profile.length * 192 / 1024)} KiB`)
  t.end()
})

const attributes = (count: number): string => Array.from({ length: count }, (_, i) => ` a${i}='b'`).join('')
t.test('a bounded number of attributes and references is read, of an element and in all', async t => {
  t.equal(readXml(`<a${attributes(400)}/>`).attributes.size, 400)
  t.throws(() => readXml(`<a${attributes(401)}/>`), { name: 'XmlError', message: /attributes/ })
  t.throws(() => readXml(`<a${' xmlns:b=""'.repeat(401)}/>`), { name: 'XmlError', message: /attributes/ })
  const full = `<b${attributes(400)}/>`
  t.equal(readXml(`<a>${full.repeat(150)}</a>`).children.length, 150)
  t.throws(() => readXml(`<a>${full.repeat(151)}</a>`), { name: 'XmlError', message: /attributes/ })
  t.throws(() => readXml(`<a>${'&amp;'.repeat(20_001)}</a>`), { name: 'XmlError', message: /references/ })
  const bounds = { elements: 3, attributes: 2, references: 1 }
  t.equal(readXml('<a b="&amp;"><c d=""/><e/></a>', bounds).children.length, 2)
  for (const text of ['<a><b/><c/><d/></a>', '<a b="" c="" d=""/>', '<a b="" c=""><d e=""/></a>',
    '<a>&&</a>']) {
    t.throws(() => readXml(text, bounds), XmlError, text)
  }
})

t.test('others have their turn while a long answer is read, whose result is the same', async t => {
  for (const [what, text] of Object.entries({
    'elements': `<a>${'<b c="d">e</b>'.repeat(50_000)}</a>`,
    'attributes': `<a>${`<b${attributes(399)}/>`.repeat(150)}</a>`,
    'comments': `<a>${'<!-- -->'.repeat(50_000)}</a>`,
  })) {
    let turns = 0, isOver = false
    const counting = (async () => { for (; !isOver; turns++) await turn() })()
    const root = await readXmlInSlices(text)
    isOver = true
    await counting
    t.ok(turns >= 45, `${what}: ${turns} turns`)
    t.equal(JSON.stringify(root), JSON.stringify(readXml(text)))
  }
  await t.rejects(readXmlInSlices(`<a>${'<b/>'.repeat(100_001)}</a>`), XmlError)
  await t.rejects(readXmlInSlices('<a>'), XmlError)
})
