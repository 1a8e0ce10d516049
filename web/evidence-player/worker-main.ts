import { doJob, type Job } from './worker.ts'

const scope = globalThis as unknown as { onmessage: (event: { readonly data: Job }) => void, postMessage(message: unknown): void }
scope.onmessage = ({ data }) => { void doJob(data, answer => { scope.postMessage(answer) }) }
