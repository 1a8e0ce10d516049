import { writeFileSync } from 'node:fs'
import path from 'node:path'
import pino from 'pino'
import t from 'tap'
import { LiveConfig } from '../../src/office/live-config.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { until } from '../support/until.ts'

const log = pino({ level: 'silent' })
const text = (folder: string, name: string, more = ''): string => `site: { name: ${name} }
state: { dir: ${folder}/state }
volumes: [ { id: disk1, path: /srv/custos/disk1 } ]
inbox: off
secrets: { file: ${folder}/secrets.yaml }
cameras: [ { id: lobby, name: 大廳, streams: { main: { url: "rtsp://192.0.2.1/a" } } } ]
${more}`

t.test('it follows the file, keeps what was good, and reads no password', async t => {
  const folder = t.testdir({}), file = path.join(folder, 'custos.yaml')
  t.equal(await LiveConfig.open(file, systemClock, log), null, 'there has never been one')
  writeFileSync(file, text(folder, '甲所')) // the file of passwords is not there, and is not missed
  await using config = await LiveConfig.open(file, systemClock, log)
  t.equal(config?.now.site.name, '甲所')
  t.equal(config?.now.cameras[0]?.credential ?? null, null)
  writeFileSync(file, text(folder, '乙所'))
  await until('the change is seen', () => config?.now.site.name === '乙所')
  writeFileSync(file, text(folder, '丙所', 'unknown: 1'))
  await new Promise(resolve => { setTimeout(resolve, 1_500) })
  t.equal(config?.now.site.name, '乙所', 'a bad file changes nothing')
  writeFileSync(file, text(folder, '丁所'))
  await until('the good one is seen', () => config?.now.site.name === '丁所')
})
