import type { DeviceText } from './device-text.ts'
import { OnvifError } from './onvif-error.ts'
import type { HttpAnswer } from './soap-transport.ts'
import { descend, readXmlInSlices, textAt, XmlError, type XmlElement } from './xml-element.ts'

/** Fault codes and wordings of devices that mean the credential or its date; the code proper is often just `Sender`. */
const AUTH_FAULT = /not\s?authori[sz]ed|unauthori[sz]ed|authori[sz]ation|failedauthentication|authenticat|invalidsecurity|wsse/i

/** Of what a fault says; the words that tell stand at its beginning. */
const MAX_JUDGED_LENGTH = 4096

/**
 * The `<operation>Response` element of an answer. Throws OnvifError: `auth-refused`, `soap-fault`, or `not-onvif` for all that is
 * neither a fault nor an answer to this question.
 */
export async function readAnswer(answer: HttpAnswer, operation: string,
  deviceText: DeviceText): Promise<XmlElement> {
  const { status } = answer
  if (status === 401 || status === 403) throw new OnvifError('auth-refused', `${operation} was refused with HTTP status ${status}`)
  const body = await bodyOf(answer, operation)
  const fault = descend(body, 'Fault')
  if (fault) throw faultOf(fault, operation, deviceText)
  const response = descend(body, `${operation}Response`)
  if (status < 200 || status > 299 || !response) throw new OnvifError('not-onvif', `${operation} got HTTP status ${status} and no ONVIF answer`)
  return response
}

async function bodyOf(answer: HttpAnswer, operation: string): Promise<XmlElement | undefined> {
  try {
    const root = await readXmlInSlices(withoutParts(answer.text))
    return root.name === 'Envelope' ? descend(root, 'Body') : undefined
  } catch (error) {
    if (!(error instanceof XmlError)) throw error
    throw new OnvifError('not-onvif', `${operation} got HTTP status ${answer.status} and no XML: ${error.message}`)
  }
}

/** An answer with attachments (MTOM) begins with the head of its first part, which is the envelope. */
const withoutParts = (text: string): string =>
  text.replace(/^\s*--[^\n]{1,200}\n(?:[^\r\n]{1,998}\r?\n){0,20}\r?\n/, '')

/** SOAP 1.2, and the 1.1 that a few devices still send. */
function faultOf(fault: XmlElement, operation: string, deviceText: DeviceText): OnvifError {
  const subcode = descend(fault, 'Code', 'Subcode')
  const said = [
    textAt(fault, 'Code', 'Value'), textAt(subcode, 'Value'), textAt(subcode, 'Subcode', 'Value'), textAt(fault, 'faultcode'),
    textAt(fault, 'Reason', 'Text') ?? textAt(fault, 'faultstring'),
  ].filter(text => text !== undefined).join(' ')
  const isRefusal = AUTH_FAULT.test(said.slice(0, MAX_JUDGED_LENGTH))
  return new OnvifError(isRefusal ? 'auth-refused' : 'soap-fault',
    `${operation} was answered with a fault: ${deviceText.forError(said)}`)
}
