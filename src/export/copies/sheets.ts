import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { epochMs } from '../../domain/index.ts'
import type { RuleSet } from '../../rules/index.ts'
import { PackageUnsoundError } from '../package/errors.ts'
import { readManifest } from '../package/manifest-shape.ts'
import type { CustodyStep } from '../package/seal-package.ts'
import type { CopyCore } from './core.ts'
import type { HandOver } from './hand-over.ts'
import type { Staging } from './staging.ts'
import type { Delivery } from '../courier/destination.ts'

export interface SheetsOptions {
  readonly staging: Staging
  /** Null for what stays here. */
  readonly delivery: Delivery | null
  readonly ruleSet: RuleSet
  readonly words: HandOver
  readonly manifestSha256: string
  readonly archiveItem: string
  /** The line that the release will be: its number is proved again in the transaction that writes it. */
  readonly bookLine: number
}

/** Prints the cover sheet (E14) and the custody sheet with its receipt (E9) of a sealed package, from what is sealed, and brings them beside it. Throws what the press throws, CopyTargetError. */
export async function placeSheets({ inTurn, options: { papers, destinations } }: CopyCore, { staging, delivery, ruleSet, words: { recipient, medium }, ...facts }: SheetsOptions): Promise<void> {
  const manifest = readManifest(await readFile(path.join(staging.folder, 'manifest.json'), 'utf8'))
  if (manifest === null) throw new PackageUnsoundError(['manifest.json'])
  const { steps } = JSON.parse(await readFile(path.join(staging.folder, 'custody.json'), 'utf8')) as { readonly steps: readonly (Omit<CustodyStep, 'at'> & { readonly at: string })[] } // of the package that was just verified
  await staging.keepSheets(await papers.sheets({ ...facts, ruleSet, manifest, recipient, medium, custody: steps.map(step => ({ ...step, at: epochMs(Date.parse(step.at)) })) }))
  if (delivery !== null) await inTurn(delivery.copyId, () => destinations.deliverSheets(delivery, staging.sheets))
}
