import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { RequestGuard, type Proof } from './request-guard.ts'
import type { SimulatedDevice } from './simulated-device.ts'
import { answerWrongly, deviceUnder, isWireFault, type SimulatedFault } from './simulated-fault.ts'
import { answerBody, envelope, faultBody, questionOf } from './soap-answers.ts'

export type { SimulatedDevice, SimulatedInformation, SimulatedProfile } from './simulated-device.ts'
export { FACT_FAULTS, WIRE_FAULTS } from './simulated-fault.ts'
export type { SimulatedFault } from './simulated-fault.ts'

export interface SeenRequest { readonly operation: string, readonly path: string, readonly proof: Proof, readonly body: string, readonly authorization: string | undefined }

/** What the standard lets anybody ask. */
const OPEN_OPERATIONS = ['GetSystemDateAndTime', 'GetServices', 'GetCapabilities']

/** An ONVIF device on the loopback: the SOAP half of a camera, with a clock of its own and faults on demand. */
export class OnvifSimulator implements AsyncDisposable {
  readonly requests: SeenRequest[] = []
  readonly #device: SimulatedDevice
  readonly #guard: RequestGuard
  readonly #server: Server
  #port = 0
  #sentBytes = 0
  #openConnections = 0
  #clockOffsetMs: number
  #fault: SimulatedFault | null = null
  #faultOn: string | null = null

  static async start(device: SimulatedDevice): Promise<OnvifSimulator> {
    const simulator = new OnvifSimulator(device)
    await simulator.#listen(device.port ?? 0)
    return simulator
  }

  private constructor(device: SimulatedDevice) {
    this.#device = device
    this.#clockOffsetMs = device.clockOffsetMs ?? 0
    this.#guard = new RequestGuard(device, () => Date.now() + this.#clockOffsetMs)
    this.#server = createServer((request, response) => { void this.#receive(request, response) })
    this.#server.on('connection', socket => {
      this.#openConnections += 1
      socket.once('close', () => { this.#openConnections -= 1; this.#sentBytes += socket.bytesWritten })
    })
  }

  get port(): number { return this.#port }
  get openConnections(): number { return this.#openConnections }
  /** Over the connections that have ended. */
  get sentBytes(): number { return this.#sentBytes }

  /** From the next request on; `on` limits the fault to one operation, or to one path. Null heals the device. */
  async set(fault: SimulatedFault | null, on: string | null = null): Promise<void> {
    this.#fault = fault
    this.#faultOn = on
    if (fault === 'refuses-connection') await this.#close()
    else if (!this.#server.listening) await this.#listen(this.#port)
  }

  /** As when somebody sets the camera's clock. */
  setClockOffset(offsetMs: number): void { this.#clockOffsetMs = offsetMs }

  async [Symbol.asyncDispose](): Promise<void> { await this.#close() }

  async #listen(port: number): Promise<void> {
    this.#server.listen(port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as AddressInfo).port
  }

  async #close(): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    } catch {
      return // the client went away: nobody is left to answer
    }
    const body = Buffer.concat(chunks).toString('utf8')
    const question = questionOf(body)
    const path = request.url ?? ''
    const { authorization } = request.headers
    const proof = this.#guard.proofOf({ body, path, authorization })
    this.requests.push({ operation: question.operation, path, proof, body, authorization })
    const fault = this.#faultOn === null || this.#faultOn === question.operation || this.#faultOn === path ? this.#fault : null
    if (fault !== null && isWireFault(fault)) { answerWrongly(fault, request, response, this.#device, body); return }
    const open = this.#device.credential === undefined || OPEN_OPERATIONS.includes(question.operation)
    if (proof === 'none' && (!open || (this.#device.clockNeedsCredential && question.operation === 'GetSystemDateAndTime'))) { this.#refuse(response); return }
    const at = new Date(Date.now() + this.#clockOffsetMs)
    const answer = answerBody(deviceUnder(fault, this.#device), question, this.#device.origin ?? `http://127.0.0.1:${this.#port}`, at)
    response.writeHead(answer.startsWith('<env:Fault>') ? 500 : 200, { 'content-type': 'application/soap+xml; charset=utf-8' }).end(envelope(answer))
  }

  #refuse(response: ServerResponse): void {
    const challenge = this.#guard.newChallenge()
    if (challenge === null) response.writeHead(400, { 'content-type': 'application/soap+xml' }).end(envelope(faultBody('NotAuthorized', 'Sender not Authorized')))
    else response.writeHead(401, { 'www-authenticate': challenge }).end()
  }
}
