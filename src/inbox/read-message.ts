import { createHash } from 'node:crypto'
import type { TSchema } from 'typebox'
import { Check, Errors } from 'typebox/value'
import { cameraUuid, epochMs, type EpochMs } from '../domain/index.ts'
import type { Paper, ScopeLine } from '../requests/index.ts'
import type { InboxKeys } from './keys.ts'
import { INBOX_LIMITS } from './limits.ts'
import type { Fault, InboxReason, Rejection } from './reasons.ts'
import { InboxFileSchema, InboxMessageSchema, type InboxMessage } from './schema.ts'

/** A message whose signature holds. */
export interface SignedMessage { readonly system: string, readonly keyId: string, readonly messageSha256: string, readonly message: InboxMessage }
export type ReadResult = { readonly ok: true } & SignedMessage | { readonly ok: false, readonly rejection: Rejection, /** Who signed, where that is known. */ readonly keyId: string | null }

const rejected = (reason: InboxReason, keyId: string | null = null, faults: readonly Fault[] = []): ReadResult => ({ ok: false, rejection: { reason, faults }, keyId })

/** Undefined for what is no JSON. */
function jsonOf(bytes: Uint8Array): unknown {
  try { return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)) as unknown } catch { return undefined /* TypeError: not UTF-8; SyntaxError: not JSON */ }
}

const namesOf = (schema: unknown): readonly string[] => typeof schema !== 'object' || schema === null ? []
  : Object.entries(schema).flatMap(([key, inside]) => [...key === 'properties' ? Object.keys(inside as object) : [], ...namesOf(inside)])
/** Every name the schemas give: another one was chosen by the sender, and may be an ID number too. */
const OUR_NAMES: ReadonlySet<string> = new Set([...namesOf(InboxFileSchema), ...namesOf(InboxMessageSchema)])
const partOf = (part: string): string => /^\d+$/.test(part) ? `[${part}]` : `.${OUR_NAMES.has(part) ? part : '…'}`

/** Paths only, and of them only what the schemas name: a value may be an ID number. */
function shapeFaults(schema: TSchema, value: unknown): readonly Fault[] {
  const paths = new Set(Errors(schema, value).map(error => error.instancePath.split('/').slice(1).map(partOf).join('').slice(1)))
  return [...paths].map(path => ({ where: path === '' ? '(全部 / the whole)' : path.slice(0, 200), zh: '缺少、多餘或格式不符。', en: 'missing, unknown or not as the schema says.' }))
}

/** Reads a file's bytes as an inbox file and proves who signed it. Pure but for the look-up of the key. Nothing of the message counts before its signature holds. */
export function readMessage(bytes: Buffer, keys: Pick<InboxKeys, 'signerOf'>, now: EpochMs): ReadResult {
  if (bytes.length > INBOX_LIMITS.fileBytes) return rejected('too-large')
  const file = jsonOf(bytes)
  if (file === undefined) return rejected('not-json')
  if (!Check(InboxFileSchema, file)) return rejected('bad-shape', null, shapeFaults(InboxFileSchema, file))
  const message = Buffer.from(file.message, 'base64')
  if (message.toString('base64') !== file.message) return rejected('bad-shape', null, [{ where: 'message', zh: '不是標準的 base64。', en: 'is no canonical base64.' }])
  const key = keys.signerOf({ keyId: file.key, message, signature: Buffer.from(file.signature, 'base64') }, now)
  if (typeof key === 'string') return rejected(key, key === 'bad-signature' ? null : file.key)
  const parsed = jsonOf(message)
  if (parsed === undefined) return rejected('not-json', key.keyId)
  if (!Check(InboxMessageSchema, parsed)) return rejected('bad-shape', key.keyId, shapeFaults(InboxMessageSchema, parsed))
  if (parsed.system !== key.system) return rejected('wrong-system', key.keyId)
  return { ok: true, system: key.system, keyId: key.keyId, message: parsed, messageSha256: createHash('sha256').update(message).digest('hex') }
}

const instant = (text: string): EpochMs => epochMs(Temporal.Instant.from(text).epochMilliseconds)

/** The message as the desk takes it, its times checked against each other and the clock. Pure. */
export function paperOf(message: InboxMessage, now: EpochMs): Paper | Rejection {
  try {
    const paper = converted(message), issuedAt = instant(message.issuedAt)
    const times = [now - INBOX_LIMITS.decisionAgeMs, paper.receivedAt, ...paper.steps.map(step => step.decidedAt), issuedAt, now + INBOX_LIMITS.clockAheadMs]
    const isInOrder = times.every((time, index) => index === 0 || times[index - 1]! <= time)
    return isInOrder && now - issuedAt <= INBOX_LIMITS.messageAgeMs ? paper : { reason: 'bad-time', faults: [] }
  } catch (error) {
    if (error instanceof RangeError) return { reason: 'bad-shape', faults: [{ where: '(時間 / times)', zh: '有不存在的日期或時間。', en: 'a date or time does not exist.' }] }
    throw error
  }
}

function converted({ id, content, receivedBy, receivedAt, steps, grant }: InboxMessage): Paper {
  const lines = (scope: InboxMessage['content']['asked']): readonly ScopeLine[] => scope.map(({ camera, from, to }) => ({ camera: cameraUuid(camera), from: instant(from), to: instant(to) }))
  return {
    id, receivedBy, receivedAt: instant(receivedAt), grant,
    content: { ...content, asked: lines(content.asked), identity: content.identity === null ? null : { ...content.identity, seenAt: instant(content.identity.seenAt) } },
    steps: steps.map(step => ({ ...step, decidedAt: instant(step.decidedAt), narrowTo: step.narrowTo === null ? null : { scope: lines(step.narrowTo.scope), acts: step.narrowTo.acts } })),
  }
}
