import { parseArgs } from 'node:util'
import { recordCampaign } from './record.ts'

const { positionals, values } = parseArgs({ allowPositionals: true, options: {
  minutes: { type: 'string', default: '60' }, 'kill-every': { type: 'string', default: '7' }, 'check-every': { type: 'string', default: '4' },
  steady: { type: 'boolean', default: false }, // no camera flaps
  floor: { type: 'string', default: '10' }, ring: { type: 'string', default: '1024' }, seed: { type: 'string', default: String(Date.now() % 1_000_000) },
} })
const [name = 'record'] = positionals
if (name !== 'record') {
  console.error(`there is no campaign ${JSON.stringify(name)}; there is: record`)
  process.exitCode = 2
} else {
  const good = await recordCampaign({
    minutes: Number(values.minutes), killEveryMinutes: Number(values['kill-every']), checkEveryMinutes: Number(values['check-every']),
    floorMinutes: Number(values.floor), seed: Number(values.seed), ringMiB: Number(values.ring), flap: !values.steady,
  })
  process.exitCode = good ? 0 : 1
}
