import { equalBytes, hexOf, type Bytes } from './bytes.ts'
import { DerError, derNodes, derOne, OCTETS, SEQUENCE, type DerNode } from './der.ts'

const SET = 0x31, OID = 0x06, CONTEXT_0 = 0xa0
const SIGNED_DATA = '2a864886f70d010702', MESSAGE_DIGEST = '2a864886f70d010904', SHA_256 = '608648016503040201'

/** What a detached CMS signature of one signer says: the digest it vouches for, and the bytes whose signature shows it. */
export interface DetachedCms { readonly messageDigest: Bytes, readonly signedBytes: Bytes, readonly signature: Bytes, /** Those it brings along. */ readonly certificates: readonly Bytes[] }

const isOid = (node: DerNode | undefined, hex: string): boolean => node?.tag === OID && hexOf(node.body) === hex

/** Reads `manifest.p7s` (RFC 5652 §5): SignedData, no content inside, signed attributes, SHA-256. Throws DerError on anything else. */
export function parseDetachedCms(der: Bytes): DetachedCms {
  const [type, content] = derNodes(derOne(der, SEQUENCE).body)
  if (!isOid(type, SIGNED_DATA) || content?.tag !== CONTEXT_0) throw new DerError('no signed data')
  const fields = derNodes(derOne(content.body, SEQUENCE).body)
  const signers = fields.at(-1)
  if (signers?.tag !== SET) throw new DerError('no signers')
  if (derNodes(fields[2]?.body ?? new Uint8Array()).length !== 1) throw new DerError('the signature is not detached')
  const signer = derNodes(derOne(signers.body, SEQUENCE).body)
  const [, , digestAlgorithm, attributes, , signature] = signer
  if (attributes?.tag !== CONTEXT_0 || signature?.tag !== OCTETS || !isOid(derNodes(digestAlgorithm?.body ?? new Uint8Array())[0], SHA_256)) throw new DerError('no signer of the form wanted')
  const digests = derNodes(attributes.body).map(attribute => derNodes(attribute.body)).filter(([name]) => isOid(name, MESSAGE_DIGEST))
  if (digests.length !== 1) throw new DerError('one message digest is wanted')
  const signedBytes = new Uint8Array(attributes.bytes)
  signedBytes[0] = SET // RFC 5652 §5.4: what is signed is the set itself, not its tag in the message
  return { messageDigest: derOne(digests[0]![1]?.body ?? new Uint8Array(), OCTETS).body, signedBytes, signature: signature.body, certificates: fields[3]?.tag === CONTEXT_0 ? derNodes(fields[3].body).map(({ bytes }) => bytes) : [] }
}

export const isDigestOf = (cms: DetachedCms, digest: Bytes): boolean => equalBytes(cms.messageDigest, digest)
