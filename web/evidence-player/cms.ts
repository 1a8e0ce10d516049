import { equalBytes, hexOf, type Bytes } from './bytes.ts'
import { DerError, derNodes, derOne, OCTETS, SEQUENCE, type DerNode } from './der.ts'

const SET = 0x31, OID = 0x06
export const CONTEXT_0 = 0xa0
const SIGNED_DATA = '2a864886f70d010702', MESSAGE_DIGEST = '2a864886f70d010904', SHA_256 = '608648016503040201'

/** What a detached CMS signature of one signer says: the digest it vouches for, and the bytes whose signature shows it. */
export interface DetachedCms { readonly messageDigest: Bytes, readonly signedBytes: Bytes, readonly signature: Bytes, /** Those it brings along. */ readonly certificates: readonly Bytes[] }

export const isOid = (node: DerNode | undefined, hex: string): boolean => node?.tag === OID && hexOf(node.body) === hex
/** Of an AlgorithmIdentifier. */
export const isSha256 = (algorithm: DerNode | undefined): boolean => isOid(derNodes(algorithm?.body ?? new Uint8Array())[0], SHA_256)

interface SignedData { /** Type, and the content itself where it is inside. */ readonly content: readonly DerNode[], readonly certificates: readonly Bytes[], /** Fields of the one signer. */ readonly signer: readonly DerNode[] }

/** The content of a ContentInfo (RFC 5652 §3, §5): SignedData of one signer. Throws DerError on anything else. */
export function parseSignedData(info: DerNode): SignedData {
  const [type, body] = derNodes(info.body)
  if (!isOid(type, SIGNED_DATA) || body?.tag !== CONTEXT_0) throw new DerError('no signed data')
  const fields = derNodes(derOne(body.body, SEQUENCE).body), signers = fields.at(-1)
  if (signers?.tag !== SET) throw new DerError('no signers')
  return { content: derNodes(fields[2]?.body ?? new Uint8Array()), certificates: fields[3]?.tag === CONTEXT_0 ? derNodes(fields[3].body).map(({ bytes }) => bytes) : [], signer: derNodes(derOne(signers.body, SEQUENCE).body) }
}

/** The digest that the signed attributes of a signer vouch for. Throws DerError. */
export function messageDigestOf(attributes: DerNode): Bytes {
  const digests = derNodes(attributes.body).map(attribute => derNodes(attribute.body)).filter(([name]) => isOid(name, MESSAGE_DIGEST))
  if (digests.length !== 1) throw new DerError('one message digest is wanted')
  return derOne(digests[0]![1]?.body ?? new Uint8Array(), OCTETS).body
}

/** Reads `manifest.p7s` (RFC 5652 §5): SignedData, no content inside, signed attributes, SHA-256. Throws DerError on anything else. */
export function parseDetachedCms(der: Bytes): DetachedCms {
  const { content, certificates, signer } = parseSignedData(derOne(der, SEQUENCE))
  if (content.length !== 1) throw new DerError('the signature is not detached')
  const [, , digestAlgorithm, attributes, , signature] = signer
  if (attributes?.tag !== CONTEXT_0 || signature?.tag !== OCTETS || !isSha256(digestAlgorithm)) throw new DerError('no signer of the form wanted')
  const messageDigest = messageDigestOf(attributes), signedBytes = new Uint8Array(attributes.bytes)
  signedBytes[0] = SET // RFC 5652 §5.4: what is signed is the set itself, not its tag in the message
  return { messageDigest, signedBytes, signature: signature.body, certificates }
}

export const isDigestOf = (cms: DetachedCms, digest: Bytes): boolean => equalBytes(cms.messageDigest, digest)
