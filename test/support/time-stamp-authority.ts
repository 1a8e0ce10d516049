import { execFile, execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import path from 'node:path'
import { promisify } from 'node:util'

const execute = promisify(execFile)

/** A real authority by RFC 3161 with a throw-away CA, by openssl; `digests` says what it stamps. */
export class TimeStampAuthority {
  readonly #folder: string
  readonly caPem: string
  constructor(folder: string, { digests = 'sha256' } = {}) {
    this.#folder = folder
    mkdirSync(folder, { recursive: true })
    const file = (name: string): string => path.join(folder, name)
    const openssl = (...args: string[]): void => { execFileSync('openssl', args, { stdio: 'ignore' }) }
    openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30', '-subj', '/CN=Test CA', '-keyout', file('ca.key'), '-out', file('ca.pem'))
    openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=Test TSA', '-keyout', file('tsa.key'), '-out', file('tsa.csr'))
    writeFileSync(file('extensions'), 'extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n')
    openssl('x509', '-req', '-in', file('tsa.csr'), '-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial', '-days', '20', '-extfile', file('extensions'), '-out', file('tsa.pem'))
    writeFileSync(file('tsa.cnf'), `[tsa]\ndefault_tsa = here\n[here]\nserial = ${file('serial')}\nsigner_digest = sha256\ndefault_policy = 1.2.3.4\ndigests = ${digests}\naccuracy = secs:1\ness_cert_id_alg = sha256\n`)
    writeFileSync(file('serial'), '01')
    this.caPem = readFileSync(file('ca.pem'), 'utf8')
  }

  get #words(): readonly string[] { return ['ts', '-reply', '-config', path.join(this.#folder, 'tsa.cnf'), '-section', 'here', '-signer', path.join(this.#folder, 'tsa.pem'), '-inkey', path.join(this.#folder, 'tsa.key')] }

  /** As a program of the office, run as it stands; `before` is shell. */
  program(name: string, before = ''): string {
    const file = path.join(this.#folder, name)
    writeFileSync(file, `#!/bin/sh\n${before}\nexec openssl ${this.#words.map(word => `'${word}'`).join(' ')} -queryfile "$1" -out "$2"\n`)
    chmodSync(file, 0o755)
    return file
  }

  async answer(request: Buffer): Promise<Buffer> {
    const scratch = await mkdtemp(path.join(this.#folder, 'asked-')), query = path.join(scratch, 'query'), reply = path.join(scratch, 'reply')
    await writeFile(query, request)
    await execute('openssl', [...this.#words, '-queryfile', query, '-out', reply])
    return await readFile(reply)
  }

  /** Over HTTP as RFC 3161 has it; anything else is answered 400. */
  async serve(): Promise<AsyncDisposable & { readonly url: string }> {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => { chunks.push(chunk) })
      request.on('end', () => {
        if (request.method !== 'POST' || request.headers['content-type'] !== 'application/timestamp-query') { response.writeHead(400).end(); return }
        this.answer(Buffer.concat(chunks)).then(bytes => { response.writeHead(200, { 'content-type': 'application/timestamp-reply' }).end(bytes) }, () => { response.writeHead(500).end() })
      })
    })
    await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
    return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}/tsr`, [Symbol.asyncDispose]: async () => { await new Promise(resolve => { server.close(resolve); server.closeAllConnections() }) } }
  }
}
