import { mkdir, readFile, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { syncFolder, writeSynced } from '../../platform/publish-file.ts'
import type { ManifestPlayback } from '../package/play-video.ts'
import type { ManifestGap, ManifestTime, ManifestVideo } from '../package/manifest.ts'
import type { FormFile } from '../package/seal-package.ts'
import { sheetsName } from '../courier/destination.ts'

/** What reading gave, as it is kept between the stages. */
export interface Draft { readonly videos: readonly ManifestVideo[], readonly gaps: readonly ManifestGap[], readonly cameraOffsets: ManifestTime['cameraOffsets'], readonly playback: readonly ManifestPlayback[] }

/** Ends the name of a folder that is on its way out. */
export const REMOVED = '.removed'

/** The folder of one copy below the desk's own: nobody else looks in, and a stage that is begun again begins with it empty. */
export class Staging {
  readonly #root: string
  readonly #home: string
  /** Of the package itself. */
  readonly folder: string
  /** Of the sheets that lie beside it. */
  readonly sheets: string
  constructor(root: string, copyId: string, packageId: string) {
    this.#root = root
    this.#home = path.join(root, copyId)
    this.folder = path.join(this.#home, packageId)
    this.sheets = path.join(this.#home, sheetsName(packageId))
  }

  async clear(): Promise<void> { await rm(this.#home, { recursive: true, force: true }) }

  /** For whoever looks it is gone with one rename, never half there; from the disk when this returns, for good. Again changes nothing. */
  async remove(): Promise<void> {
    const gone = `${this.#home}${REMOVED}`
    await rm(gone, { recursive: true, force: true })
    try {
      await rename(this.#home, gone)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      return
    }
    await syncFolder(this.#root)
    await rm(gone, { recursive: true, force: true })
    await syncFolder(this.#root)
  }

  async begin(): Promise<void> {
    await mkdir(this.#root, { recursive: true, mode: 0o700 })
    await this.clear()
    await mkdir(this.folder, { recursive: true, mode: 0o700 })
    await syncFolder(this.#root)
  }

  async keep(draft: Draft): Promise<void> {
    await writeSynced(path.join(this.#home, 'draft.json'), JSON.stringify(draft), { mode: 0o600 })
    await syncFolder(this.folder)
    await syncFolder(this.#home)
  }

  async keepSheets(sheets: readonly FormFile[]): Promise<void> {
    await rm(this.sheets, { recursive: true, force: true })
    await mkdir(this.sheets, { mode: 0o700 })
    for (const { name, bytes } of sheets) await writeSynced(path.join(this.sheets, name), bytes, { mode: 0o600, flag: 'wx' })
    await syncFolder(this.sheets)
    await syncFolder(this.#home)
  }

  /** The verifier looks at every record of it again, so a draft that was changed does not come far. */
  async draft(): Promise<Draft> { return { cameraOffsets: [], playback: [], ...JSON.parse(await readFile(path.join(this.#home, 'draft.json'), 'utf8')) as Omit<Draft, 'cameraOffsets' | 'playback'> } }
}
