import { posix } from 'node:path'
import { volumeId } from '../domain/index.ts'
import type { Config } from './config.ts'
import { DEFAULTS, LIMITS } from './defaults.ts'
import type { ProblemList, Steps } from './problem.ts'
import { parseSize } from './quantity.ts'
import type { RawConfig } from './schema.ts'
import type { Draft } from './shape.ts'
import { texts, type Bilingual, type ProblemText } from './texts.ts'

/** The folders of the configuration; `null` of a part means that it is not used. */
export type Places = Pick<Config, 'state' | 'volumes' | 'archive' | 'inbox' | 'office'>
type PlacesDraft = Pick<NonNullable<Draft<RawConfig>>, 'state' | 'volumes' | 'archive' | 'inbox' | 'office'>

const CONTROL = /\p{Cc}|\p{Cs}/u

/** Without `..`, double and final slashes; null if it is no path from the root, or the root itself. */
export function absolutePath(text: string): string | null {
  if (!text.startsWith('/') || text.length > LIMITS.pathChars || CONTROL.test(text)) return null
  const path = posix.normalize(text).replace(/\/+$/, '')
  return path === '' ? null : path
}

interface Place {
  readonly kind: 'state' | 'volume' | 'archive' | 'inbox' | 'rule-sets' | 'calendar'
  readonly steps: Steps
  readonly path: string
  /** Not written in the file but taken from the state folder. */
  readonly derived: boolean
}

const WORDS: Readonly<Record<Place['kind'], Bilingual>> = { state: texts.stateWord, volume: texts.volumeWord, archive: texts.archiveWord, inbox: texts.inboxWord, 'rule-sets': texts.ruleSetsWord, calendar: texts.calendarWord }
const EXAMPLES: Readonly<Record<Place['kind'], string>> = {
  state: '/var/lib/custos', volume: '/srv/custos/disk2', archive: '/srv/custos/archive', inbox: '/var/lib/custos/inbox', 'rule-sets': '/etc/custos/rule-sets', calendar: '/var/lib/custos/calendar',
}

const isInside = (inner: string, outer: string): boolean => inner.startsWith(`${outer}/`)

/** Nothing sweeps the state folder, so the others may lie in it; in each of them every file is theirs. */
function overlapOf(place: Place, earlier: Place): ProblemText | null {
  const words = { other: WORDS[earlier.kind] }
  if (place.path === earlier.path) return texts.placeTwice(words)
  if (isInside(place.path, earlier.path)) return earlier.kind === 'state' || place.derived ? null : texts.placeInside(words)
  if (isInside(earlier.path, place.path)) return place.kind === 'state' ? null : texts.placeAround(words)
  return null
}

/** Each pair once; LIMITS keeps them few. The later of the two in our order is the one that is blamed. */
function checkOverlaps(places: readonly Place[], problems: ProblemList): void {
  places.forEach((place, index) => {
    for (const earlier of places.slice(0, index)) {
      const text = overlapOf(place, earlier)
      if (text) problems.add({ steps: place.steps, text, example: EXAMPLES[place.kind] })
    }
  })
}

/** Null when any folder is missing or wrong; all that is wrong is in `problems` then. */
export function readPlaces(draft: PlacesDraft, problems: ProblemList): Places | null {
  const places: Place[] = []
  const place = (kind: Place['kind'], steps: Steps, text: string | null | undefined, derived = false): string | null => {
    if (typeof text !== 'string') return null
    const path = absolutePath(text)
    if (path === null) problems.add({ steps, text: texts.absolutePath, example: EXAMPLES[kind] })
    else places.push({ kind, steps, path, derived })
    return path
  }

  const stateDir = place('state', ['state', 'dir'], draft.state?.dir)
  const seenIds = new Set<string>()
  const volumes = (draft.volumes ?? []).map((volume, index) => {
    const id = volume?.id
    if (id && seenIds.has(id)) problems.add({ steps: ['volumes', index, 'id'], text: texts.idTwice, example: `disk${index + 1}` })
    if (id) seenIds.add(id)
    const path = place('volume', ['volumes', index, 'path'], volume?.path)
    return id && path ? { id: volumeId(id), path } : null
  })
  const archiveDir = place('archive', ['archive', 'dir'], draft.archive?.dir)
  const quotaBytes = parseSize(draft.archive?.quota ?? '')
  if (draft.archive?.quota && quotaBytes === null) problems.add({ steps: ['archive', 'quota'], text: texts.size, example: '200GiB' })
  const inboxDir = draft.inbox !== undefined ? place('inbox', ['inbox', 'dir'], draft.inbox === 'off' ? null : draft.inbox?.dir)
    : stateDir === null ? null : place('inbox', ['state', 'dir'], `${stateDir}/${DEFAULTS.inboxFolder}`, true)
  const ruleSets = draft.office?.ruleSets === undefined ? null : place('rule-sets', ['office', 'ruleSets'], draft.office.ruleSets)
  const calendar = draft.office?.calendar !== undefined ? place('calendar', ['office', 'calendar'], draft.office.calendar)
    : stateDir === null ? null : place('calendar', ['state', 'dir'], `${stateDir}/${DEFAULTS.calendarFolder}`, true)
  checkOverlaps(places, problems)

  const sound = volumes.filter(volume => volume !== null)
  if (stateDir === null || sound.length !== draft.volumes?.length) return null
  const archive = draft.archive === undefined ? null : archiveDir !== null && quotaBytes !== null ? { dir: archiveDir, quotaBytes } : undefined
  if (archive === undefined) return null
  const managingUnit = draft.office?.managingUnit === undefined ? DEFAULTS.managingUnit : draft.office.managingUnit
  if (draft.office === null || managingUnit === null || calendar === null) return null
  return { state: { dir: stateDir }, volumes: sound, archive, inbox: inboxDir === null ? null : { dir: inboxDir }, office: { managingUnit, ruleSets, calendar } }
}
