import type { BookUse } from '../../book/index.ts'
import type { CameraUuid } from '../../domain/index.ts'
import type { Application, Scope } from '../../requests/index.ts'
import { knownCamera } from './case-facts.ts'
import type { HandOver } from './hand-over.ts'
import type { CopyJob } from './job.ts'
import type { CameraFacts } from './ports.ts'

/** What the log book says of a hand-over (R41); the same words stand in the package (E10). Throws CopyRefusedError for a camera that nothing is known of. */
export function bookUseOf(job: CopyJob, { content: { fields } }: Application, { words, scope, known }: { readonly words: HandOver, readonly scope: Scope, readonly known: (uuid: CameraUuid) => CameraFacts | null }): Omit<BookUse, 'auditSeq'> {
  return {
    application: job.application, applicant: fields['applicant'] ?? fields['agency'] ?? words.recipient.name, unit: fields['agency'] ?? '', matter: fields['purpose'] ?? job.reason, basis: fields['legal-basis'] ?? job.reason,
    uses: { accompanied: false, copied: true, forInquiry: words.forInquiry, other: words.other }, persons: [{ name: words.recipient.name, part: 'receiver' }],
    ranges: scope.map(({ camera, from, to }) => ({ camera, cameraName: knownCamera(camera, known).name, from, to })),
  }
}
