import { isoOf, type CameraUuid } from '../../domain/index.ts'
import type { Application, Scope } from '../../requests/index.ts'
import type { RuleSet } from '../../rules/index.ts'
import type { ManifestApplication } from '../package/manifest.ts'
import type { CustodyStep } from '../package/seal-package.ts'
import { CopyRefusedError } from './errors.ts'
import type { CopyJob } from './job.ts'
import type { CameraFacts } from './ports.ts'

export interface Case { readonly application: Application, readonly ruleSet: RuleSet }
type Known = (uuid: CameraUuid) => CameraFacts | null

/** The camera as the register has it. Throws CopyRefusedError for one that it does not. */
export function knownCamera(uuid: CameraUuid, known: Known): CameraFacts {
  const facts = known(uuid)
  if (facts === null) throw new CopyRefusedError('沒有這支鏡頭的資料。', 'nothing is known of this camera')
  return facts
}

const scopeLines = (scope: Scope, known: Known): ManifestApplication['scope'] => scope.map(({ camera, from, to }) => {
  const { id, name } = knownCamera(camera, known)
  return { cameraId: id, cameraUuid: camera, cameraName: name, from: isoOf(from), to: isoOf(to) }
})

/** What the manifest says of the case: no applicant by name beside the agency's, no number of anybody's card. */
export function manifestCase(job: CopyJob, found: Case | null, scope: Scope, known: Known): ManifestApplication {
  if (found === null) {
    return { number: job.application, form: 'own-decision', formTitle: '本所複製存檔', legalBasis: '錄影監視系統管理作業規定第五點', agency: '', purpose: job.reason, preRollAllowed: false, scope: scopeLines(scope, known), approvals: [], ruleSet: '' }
  }
  const { application: { content, state, signatures, number }, ruleSet } = found
  const isAgency = content.applicantClass === 'agency'
  const field = (...names: readonly string[]) => names.map(name => content.fields[name] ?? '').find(text => text !== '') ?? ''
  return {
    number, form: content.form, formTitle: ruleSet.form(content.form).title, legalBasis: [field('legal-basis'), content.authority?.kind === 'document' ? content.authority.number : ''].filter(text => text !== '').join('；'),
    agency: isAgency ? field('agency') : '', purpose: field('purpose', 'reason'), preRollAllowed: (state.kind === 'approved' || state.kind === 'partly-approved') && state.approval.isPreRollAllowed,
    scope: scopeLines(scope, known), approvals: signatures.map(({ post, name, at, decision }) => ({ post: ruleSet.post(post).name, name, at: isoOf(at), decision })), ruleSet: ruleSet.ref.name,
  }
}

export function custodyOf(job: CopyJob, found: Case | null, more: readonly CustodyStep[]): CustodyStep[] {
  const state = found?.application.state
  return [
    ...(found === null ? [] : [{ at: found.application.receivedAt, step: 'requested' as const, by: found.application.content.fields['agency'] ?? '', words: `受理申請案 ${job.application}` }]),
    ...(state?.kind === 'approved' || state?.kind === 'partly-approved' ? [{ at: state.approval.at, step: 'approved' as const, by: found!.application.signatures.at(-1)?.name ?? '', words: '最後一關核准' }] : []),
    ...more,
  ]
}
