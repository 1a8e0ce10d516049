import { readFileSync } from 'node:fs'
import path from 'node:path'

/** Of the package this is a part of. */
export const PROGRAM_VERSION = (JSON.parse(readFileSync(path.join(import.meta.dirname, '../../package.json'), 'utf8')) as { version: string }).version
