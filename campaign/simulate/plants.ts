import type { Replacement } from './source-hooks.ts'

/**
 * A fault planted into the program: texts of its sources replaced, and what the oracle must say when it
 * finds it.
 */
export interface Plant { readonly name: string, readonly replacements: readonly Replacement[], readonly finds: RegExp }

const one = (name: string, finds: RegExp, file: string, text: string, by: string): Plant => ({ name, finds, replacements: [{ file: `src/${file}`, text, by }] })
const several = (name: string, finds: RegExp, replacements: readonly (readonly [file: string, text: string, by: string])[]): Plant =>
  ({ name, finds, replacements: replacements.map(([file, text, by]) => ({ file: `src/${file}`, text, by })) })

const GUARD = [
  one('guard a day short', /^G1: .*before its floor ends/, 'retention/keep-until.ts', 'recordingDay.add({ days: rule.floor.days + 1 })', 'recordingDay.add({ days: rule.floor.days })'),
  one('guard ignores the floor at recording', /^G1: .*before its floor ends/, 'retention/guard.ts',
    'Math.max(candidate.keepUntil ?? 0, keepUntil(floorNow, candidate.newestFrameAt))', 'keepUntil(floorNow, candidate.newestFrameAt)'),
  one('guard ignores a raised floor', /^G1: .*before its floor ends/, 'retention/guard.ts',
    'Math.max(candidate.keepUntil ?? 0, keepUntil(floorNow, candidate.newestFrameAt))', '(candidate.keepUntil ?? 0)'),
  several('guard by the wall clock', /^G1: .*before its floor ends/, [
    ['storage/ring.ts', 'chooseSlot(among.map(volume => this.#choiceOf(volume)), floor, trustedTime.now())', 'chooseSlot(among.map(volume => this.#choiceOf(volume)), floor, clock.wallNow())'],
    ['storage/ring.ts', 'freeSlots: 0 })), floor, trustedTime.now())', 'freeSlots: 0 })), floor, clock.wallNow())'],
  ]),
  one('footage stamped by the wall clock alone', /^G1: .*before its floor ends/, 'storage/stream-lane.ts',
    'Math.max(open.newestAt, this.#options.trustedTime.trustedOf(epochMs(timed.startAt + timed.durationMs)))', 'timed.startAt + timed.durationMs'),
  one('trusted time believes a forward jump', /^G1: .*before its floor ends/, 'trusted-time/time-machine.ts',
    'const shownMs = claimMs === null ? -1 :', 'claimMs ??= reading.wallMs - trustedMs > STEPPED_MS ? reading.wallMs - trustedMs : null\n  const shownMs = claimMs === null ? -1 :'),
  one('the allowance of trusted time is reset at each boot', /^G1: .*before its floor ends/, 'trusted-time/time-machine.ts',
    '...saved, monoMs: reading.monoMs, bootId: reading.bootId,', '...saved, allowanceMs: ALLOWANCE_MS, monoMs: reading.monoMs, bootId: reading.bootId,'),
  one('restamp forgotten', /^G1: .*before its floor ends/, 'storage/ring.ts',
    'moves.add(since, byMs)', 'if (since < 0) moves.add(since, byMs)'),
  one('overwritten without an audit entry', /^G10: .*no audit entry/, 'storage/ring.ts', 'const { seq } = audit.append({', 'const { seq } = ((_: unknown) => ({ seq: audit === null ? 1 : 0 }))({'),
  one('lease ignored', /^G1: .*while somebody reads/, 'storage/leases.ts', 'if (holders === undefined) return false', 'if (holders !== undefined || this.#expiries !== null) return false'),
]

const ARCHIVE = [
  one('an archived copy goes a day early', /^G3: .*before its year ends/, 'archive/guard.ts', 'return now >= until ?', 'return now >= until - 86_400_000 ?'),
  one('an archived copy stays for ever', /^G3: .*is still there/, 'archive/sweeper.ts',
    '(endsAt === null || now < endsAt)', '(endsAt === null || now > 0)'),
  one('a copy put in while both clocks were behind is not dated again', /^G3: .*before its year ends/, 'archive/archive.ts',
    'stamp: isSure ? null : trustedTime.stamp(),', 'stamp: null,'),
]

/** Footage that stays too long. */
const REUSE = [
  one('the ring never reuses', /^reuse: the ring is full/, 'retention/choose-slot.ts', "if (verdict.allowed) return { kind: 'reuse'", "if (verdict.allowed && trustedNow === null) return { kind: 'reuse'"),
  one('reuse asks one floor rule only', /^reuse: .*was overwritten before/, 'storage/tables/segments.ts', 'rule !== null; rule = nextRule.get(volume, rule)?.rule ?? null)', 'rule !== null; rule = null)'),
  one('reuse does not compare volumes', /^reuse: .*was overwritten before/, 'retention/choose-slot.ts', '\n    .sort((a, b) => newestOf(a.candidate) - newestOf(b.candidate))', '\n  void newestOf'),
  one('reuse goes by the number of the slot', /^reuse: /, 'storage/tables/segments.ts', 'ORDER BY newest_at LIMIT ? OFFSET ?`)', 'ORDER BY slot LIMIT ? OFFSET ?`)'),
  one('a slot made ready ahead of need is not zeroed', /^reuse: .*still stands in its slot/, 'storage/ring.ts', "await zeroSlot(volumes.io, volume, row, 'reclaim')", 'void zeroSlot'),
]

const HOLDS = [
  one('hold not written to the volumes', /^G2: hold/, 'storage/hold-book.ts', '    await this.#options.fs.publishText(path.join(volume.path, HOLDS_FILE), text, \'holds\')\n    this.#written', '    await Promise.resolve()\n    this.#written'),
  one('hold lost when placed on an open segment', /^G2: .*is under hold/, 'storage/ring.ts', '      holds.recount(row)\n', '      void holds\n'),
  one('hold not counted', /^G2: .*is under hold/, 'storage/tables/holds.ts', '      recount(hold.cameraUuid, hold.fromAt, hold.toAt)\n    },\n    /** False when', '    },\n    /** False when'),
  one('holds of the volumes not taken in', /^G2: hold/, 'storage/hold-book.ts', 'const unknown = told.filter(hold => holds.find(hold.holdId) === null)', 'const unknown = told.filter(hold => holds.find(hold.holdId) === null && hold.holdId === "")'),
]

const FOUND = [
  one('a slot goes on under another floor', /^G1: .*before its floor ends/, 'storage/unfinished-footage.ts',
    'if (newest !== null && (isPassed || floorRuleText(newest.floor) !== floorRuleText(this.#options.floor))) {',
    'if (newest !== null && (isPassed || floorRuleText(newest.floor) === "")) {'),
  one('a slot that is being sealed does not move with trusted time', /^G1: .*before its floor ends/, 'storage/ring.ts',
    'const keepUntilOf = () => keepUntil(open.floor, open.newestAt)\n    try {',
    'const keepUntilOf = () => keepUntil(open.floor, open.newestAt)\n    this.#unsealed.delete(open)\n    try {'),
  several('holds do not reach a volume that was away', /^G2: hold/, [
    ['storage/storage.ts', '      this.holds.forget(volume)\n', ''],
    ['storage/hold-book.ts', 'if (this.#written.get(volume.identity.uuid) !== this.#list.text)', 'if (!this.#written.has(volume.identity.uuid))'],
  ]),
  one('a predecessor that is read late is not told', /^G7: /, 'storage/past-gaps.ts',
    "if (knownAt - endAt > TRIVIAL_GAP_MS) runs.addGap(of, endAt, knownAt, 'recorder-killed', now, this.#behind(run.id))",
    'void knownAt'),
  one('what a backup recorded keeps its stamps at a rebuild', /^G1: .*before its floor/, 'storage/rebuild-time.ts',
    'lag: byMs > LEAST_LAG_MS ?', 'lag: byMs < -Infinity + LEAST_LAG_MS ?'),
]

const GAPS = [
  one('a camera that is added is never recorded', /^G7: .*is configured since/, 'daemon/apply-cameras.ts', 'for (const camera of cameras) {', "for (const camera of cameras.filter(({ id }) => !id.startsWith('x'))) {"),
  one('footage between two slots that were open is told as lost', /^G7: .*is there, and a gap tells/, 'storage/past-gaps.ts',
    'filter(segment => !waiting.has(segmentKey(segment)))', 'filter(() => false)'),
  one('a gap is never over', /^G7: .*is not over/, 'storage/stream-lane.ts', '      runs.closeGap(this.#options, endsAt, TRIVIAL_GAP_MS)', '      void [endsAt, TRIVIAL_GAP_MS]'),
  one('a gap begins a minute early', /^G7: .*is there, and a gap tells/, 'storage/stream-lane.ts',
    'runs.openGap({ cameraUuid, stream }, endAt, reason, now) // of a run', 'runs.openGap({ cameraUuid, stream }, epochMs(endAt - 60_000), reason, now) // of a run'),
  one('gap of a step of the clock not told', /^G7: /, 'storage/stream-lane.ts',
    'runs.openGap({ cameraUuid, stream }, endAt, reason, now) // of a run', "if (reason !== 'clock-stepped') runs.openGap({ cameraUuid, stream }, endAt, reason, now) // of a run"),
  one('gap of a kill not told while the clock is behind', /^G7: /, 'storage/past-gaps.ts',
    "      runs.addGap(of, lostFrom, epochMs(Math.max(lostFrom, ranTo)), 'recorder-killed', now, this.#behind(runId))",
    '      void ranTo'),
  one('a start ends its own gap by footage of a clock ahead', /^G7: .*is there, and a gap tells/, 'storage/past-gaps.ts',
    'gap !== null && gap.startAt !== firstKnownAt && lastFrameEnd', 'gap !== null && firstKnownAt !== 0 && lastFrameEnd'),
  one('a gap that was over at a kill is told on when its footage is found late', /^G7: .*is there, and a gap tells/,
    'storage/past-gaps.ts', '    this.#split(of, runs)\n', ''),
  one('a rebuild looks for the newest footage among runs alone', /^G7: .*is there, and a gap tells/, 'storage/tables/rebuilt-gaps.ts',
    'FROM (SELECT * FROM known UNION ALL SELECT * FROM found)', 'FROM (SELECT * FROM known)'),
  one('the gap that lasts tells of what is still to come', /^G7: .*cannot be found/, 'storage/tables/runs.ts',
    'endAt: (to ?? Math.max(from, noticedAt)) as EpochMs', 'endAt: (to ?? endAt) as EpochMs'),
  one('a rebuild leaves gaps over what it found', /^G7: .*is there, and a gap tells/, 'storage/tables/rebuilt-gaps.ts',
    '  cutOut(db, now)\n', '  void cutOut\n'),
  one('gap after a run not told', /^G7: /, 'storage/stream-lane.ts', '      runs.openGap({ cameraUuid, stream }, endAt, reason, now) // of a run', '      void [cameraUuid, stream, now] // of a run'),
  one('gap ended early', /^G7: /, 'storage/stream-lane.ts', 'closeGap(this.#options, endsAt, TRIVIAL_GAP_MS)', 'closeGap(this.#options, epochMs(endsAt - 2000), TRIVIAL_GAP_MS)'),
  one('gap of a kill not told', /^G7: /, 'storage/past-gaps.ts',
    "else runs.openGapBefore(of, lostFrom, 'recorder-killed', now, runId)", 'else void runs'),
  one('gap of a failed slot not told', /^G7: /, 'storage/ring.ts', "        runs.addGap(owner, sealed.endAt, writer.endAt, 'storage-failed', clock.wallNow())\n", ''),
]

const SLOTS = [
  one('stale generation accepted', /rescue: |^G4: |^G7: |crash/, 'slots/slot-walk.ts', 'label.slot !== header.slot || label.generation !== header.generation || ', 'label.slot !== header.slot || '),
  one('CRC not checked', /^rescue: |^G7: /, 'slots/slot-format.ts', 'record.readUInt32BE(at) !== SLOT_FORMAT_VERSION || record.readUInt32BE(crcAt) !== crcAround(record, 0, crcAt, record.length)', 'record.readUInt32BE(at) !== SLOT_FORMAT_VERSION'),
  one('recovery goes past a bad record', /^rescue: |^G1: |^G7: /, 'slots/slot-walk.ts', '    if (!record || !label) break\n', '    if (record !== null && label === null) { at += record.length; continue }\n    if (!record || !label) break\n'),
  one('tail not zeroed', /^G1: .*bytes/, 'storage/recovery.ts', "    await volumes.io.zeroRange(file, endByte, slotSizeBytes - endByte, 'recover tail')\n", ''),
  several('zero-range skipped at reuse', /^G1: .*bytes/, [
    ['storage/ring.ts', "      await volumes.io.zeroRange(file, 0, slotSizeBytes, 'prepare zero')\n", ''],
    ['storage/volume.ts', 'await fs.zeroRange(', 'await ((..._: unknown[]) => Promise.resolve())('],
  ]),
  one('sync skipped', /^G4: a power cut/, 'storage/slot-writer.ts', "await this.#guarded(() => this.#file.datasync(step))", 'await this.#guarded(() => Promise.resolve())'),
  several('syncs overlap, and one failure is not final', /^rescue: |^G4: |^G7: /, [
    ['storage/slot-writer.ts', '    if (this.#syncing !== null) await this.#syncing\n    if (this.#failure', '    if (this.#failure'],
    ['storage/slot-writer.ts', 'this.#syncing ??= this.#syncNow(step).finally(() => { this.#syncing = null })', 'this.#syncing = this.#syncNow(step)'],
    ['storage/slot-writer.ts', 'const entries = this.#failure === null ? this.#entries : this.#entries.slice(0, this.#syncedRecords)', 'const entries = this.#syncedRecords < 1 ? [] : this.#entries.slice(0, this.#syncedRecords)'],
  ]),
  one('open slot dropped by one error at recovery', /^rescue: .*no row|^G7: /, 'storage/recovery.ts', "if (error instanceof StorageError) return { kind: 'unreadable', error }\n", "if (error instanceof StorageError) { ring.giveUp(volume, row, row, error); return { kind: 'settled', entries: [] } }\n"),
]

const CATALOGUE = [
  several('slots counted before the commit', /^counts: /, [
    ['storage/ring.ts', '        this.#moved(taken)\n        spend()', '        spend()'],
    ['storage/ring.ts', "          if (choice.kind === 'free') return {", "          volumes.countMove(volume, choice.kind === 'free' ? 'free' : 'sealed', 'preparing')\n          if (choice.kind === 'free') return {"],
    ['storage/ring.ts', 'const { catalogue, slots, rows, clock, floor, trustedTime } = this.#options\n    const spend', 'const { catalogue, slots, rows, clock, floor, trustedTime, volumes } = this.#options\n    const spend'],
  ]),
  one('a locked catalogue ends the recorder', /^crash: /, 'storage/row-queue.ts', '        if (!isRefused(error)) throw error\n        this.#refused(error)\n      }\n    }\n    if', '        throw error\n      }\n    }\n    if'),
  one('a slot blamed for the catalogue', /^quarantine: |^counts: |^crash: /, 'storage/ring.ts', '        if (!isCatalogueRefusal(error)) throw error\n        rows.noteRefusal(error)\n      }\n    }\n    const taken',
    "        if (!isCatalogueRefusal(error)) throw error\n        const blamed = this.#options.volumes.freeOf(among[0]!).take()\n        if (blamed !== null) this.giveUp(among[0]!, blamed, blamed, new StorageError('other', 'take', '', error))\n        rows.noteRefusal(error)\n      }\n    }\n    const taken"),
  one('footage of an outage not adopted', /^rescue: |^V1: |^G7: /, 'storage/unfinished-footage.ts', 'if (unenteredAmong !== null) unsealed.push(', 'if (unenteredAmong !== null && settled === null) unsealed.push('),
  one('camera name keeps its mark', /one mark/, 'storage/storage.ts',
    '    this.#retiring.add(ids)\n    this.#rows.write(() => { this.#tables.cameras.retireAllBut(ids, now) }, {', '    void now\n    this.#rows.write(() => undefined, {'),
]

const VOLUMES = [
  one('a volume that failed once stands idle', /^reuse: |^V1: /, 'storage/volume-set.ts',
    '        await this.#calm(entry, entry.volume)\n', ''),
  one('volume given up for good', /^V1: /, 'storage/volume-set.ts', "if (entry.state === 'failed' && entry.volume !== null) await this.#probe(entry, entry.volume)", "if (entry.state === 'failed' && entry.volume !== null) entry.health.noteFailedProbe(this.#options.clock.monoNow())"),
  one('one hung disk holds up the syncs of all', /^G4: a power cut/, 'storage/storage.ts', 'if (openSlot?.volume.identity.id === id) yield openSlot', 'if (openSlot !== null && id !== ("" as never)) yield openSlot'),
  one('foreign volume accepted', /belongs to another recorder|^rescue: /, 'storage/volume-set.ts', "if (decodeSlotStart(start).kind !== 'blank') {", "if (decodeSlotStart(start).kind === 'damaged') {"),
  several('older image accepted', /^rescue: |^G4: |^G7: /, [
    ['storage/volume-set.ts', "if (verdict === 'older-volume') return", "if (verdict === 'older-volume' && marks === null) return"],
    ['storage/volume-set.ts', 'return wrong === null ? null : foreign(`it is not', 'return wrong === null || isUnentered || volume !== null ? null : foreign(`it is not'],
  ]),
]

export const PLANTS: readonly Plant[] = [...GUARD, ...ARCHIVE, ...REUSE, ...HOLDS, ...FOUND, ...GAPS, ...SLOTS, ...CATALOGUE, ...VOLUMES]

export function plantOf(name: string): Plant {
  const plant = PLANTS.find(each => each.name === name)
  if (plant === undefined) throw new Error(`there is no plant ${JSON.stringify(name)}; there are:\n${PLANTS.map(each => each.name).join('\n')}`)
  return plant
}
