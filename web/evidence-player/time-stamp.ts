import { equalBytes, type Bytes } from './bytes.ts'
import { CONTEXT_0, isOid, isSha256, messageDigestOf, parseSignedData } from './cms.ts'
import { DerError, derFirst, derNodes, derOne, INTEGER, OCTETS, OpenLengthError, SEQUENCE } from './der.ts'
import { sha256Of } from './sha256.ts'

const TST_INFO = '2a864886f70d0109100104'
const GRANTED = [0, 1] // with changes counts as well
export const MAX_TOKEN_BYTES = 256 * 1024 // as `custos verify` has it

/**
 * Whether an RFC 3161 answer is granted and its token is over the bytes with this SHA-256. The authority's signature is not looked at; only that what it would sign is what stands in the token.
 * As openssl reads it, what comes after the answer is nobody's. False for what is no such answer; null for one with open lengths, as some authorities' programs write and this page does not read.
 */
export function isTokenOver(answer: Bytes, digest: Bytes): boolean | null {
  try {
    const [info, token] = derNodes(derFirst(answer, SEQUENCE).body)
    const [status] = derNodes(info?.body ?? new Uint8Array())
    if (status?.tag !== INTEGER || status.body.length !== 1 || !GRANTED.includes(status.body[0]!) || token?.tag !== SEQUENCE) return false
    const { content: [type, inside], signer: [, , digestAlgorithm, attributes] } = parseSignedData(token)
    if (!isOid(type, TST_INFO) || inside?.tag !== CONTEXT_0 || attributes?.tag !== CONTEXT_0) return false
    const stamp = derOne(inside.body, OCTETS).body
    if (isSha256(digestAlgorithm) && !equalBytes(messageDigestOf(attributes), sha256Of(stamp))) return false
    const [, , imprint] = derNodes(derOne(stamp, SEQUENCE).body), [algorithm, hash] = derNodes(imprint?.body ?? new Uint8Array())
    return isSha256(algorithm) && hash?.tag === OCTETS && equalBytes(hash.body, digest)
  } catch (error) {
    if (error instanceof OpenLengthError) return null
    if (error instanceof DerError) return false
    throw error
  }
}
