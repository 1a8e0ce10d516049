import type { Verdict } from '../package/verify.ts'
import { deliver, deliverSheets, publish, verified, withdraw, type Delivery, type Named, type Offered, type OnBytes } from './destination.ts'

/** What a courier can be sent to do at a destination; JSON as it stands. */
export type Errand =
  | { readonly act: 'verify', readonly folder: string, readonly fingerprint: string }
  | { readonly act: 'deliver', readonly delivery: Delivery }
  | { readonly act: 'deliver-sheets', readonly delivery: Delivery, readonly folder: string }
  | { readonly act: 'publish', readonly delivery: Named }
  | { readonly act: 'withdraw', readonly delivery: Offered }

/** Throws CopyTargetError, and what no destination can do. */
export async function runErrand(errand: Errand, onBytes: OnBytes): Promise<Verdict | null> {
  switch (errand.act) {
    case 'verify': return await verified(errand.folder, { fingerprint: errand.fingerprint, onBytes })
    case 'deliver': return await deliver(errand.delivery, onBytes)
    case 'deliver-sheets': await deliverSheets(errand.delivery, errand.folder, onBytes); return null
    case 'publish': await publish(errand.delivery); return null
    case 'withdraw': await withdraw(errand.delivery); return null
  }
}
