import type { Access, AccessTime } from '../access/index.ts'
import type { LogBook } from '../book/index.ts'
import type { CameraId, CameraUuid, StreamName } from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'
import type { GrantBook, DeskReader } from '../requests/index.ts'
import type { Rules } from '../rules/index.ts'
import type { FootageShelf } from './camera-reader.ts'
import { caseFactsOf } from './case-facts.ts'
import { LiveDesk, type WatchableCamera } from './live-desk.ts'
import type { LiveLane } from './live-feed.ts'
import { ReferenceImages } from './reference-images.ts'
import type { ScreenCore } from './screen.ts'
import { Screens } from './screens.ts'
import { StillMaker } from './still-maker.ts'
import { transcodeTurns } from './transcode-turns.ts'
import { ViewingDesk } from './viewing-desk.ts'

export interface ViewingOptions extends Omit<ScreenCore, 'sessions'> {
  readonly db: Db
  readonly access: Pick<Access, 'sessions'>
  readonly time: AccessTime
  readonly stateDir: string
  readonly book: Pick<LogBook, 'enter'>
  readonly requests: { readonly grants: GrantBook, readonly reader: DeskReader }
  readonly rules: Rules
  readonly footage: FootageShelf
  readonly lane: (camera: CameraId, stream: StreamName) => LiveLane
  /** Those in the configuration that were recorded at least once; `main` stands first among the streams of each. */
  readonly cameras: () => readonly WatchableCamera[]
  readonly cameraName: (camera: CameraUuid) => string
}

/** Everything that shows pictures. Disposing of it closes every screen, and its books. */
export interface Viewing extends AsyncDisposable { readonly desk: ViewingDesk, readonly live: LiveDesk, readonly screens: Screens, readonly referenceImages: ReferenceImages }

/** Closes in the books what a killed recorder left open, then opens for use. A log that cannot be written stops no start: nothing can be opened until it can be. */
export function openViewing({ db, access: { sessions }, time, stateDir, book, requests, rules, footage, lane, cameras, cameraName, ...core }: ViewingOptions): Viewing {
  const shared = { ...core, sessions }
  const screens = new Screens(shared, db), stills = new StillMaker(core.clock)
  try { screens.recover() } catch (error) { core.log.error({ err: error }, 'screens of the recorder before could not be closed in the books') }
  const live = new LiveDesk({ ...shared, screens, time, cameras, lane })
  return {
    screens, live, referenceImages: new ReferenceImages({ ...shared, db, live, stills, stateDir }),
    desk: new ViewingDesk({ ...shared, screens, book, grants: requests.grants, shelf: footage, stills, takeTranscode: transcodeTurns(), caseFacts: caseFactsOf(requests.reader, rules), cameraName }),
    [Symbol.asyncDispose]: () => screens[Symbol.asyncDispose](),
  }
}
