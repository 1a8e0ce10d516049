import {
  CheckpointBook, checkpointTable, noteText, pageHtml, signedTextOf, witnessRequests,
  type Checkpoint, type StoredCheckpoint,
} from '../audit/index.ts'
import { formatProblems, loadConfig } from '../config/index.ts'
import { FatalError, type EpochMs } from '../domain/index.ts'
import { openCatalogueBeside } from '../platform/catalogue.ts'
import { systemClock } from '../platform/clock.ts'
import { actingPerson } from './acting-person.ts'
import { EXIT_BAD_CONFIG, usage, wholeNumber, withAudit, writeNew, type Output } from './audit-access.ts'
import { RecorderLink } from './recorder-link.ts'
import { logBeside } from './log-beside.ts'

interface Common { readonly configFile: string, readonly out: Output }

function textOf(stored: StoredCheckpoint | null): Checkpoint & { at: EpochMs } {
  if (stored === null) throw new FatalError('CUSTOS_AUDIT_NO_CHECKPOINT', 'there is no such checkpoint', { remedy: 'The recorder makes one at each start and each day: start it once, or give another day.' })
  const text = signedTextOf(stored)
  if (text === null || text.at === null) throw new FatalError('CUSTOS_AUDIT_NO_CHECKPOINT', 'the newest checkpoint cannot be made sense of', { remedy: 'Run custos audit verify: somebody may have changed the database.' })
  return { ...text, at: text.at }
}

/** `custos audit checkpoint`: the newest one. Without `--out` the signed note; with it also FILE.body, FILE.sig and FILE.pub.pem, for openssl. */
export async function auditCheckpoint({ configFile, outFile, out }: Common & { readonly outFile: string | undefined }): Promise<number> {
  return await withAudit({ configFile, mode: 'read', out }, ({ db }) => {
    const table = checkpointTable(db)
    const checkpoint = textOf(table.newest())
    if (outFile === undefined) { out.write(noteText(checkpoint)); return 0 }
    const files: [string, string | Buffer][] = [[outFile, noteText(checkpoint)], [`${outFile}.body`, checkpoint.body]]
    const pem = table.keys().find(key => key.fingerprint === checkpoint.keyFingerprint)?.publicPem
    if (checkpoint.signature !== null && pem !== undefined) files.push([`${outFile}.sig`, checkpoint.signature], [`${outFile}.pub.pem`, pem])
    for (const [file, content] of files) writeNew(file, content)
    out.write(`查核點（${checkpoint.size} 筆）已寫入 / checkpoint over ${checkpoint.size} entries written:\n${files.map(([file]) => `  ${file}\n`).join('')}`)
    return 0
  })
}

/** 115-11-22 or 2026-11-22. */
function dayOption(text: string): string {
  const roc = /^(\d{2,3})-(\d{2}-\d{2})$/.exec(text)
  const day = roc === null ? text : `${Number(roc[1]) + 1911}-${roc[2]}`
  if (!/^\d{4}-\d{2}-\d{2}$/.test(day)) usage(`--date ${JSON.stringify(text)} is no day`, 'Write 115-11-22 or 2026-11-22.')
  return day
}

/** `custos audit page`: the checkpoint of a day (the newest one without `--date`) as one A4 page of HTML. */
export async function auditPage({ configFile, date, outFile, out }: Common & { readonly date: string | undefined, readonly outFile: string }): Promise<number> {
  const day = date === undefined ? null : dayOption(date)
  return await withAudit({ configFile, mode: 'read', out }, ({ db, config }) => {
    const table = checkpointTable(db)
    const checkpoint = textOf(day === null ? table.newestDay() ?? table.newest() : table.ofDay(day))
    writeNew(outFile, pageHtml({ site: config.site.name, timezone: config.site.timezone, checkpoint }))
    out.write(`請以瀏覽器開啟並列印 ${outFile}，簽名歸檔後登錄：\nOpen and print ${outFile} in a browser, have it signed and filed, then say so:\n` +
      `  custos audit witnessed --config ${configFile} --size ${checkpoint.size} --by NAME --how print\n`)
    return 0
  })
}

/**
 * `custos audit witnessed`: a person vouches that a checkpoint left the machine. The running recorder is told;
 * without one the state folder itself.
 */
export async function auditWitnessed({ configFile, size: sizeText, by, how, out }: Common & { readonly size: string, readonly by: string, readonly how: string }): Promise<number> {
  const size = wholeNumber(sizeText, '--size')
  const actor = actingPerson(by, '--by')
  if (how !== 'print') usage(`--how ${JSON.stringify(how)} is not known`, 'Only --how print is said by a person; syslog and command are noted by the recorder.')
  const result = await loadConfig(configFile, { secrets: 'skip' })
  if (!result.ok) { out.write(formatProblems(result.problems)); return EXIT_BAD_CONFIG }
  const { state: { dir: stateDir } } = result.config
  await using parts = new AsyncDisposableStack()
  const recorder = parts.use(new RecorderLink<'audit.witnessed'>({ stateDir, alone: async () => {
    const { db } = parts.use(openCatalogueBeside(stateDir, 'write')), clock = systemClock
    return witnessRequests(new CheckpointBook({ db, log: logBeside(db), clock }))
  } }))
  if (!(await recorder.ask('audit.witnessed', { size, by: actor })).isKnown) {
    const remedy = 'Give the number that stands on the page, second of the three lines.'
    usage(`there is no checkpoint over ${size} entries`, remedy)
  }
  out.write(`已登錄：${actor.name} 列印查核點（${size} 筆）。\n`
    + `Noted: ${actor.name} printed the checkpoint over ${size} entries.\n`)
  return 0
}
