import Database from 'better-sqlite3'
import type { Acting } from '../../../src/access/index.ts'
import { FrontDesk } from '../../requests/support/front-desk.ts'
import { CopyOffice, HAND_OVER, never } from './support.ts'
import { Steps } from './steps.ts'

/** What a process that is to be killed is told: whose office, who acts, what is done, and before which step of which kind the kernel ends it. */
export interface Order { readonly catalogue: string, readonly root: string, readonly scratch: string, readonly passedMs: number, readonly acting: object & { readonly sessionHash: string }, readonly copyId: string, readonly work: 'make' | 'release' | 'keep', readonly at: { readonly what: string, readonly file: string, readonly nth: number } }

const { catalogue, root, scratch, passedMs, acting: sent, copyId, work, at } = JSON.parse(process.argv[2]!) as Order
const db = new Database(catalogue)
db.pragma('synchronous = FULL')
const office = await CopyOffice.at(FrontDesk.over({ testdir: () => scratch, teardown: () => undefined }, db), root)
office.front.office.pass(passedMs)
const { desk } = await office.afresh(), acting = { ...sent, sessionHash: Buffer.from(sent.sessionHash, 'hex') } as unknown as Acting
let count = 0
const steps = new Steps(({ what, file }) => { if (what === at.what && file.includes(at.file) && count++ === at.nth) process.kill(process.pid, 'SIGKILL') })
await steps.of(async () => work === 'make' ? desk.runNext(never) : work === 'keep' ? desk.keep(acting, copyId) : desk.release(acting, copyId, HAND_OVER))
