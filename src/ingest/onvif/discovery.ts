import { randomUUID } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { networkInterfaces } from 'node:os'
import type { Clock } from '../../platform/clock.ts'
import { DeviceText } from './device-text.ts'
import { descend, readXml, textAt, XmlError } from './xml-element.ts'

/** A device that answered. Everything but the address is its own word; nobody has connected to it. */
export interface DiscoveredDevice {
  /** Where its answer came from. */
  readonly address: string
  /** Of its ONVIF service, where it names one at that address. */
  readonly port: number | null
  readonly name: string
  readonly hardware: string
}

/** One network to ask on. */
export interface DiscoveryWay {
  /** Our own address there. */
  readonly bindAddress: string
  readonly to: { readonly address: string, readonly port: number }
}

export interface DiscoveryOptions {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly forMs: number
  /** All networks of this machine unless told. */
  readonly ways?: readonly DiscoveryWay[]
  readonly onAsked?: (ports: readonly number[]) => void
}

export interface Discovery {
  readonly devices: readonly DiscoveredDevice[]
  /** Datagrams that were no answer to our question, or beyond a bound. */
  readonly ignored: number
  /** Our own addresses on networks that could not be asked. */
  readonly unasked: readonly string[]
}

/** WS-Discovery's group and port. */
const GROUP = { address: '239.255.255.250', port: 3702 }
const MAX_DATAGRAM_BYTES = 16 * 1024
/** An answer has some twenty elements and ten namespaces; many datagrams are read in one turn. */
const DATAGRAM_BOUNDS = { elements: 200, attributes: 400, references: 400 }
/** Of one address of a service, and of one scope. */
const MAX_WORD_CHARS = 1_024
/** Far above one network of cameras; a machine that plays many devices is not listened to for ever. */
const MOST_DEVICES = 512
/** A device answers once or twice; each costs less than a tenth of a millisecond. */
const MOST_READ = 4 * MOST_DEVICES
const MOST_READ_OF_ONE = 4

const networksOfHere = (): DiscoveryWay[] =>
  Object.values(networkInterfaces()).flatMap(addresses => addresses ?? [])
  .filter(({ family, internal }) => family === 'IPv4' && !internal).map(({ address }) =>
    ({ bindAddress: address, to: GROUP }))

const probeOf = (messageId: string): string => '<?xml version="1.0" encoding="UTF-8"?>'
  + '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"'
  + ' xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
  + ' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"'
  + ' xmlns:dn="http://www.onvif.org/ver10/network/wsdl"><e:Header>'
  + `<w:MessageID>uuid:${messageId}</w:MessageID><w:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</w:To>`
  + '<w:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</w:Action></e:Header>'
  + '<e:Body><d:Probe><d:Types>dn:NetworkVideoTransmitter</d:Types></d:Probe></e:Body></e:Envelope>'

/**
 * Asks each network once who is there. Only answers that carry the number of our question are read, and
 * nothing is
 * connected to. Throws the system's error when none of the networks can be asked.
 */
export async function discoverDevices({ clock, signal, forMs, ways = networksOfHere(),
  onAsked }: DiscoveryOptions): Promise<Discovery> {
  const messageId = randomUUID(), probe = Buffer.from(probeOf(messageId))
  const found = new FoundDevices(messageId)
  const sockets = ways.map(() => createSocket('udp4').on('error', () => undefined)
    .on('message', (bytes, { address }) => { found.take(bytes, address) }))
  try {
    const asked = await Promise.allSettled(ways.map((way, i) => ask(sockets[i]!, way, probe)))
    const failures = asked.filter(end => end.status === 'rejected')
    if (ways.length > 0 && failures.length === ways.length) throw failures[0]!.reason
    onAsked?.(sockets.flatMap((socket, i) => asked[i]!.status === 'fulfilled' ? socket.address().port : []))
    await clock.wait(forMs, signal)
    const unasked = ways.flatMap(({ bindAddress }, i) => asked[i]!.status === 'rejected' ? bindAddress : [])
    return { devices: found.devices, ignored: found.ignored, unasked }
  } finally { for (const socket of sockets) socket.close() }
}

async function ask(socket: Socket, { bindAddress, to }: DiscoveryWay, probe: Buffer): Promise<void> {
  socket.bind(0, bindAddress)
  await once(socket, 'listening')
  if (to.address === GROUP.address) socket.setMulticastInterface(bindAddress)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  socket.send(probe, to.port, to.address, error => { if (error === null) resolve(); else reject(error) })
  await promise
}

class FoundDevices {
  readonly #messageId: string
  readonly #byAddress = new Map<string, DiscoveredDevice>()
  readonly #readOf = new Map<string, number>()
  readonly #text = new DeviceText(null)
  #read = 0
  ignored = 0

  constructor(messageId: string) { this.#messageId = messageId }

  get devices(): DiscoveredDevice[] { return [...this.#byAddress.values()] }

  take(bytes: Buffer, address: string): void {
    const readOfIt = this.#readOf.get(address) ?? 0
    const isOurs = bytes.length <= MAX_DATAGRAM_BYTES && bytes.includes(this.#messageId)
    if (!isOurs || readOfIt >= MOST_READ_OF_ONE || this.#read >= MOST_READ) { this.ignored++; return }
    this.#readOf.set(address, readOfIt + 1)
    this.#read++
    const device = this.#deviceOf(bytes.toString('utf8'), address)
    if (device === null) this.ignored++
    else if (this.#byAddress.has(address) || this.#byAddress.size < MOST_DEVICES) this.#byAddress.set(
      address, device)
  }

  #deviceOf(text: string, address: string): DiscoveredDevice | null {
    try {
      const envelope = readXml(text, DATAGRAM_BOUNDS)
      const isAnswer = textAt(envelope, 'Header', 'RelatesTo')?.endsWith(this.#messageId) ?? false
      const match = descend(envelope, 'Body', 'ProbeMatches', 'ProbeMatch')
      if (!isAnswer || match === undefined) return null
      const scopes = wordsOf(textAt(match, 'Scopes'), 64)
      return { address, port: portOf(wordsOf(textAt(match, 'XAddrs'), 8), address),
        name: this.#scope(scopes, 'name'), hardware: this.#scope(scopes, 'hardware') }
    } catch (error) {
      if (!(error instanceof XmlError)) throw error
      return null
    }
  }

  #scope(scopes: readonly string[], name: string): string {
    const found = new RegExp(`^onvif://www\\.onvif\\.org/${name}/(.*)$`,
      'i').exec(scopes.find(scope => scope.toLowerCase().startsWith(`onvif://www.onvif.org/${name}/`))
        ?? '')?.[1] ?? ''
    let plain = found
    try { plain = decodeURIComponent(found) } catch { /* shown as it is */ }
    return this.#text.forFact(plain)
  }
}

/** The first of a list; a word beyond the length is left out. */
const wordsOf = (text: string | undefined, most: number): string[] =>
  (text ?? '').split(/\s+/, most).filter(word => word.length <= MAX_WORD_CHARS)

/** Of the service that is at the address the answer came from; a device may name others' addresses. */
function portOf(addresses: readonly string[], from: string): number | null {
  const urls = addresses.map(text => URL.parse(text)).filter(url => url !== null)
  const own = urls.find(({ hostname, protocol }) => hostname === from && /^https?:$/.test(protocol))
  if (own === undefined) return null
  return own.port === '' ? own.protocol === 'https:' ? 443 : 80 : Number(own.port)
}
