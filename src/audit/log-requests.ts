import type { Answer, Ask, Handlers } from '../link/index.ts'
import type { WholeHead } from './checkpoint.ts'
import type { OtherLogs, SignedHead } from './other-logs.ts'

const fromHex = (text: string): Buffer => Buffer.from(text, 'hex')
const fromBase64 = (text: string | null): Buffer | null => text === null ? null : Buffer.from(text, 'base64')

/** What the recorder answers to the office about the office's log. */
export function logRequests(otherLogs: OtherLogs) {
  return {
    'log.head': async body => {
      otherLogs.tell(headOf(body))
      return {}
    },
    'log.sign': async body => {
      const { signature, ...signed } = await otherLogs.sign(headOf(body))
      return { ...signed, signature: signature?.toString('base64') ?? null }
    },
  } as const satisfies Handlers
}

const headOf = ({ origin, size, root, lastHash }: Ask<'log.head'>): WholeHead =>
  ({ origin, size, root: fromHex(root), lastHash: fromHex(lastHash) })

/** The same over the link, for the office. */
export const headMessage = ({ origin, size, root, lastHash }: WholeHead): Ask<'log.head'> =>
  ({ origin, size, root: root.toString('hex'), lastHash: lastHash.toString('hex') })
export const signedHeadOf = ({ signature, ...signed }: Answer<'log.sign'>): SignedHead =>
  ({ ...signed, signature: fromBase64(signature) })
