import { posix } from 'node:path'
import { volumeId } from '../domain/index.ts'
import type { Config } from './config.ts'
import { DEFAULTS, LIMITS } from './defaults.ts'
import type { ProblemList, Steps } from './problem.ts'
import { parseSize } from './quantity.ts'
import type { RawConfig } from './schema.ts'
import type { Draft } from './shape.ts'
import { texts, type Bilingual } from './texts.ts'

/** The folders of the configuration; `null` of a part means that it is not used. */
export type Places = Pick<Config, 'state' | 'volumes' | 'archive' | 'inbox'>
type PlacesDraft = Pick<NonNullable<Draft<RawConfig>>, 'state' | 'volumes' | 'archive' | 'inbox'>

const CONTROL = /\p{Cc}|\p{Cs}/u

/** Without `..`, double and final slashes; null if it is no path from the root, or the root itself. */
export function absolutePath(text: string): string | null {
  if (!text.startsWith('/') || text.length > LIMITS.pathChars || CONTROL.test(text)) return null
  const path = posix.normalize(text).replace(/\/+$/, '')
  return path === '' ? null : path
}

interface Place { readonly kind: 'state' | 'volume' | 'archive' | 'inbox', readonly word: Bilingual, readonly steps: Steps, readonly path: string, readonly derived: boolean }

const isInside = (inner: string, outer: string): boolean => inner.startsWith(`${outer}/`)

/** Only a volume inside the state folder, or an archive or inbox there, may lie in another place: nothing sweeps the state folder. */
function mayLieInside(inner: Place, outer: Place): boolean {
  return outer.kind === 'state' && inner.kind !== 'state'
}

/** Each pair once; LIMITS keeps them few. The later of the two in our order is the one that is blamed. */
function checkOverlaps(places: readonly Place[], problems: ProblemList): void {
  places.forEach((place, index) => {
    for (const earlier of places.slice(0, index)) {
      if (place.derived && isInside(place.path, earlier.path)) continue // then the state folder itself is in the way, and said to be
      const words = { other: earlier.word }
      if (place.path === earlier.path) problems.add({ steps: place.steps, text: texts.placeTwice(words), example: freeExample(place) })
      else if (isInside(place.path, earlier.path) && !mayLieInside(place, earlier)) problems.add({ steps: place.steps, text: texts.placeInside(words), example: freeExample(place) })
      else if (isInside(earlier.path, place.path) && !mayLieInside(earlier, place)) problems.add({ steps: place.steps, text: texts.placeAround(words), example: freeExample(place) })
    }
  })
}

const EXAMPLES = { state: '/var/lib/custos', volume: '/srv/custos/disk2', archive: '/srv/custos/archive', inbox: '/var/lib/custos/inbox' } as const
const freeExample = (place: Place): string => EXAMPLES[place.kind]

/** Null when any folder is missing or wrong; all that is wrong is in `problems` then. */
export function readPlaces(draft: PlacesDraft, problems: ProblemList): Places | null {
  const places: Place[] = []
  const place = (kind: Place['kind'], word: Bilingual, steps: Steps, text: string | null | undefined, derived = false): string | null => {
    if (typeof text !== 'string') return null
    const path = absolutePath(text)
    if (path === null) problems.add({ steps, text: texts.absolutePath, example: EXAMPLES[kind] })
    else places.push({ kind, word, steps, path, derived })
    return path
  }

  const stateDir = place('state', texts.stateWord, ['state', 'dir'], draft.state?.dir)
  const seenIds = new Set<string>()
  const volumes = (draft.volumes ?? []).map((volume, index) => {
    const id = volume?.id
    if (id && seenIds.has(id)) problems.add({ steps: ['volumes', index, 'id'], text: texts.idTwice, example: `disk${index + 1}` })
    if (id) seenIds.add(id)
    const path = place('volume', texts.volumeWord, ['volumes', index, 'path'], volume?.path)
    return id && path ? { id: volumeId(id), path } : null
  })
  const archiveDir = place('archive', texts.archiveWord, ['archive', 'dir'], draft.archive?.dir)
  const quotaBytes = parseSize(draft.archive?.quota ?? '')
  if (draft.archive?.quota && quotaBytes === null) problems.add({ steps: ['archive', 'quota'], text: texts.size, example: '200GiB' })
  const inboxDir = draft.inbox !== undefined ? place('inbox', texts.inboxWord, ['inbox', 'dir'], draft.inbox === 'off' ? null : draft.inbox?.dir)
    : stateDir === null ? null : place('inbox', texts.inboxWord, ['state', 'dir'], `${stateDir}/${DEFAULTS.inboxFolder}`, true)
  checkOverlaps(places, problems)

  const sound = volumes.filter(volume => volume !== null)
  if (stateDir === null || sound.length !== draft.volumes?.length) return null
  const archive = draft.archive === undefined ? null : archiveDir !== null && quotaBytes !== null ? { dir: archiveDir, quotaBytes } : undefined
  if (archive === undefined) return null
  return { state: { dir: stateDir }, volumes: sound, archive, inbox: inboxDir === null ? null : { dir: inboxDir } }
}
