import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { crc32 } from 'node:zlib'
import t from 'tap'
import { CLIPS, clipIndex } from '../support/cameras/make-clips.ts'

const MAKERS = 3
const MAKE_CLIPS = join(import.meta.dirname, '../support/cameras/make-clips.ts')
/** What a test has in hand when the clip was made for it: the place, and the bytes that its camera is going to send. */
const SCRIPT = `
  import { createHash } from 'node:crypto'
  import { readFileSync } from 'node:fs'
  import { clip, CLIPS } from ${JSON.stringify(MAKE_CLIPS)}
  const path = await clip(CLIPS.h265Small, process.argv[1])
  console.log(JSON.stringify({ path, sha256: createHash('sha256').update(readFileSync(path)).digest('hex') }))`

void t.test('processes that make one clip at the same time all get the same bytes, and nobody changes them later', async t => {
  const folder = t.testdir()
  const makers = await Promise.all(Array.from({ length: MAKERS }, () => promisify(execFile)(process.execPath, ['--input-type=module-typescript', '-e', SCRIPT, folder])))
  const made = makers.map(({ stdout }) => JSON.parse(stdout) as { path: string, sha256: string })
  const { path } = made[0]!
  const bytes = await readFile(path), sha256 = createHash('sha256').update(bytes).digest('hex')
  t.same(made, made.map(() => ({ path, sha256 })), 'what each was given is what is there at the end')
  const index = await clipIndex(path), last = index.frameIndex.at(-1)!
  t.equal(index.frameIndex.length, CLIPS.h265Small.frames)
  t.equal(last.offset + last.sizeBytes, bytes.length, 'the index ends where the clip ends')
  // One NAL unit at its end fills a predicted frame, so its check sum needs no parser.
  const strange = index.frameIndex.filter(({ key, offset, sizeBytes, vclBytes, vclCrc32 }) => !key && crc32(bytes.subarray(offset + sizeBytes - vclBytes, offset + sizeBytes)) !== vclCrc32)
  t.same(strange, [], 'the index is that of the bytes')
})
