import { execFile } from 'node:child_process'
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { checkpointBody, noteText } from '../../src/audit/checkpoint.ts'
import { canonicalJson } from '../../src/audit/index.ts'
import { entryHash, entryText, ZERO_HASH } from '../../src/audit/entry.ts'
import { cameraId, cameraUuid, epochMs, generation, isoOf, slotNumber, streamName, volumeUuid, type AuditValue, type EpochMs } from '../../src/domain/index.ts'
import { GAP_TEXTS, planClip, writeClip, type FootageSource } from '../../src/export/index.ts'
import { FRAGMENT_OPTIONS } from '../../src/ingest/ffmpeg-arguments.ts'
import { inclusionPath, merklePath, merkleRoot, rootOf, subtreesOf } from '../../src/platform/merkle.ts'
import { readSlot } from '../../src/slots/slot-walk.ts'
import { encodeSlotStart, freeHeader } from '../../src/slots/slot-format.ts'
import { SlotWriter } from '../../src/storage/slot-writer.ts'
import { footageOf, timedFragment, type Footage } from './fragments.ts'
import { MemoryFileSystem } from './memory-file-system.ts'

const run = promisify(execFile)

export const FPS = 10
const BITS = 10, CELL = 32
export const COUNTER_HEIGHT = 40
export const PICTURE = { width: 640, height: 360 }

/** A test picture with its frame number in the top row, white for 1, the lowest bit at the left. Baseline H.264, a key frame a second, in the recorder's own fragments. */
export async function countedFootage(folder: string, seconds: number, { codec = 'libx264', firstFrame = 0 }: { readonly codec?: 'libx264' | 'libx265', readonly firstFrame?: number } = {}): Promise<Footage> {
  const cells = Array.from({ length: BITS }, (_, bit) => `drawbox=x=${bit * CELL}:y=0:w=${CELL}:h=${COUNTER_HEIGHT}:color=white:t=fill:enable='mod(floor((n+${firstFrame})/${2 ** bit}),2)'`)
  const source = `testsrc=size=${PICTURE.width}x${PICTURE.height}:rate=${FPS},format=yuv420p,drawbox=x=0:y=0:w=${BITS * CELL}:h=${COUNTER_HEIGHT}:color=black:t=fill,${cells.join(',')}`
  const profile = codec === 'libx264' ? ['-profile:v', 'baseline', '-sc_threshold', '0'] : ['-x265-params', `log-level=error:keyint=${FPS}:min-keyint=${FPS}:bframes=0:pools=none`]
  const [raw, mp4] = [path.join(folder, `counted-${firstFrame}.mkv`), path.join(folder, `counted-${firstFrame}.mp4`)]
  await run('ffmpeg', ['-y', '-v', 'error', '-f', 'lavfi', '-i', source, '-t', String(seconds), '-c:v', codec, '-preset', 'ultrafast', '-crf', '20', '-threads', '1', ...profile, '-g', String(FPS), '-keyint_min', String(FPS), '-bf', '0', raw], { timeout: 60_000 })
  await run(
    'ffmpeg', ['-y', '-v', 'error', '-i', raw, '-c:v', 'copy', ...FRAGMENT_OPTIONS.flat(), '-f', 'mp4', mp4],
    { timeout: 60_000 }
  )
  const footage = footageOf(await readFile(mp4))
  await Promise.all([rm(raw), rm(mp4)])
  return footage
}

const SLOT_BYTES = 8 << 20

/** One slot generation with these fragments, sealed; the first begins at `at`. */
async function slotOf(footage: Footage, { slot, camera, at }: { readonly slot: number, readonly camera: string, readonly at: number }): Promise<FootageSource> {
  const fs = new MemoryFileSystem()
  const header = {
    volumeUuid: volumeUuid('0'.repeat(32)), slot: slotNumber(slot), generation: generation(1), cameraId: cameraId(camera), cameraUuid: cameraUuid('1'.repeat(32)), stream: streamName('main'),
    startAt: epochMs(at), floorRule: '31d Asia/Taipei', slotSizeBytes: SLOT_BYTES,
  }
  await fs.createAllocated('/slot', SLOT_BYTES, 'test')
  const file = await fs.open('/slot', 'read-write', 'test'), start = encodeSlotStart(header, footage.init.ftyp, footage.init.moov)
  await file.write(Buffer.concat([start, freeHeader(SLOT_BYTES - start.length)]), 0, 'test')
  const writer = new SlotWriter({ file, slot: header.slot, generation: header.generation, startAt: header.startAt, init: footage.init, slotSizeBytes: SLOT_BYTES, endByte: start.length })
  for (let i = 0, startAt = at; i < footage.count; i++) {
    const timed = timedFragment(footage.init, footage.fragment(i), { runId: 1, startAt })
    await writer.append(timed)
    startAt += timed.fragment.tracks[0]!.durationTicks * 1000 / footage.init.video.timescale
  }
  await writer.seal(endAt => endAt)
  const read = await readSlot(file, SLOT_BYTES)
  if (read.kind !== 'footage') throw new Error(`slot is ${read.kind}`)
  return { footage: read, read: async position => { const { at: from, sizeBytes } = read.entries[position]!; return Buffer.from(fs.bytesOf('/slot').subarray(from, from + sizeBytes)) } }
}

export interface PackageCamera { readonly id: string, readonly name: string, readonly parts: readonly { readonly footage: Footage, readonly startAt: EpochMs }[], /** Told as recorded by its key frames alone. */ readonly thinned?: { readonly from: EpochMs, readonly to: EpochMs } }
export interface MadePackage { readonly folder: string, readonly fingerprint: string }

const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex')
const stamp = (at: EpochMs): string => isoOf(at).replace(/[-:.]/g, '')

/** Writes a whole evidence package as the recorder makes it, signed by a key of its own (node:crypto and openssl). Gaps are what lies between a camera's parts. */
export async function makeEvidencePackage(folder: string, cameras: readonly PackageCamera[], player: string): Promise<MadePackage> {
  const files = new Map<string, Buffer>(), videos: AuditValue[] = [], gaps: AuditValue[] = []
  let slot = 0
  for (const { id, name, parts, thinned } of cameras) {
    if (thinned !== undefined) gaps.push({ cameraId: id, cameraName: name, stream: 'main', from: isoOf(thinned.from), to: isoOf(thinned.to), cause: { code: 'key-frames-only', ...GAP_TEXTS['key-frames-only'] } })
    let lastEnd: EpochMs | null = null
    for (const { footage, startAt } of parts) {
      const source = await slotOf(footage, { slot: slot++, camera: id, at: startAt })
      const { entries, init } = source.footage, hashes = entries.map(entry => entry.sha256)
      const [part] = planClip([source], { startAt: epochMs(0), endAt: epochMs(startAt + 86_400_000) }).parts
      const chunks: Buffer[] = []
      const { records, sha256: videoHash, bytes } = await writeClip(part!, async chunk => { chunks.push(Buffer.from(chunk)) })
      const video = `video/${id}_${stamp(part!.startAt)}.mp4`
      let offset = init.ftyp.length + init.moov.length
      videos.push({
        path: video, cameraId: id, cameraUuid: '1'.repeat(32), cameraName: name, location: null, maker: null, model: null, firmware: null, stream: 'main', codec: 'avc1.42c01e', widthPx: PICTURE.width, heightPx: PICTURE.height, fps: FPS, bitrateBps: 1,
        firstFrameAt: isoOf(part!.startAt), endAt: isoOf(part!.endAt), frames: entries.length, bytes, sha256: videoHash, preRoll: null, mediaSigning: 'none',
        segments: [{ volume: 'v1', slot: slot - 1, generation: 1, merkleRoot: merkleRoot(hashes).toString('hex'), leaves: hashes.length, isSealed: true, auditSeq: null }],
        records: records.map((record, i) => {
          const { sizeBytes, startsWithKey } = entries[i]!
          offset += sizeBytes
          return {
            segment: 0, sequence: record.sequence, offset: offset - sizeBytes, bytes: sizeBytes, at: record.at, durationMs: record.durationMs, frames: 5, key: startsWithKey, cut: false, sha256: record.sha256,
            proof: merklePath(hashes, i).map(step => step.toString('hex')),
          }
        }),
      })
      files.set(video, Buffer.concat(chunks))
      if (lastEnd !== null) gaps.push({ cameraId: id, cameraName: name, stream: 'main', from: isoOf(lastEnd), to: isoOf(part!.startAt), cause: { code: 'camera-unreachable', zh: '攝影機斷線', en: 'camera unreachable' } })
      lastEnd = part!.endAt
    }
  }
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256', publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } })
  const fingerprint = sha256(createPublicKey(publicKey).export({ type: 'spki', format: 'der' }))
  const { entries, proofs, checkpoint } = auditOf(privateKey, fingerprint)
  await mkdir(folder, { recursive: true })
  const [keyFile, certFile] = [`${folder}.key`, `${folder}.crt`]
  await writeFile(keyFile, privateKey, { mode: 0o600 })
  await run('openssl', ['req', '-x509', '-new', '-key', keyFile, '-subj', '/CN=Custos test recorder', '-days', '3650', '-sha256', '-out', certFile])
  for (const [name, content] of [
    ['README_請先閱讀.html', '<!doctype html>'], ['VERIFY.txt', 'sha256sum -c SHA256SUMS\n'], ['pub.pem', publicKey], ['recorder-cert.pem', await readFile(certFile)], ['custody.json', '{}\n'],
    ['checkpoint.txt', checkpoint], ['audit/entries.jsonl', entries], ['audit/proofs.json', proofs], ['player/player.html', player],
  ] as const) files.set(name, Buffer.from(content))
  const person = { account: 'wang', name: '王小明', role: '管理人員' }
  const manifest = Buffer.from(canonicalJson({
    format: 'custos-evidence/1', packageId: '115-0001-1', createdAt: '2026-11-23T02:00:00.000Z', createdOn: '民國115年11月23日', timezone: 'Asia/Taipei',
    application: { number: '115-0001', form: 'attachment-2', formTitle: '調閱／複製申請書', legalBasis: '刑事訴訟法第 133 條', agency: '臺灣臺北地方檢察署', purpose: '偵查', preRollAllowed: false, scope: cameras.map(({ id, name, parts }) => ({ cameraId: id, cameraUuid: '1'.repeat(32), cameraName: name, from: isoOf(parts[0]!.startAt), to: isoOf(epochMs(parts.at(-1)!.startAt + 86_400_000)) })), approvals: [], ruleSet: 'test' },
    exporter: person, witness: { ...person, account: 'li', name: '李大華' }, recorder: { make: 'Custos', model: 'test', serial: 'T1', version: '0.1.0' },
    key: { algorithm: 'ECDSA P-256 SHA-256', fingerprint }, time: {}, redaction: 'none', masks: [], videos, gaps,
    files: [...files].map(([name, bytes]) => ({ path: name, bytes: bytes.length, sha256: sha256(bytes) })).sort((a, b) => a.path < b.path ? -1 : 1),
  }))
  files.set('manifest.json', manifest)
  files.set('SHA256SUMS', Buffer.from([...files].map(([name, bytes]) => `${sha256(bytes)}  ${name}\n`).sort().join('')))
  files.set('manifest.sig', sign('sha256', manifest, createPrivateKey(privateKey)))
  for (const [name, bytes] of files) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true })
    await writeFile(path.join(folder, name), bytes)
  }
  await run('openssl', ['cms', '-sign', '-binary', '-in', path.join(folder, 'manifest.json'), '-signer', certFile, '-inkey', keyFile, '-md', 'sha256', '-outform', 'DER', '-out', path.join(folder, 'manifest.p7s')])
  await Promise.all([rm(keyFile), rm(certFile)])
  return { folder, fingerprint }
}

/** A log of twelve entries; those of the case, with their proofs, and two signed checkpoints with the proof between them. */
function auditOf(privateKey: string, keyFingerprint: string): { readonly entries: string, readonly proofs: string, readonly checkpoint: string } {
  const texts: string[] = [], leaves: Buffer[] = []
  for (let seq = 1; seq <= 12; seq++) {
    const prevHash = leaves.at(-1) ?? ZERO_HASH
    const at = epochMs(Date.parse('2026-11-23T01:00:00.000Z') + seq * 1000)
    const text = entryText({ seq, at, trustedAt: at, clock: 'synchronised', actor: { kind: 'account', name: '王小明', role: '管理人員', source: null }, action: 'copy.released', object: null, application: seq % 3 === 0 ? '115-0001' : null, result: 'done', detail: canonicalJson({ number: seq, 備註: '測試' }), prevHash } as Parameters<typeof entryText>[0])
    texts.push(text)
    leaves.push(entryHash(text))
  }
  const size = texts.length, subtree = subtreesOf(leaves), origin = 'custos/0123456789abcdef'
  const root = rootOf(subtree, size)
  const facts = { origin, size, root, at: epochMs(Date.parse('2026-11-23T02:00:00.000Z')), lastHash: leaves.at(-1)!, keyFingerprint, also: [] }
  const body = checkpointBody(facts)
  const mine = texts.map((text, i) => ({ text, seq: i + 1 })).filter(({ seq }) => seq % 3 === 0)
  return {
    entries: mine.map(({ text }) => `${text}\n`).join(''),
    proofs: `${JSON.stringify({ schema: 1, size, root: root.toString('hex'), proofs: mine.map(({ seq }) => ({ seq, leaf: leaves[seq - 1]!.toString('hex'), path: inclusionPath(subtree, seq - 1, size).map(step => step.toString('hex')) })), consistency: null, earlier: [] })}\n`,
    checkpoint: noteText({ ...facts, body, signature: sign('sha256', Buffer.from(body), createPrivateKey(privateKey)) }),
  }
}
