import t from 'tap'
import { FatalError } from '../../src/domain/index.ts'
import { createLogger } from '../../src/platform/logger.ts'

function logged(write: (log: ReturnType<typeof createLogger>) => void, level = 'info'): Record<string, unknown>[] {
  const lines: string[] = []
  write(createLogger({ level, destination: { write: (line: string) => { lines.push(line) } } }))
  return lines.map(line => JSON.parse(line) as Record<string, unknown>)
}

t.test('writes one JSON object a line with level and time in words', async t => {
  const [line] = logged(log => { log.warn({ cameraId: 'lobby' }, 'run ended') })
  t.match(line, { level: 'warn', cameraId: 'lobby', msg: 'run ended', time: /^\d{4}-\d{2}-\d{2}T.*Z$/ })
  t.notOk('pid' in line! || 'hostname' in line!)
})

t.test('an error is told with code, remedy and every cause, its URLs without credentials', async t => {
  const cause = new Error("open 'rtsp://viewer:hunter2@10.0.0.1/live' failed")
  const [line] = logged(log => { log.error({ err: new FatalError('CUSTOS_X', 'no rtsp://a:hunter2@b/', { remedy: 'do this', cause }) }, 'it broke') })
  t.match(line, { err: { type: 'FatalError', code: 'CUSTOS_X', remedy: 'do this', message: 'no rtsp://[redacted]@b/', cause: { message: "open 'rtsp://[redacted]@10.0.0.1/live' failed" } } })
  t.notMatch(JSON.stringify(line), /hunter2/)
})

t.test('credentials that are logged by mistake are blanked, at the top as one level down', async t => {
  const [line] = logged(log => { log.info({ password: 'hunter2', camera: { credential: { password: 'hunter2' } }, account: { username: 'hunter2', password: 'hunter2' } }, 'x') })
  t.notMatch(JSON.stringify(line), /hunter2/)
})

t.test('what is no error is told as its text, and a text without end is cut', async t => {
  const [thrown, long] = logged(log => { log.error({ err: 'rtsp://a:hunter2@b/' }, 'x'); log.error({ err: new Error('y'.repeat(100_000)) }, 'x') })
  t.match(thrown, { err: { message: 'rtsp://[redacted]@b/' } })
  t.ok(JSON.stringify(long).length < 10_000)
})

t.test('debug is silent unless asked for', async t => {
  t.equal(logged(log => { log.debug('x') }).length, 0)
  t.equal(logged(log => { log.debug('x') }, 'debug').length, 1)
})
