import { parseArgs } from 'node:util'

const { positionals, values } = parseArgs({ allowPositionals: true, allowNegative: true, options: {
  minutes: { type: 'string' }, case: { type: 'string' },
  'kill-every': { type: 'string', default: '7' }, 'check-every': { type: 'string', default: '4' },
  steady: { type: 'boolean', default: false }, // no camera flaps
  odd: { type: 'boolean', default: false }, // eight odd cameras beside
  floor: { type: 'string' }, ring: { type: 'string', default: '1024' }, seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  kills: { type: 'string', default: '200' }, slots: { type: 'string' }, cameras: { type: 'string' },
  slice: { type: 'boolean', default: false }, only: { type: 'string' }, each: { type: 'string' }, steps: { type: 'string' },
  watchdog: { type: 'string', default: '60' }, burners: { type: 'string', default: '1' },
  years: { type: 'string' }, echo: { type: 'boolean', default: false }, ignore: { type: 'string' }, skip: { type: 'string' },
  plant: { type: 'string' }, plants: { type: 'boolean', default: false }, shrink: { type: 'boolean', default: true },
} })
const [name = 'record'] = positionals
const seed = Number(values.seed)
const numberOr = (text: string | undefined, usual: number) => text === undefined ? usual : Number(text)

/** Each resolves with whether all was well. */
const CAMPAIGNS: Record<string, () => Promise<boolean>> = {
  record: async () => (await import('./record.ts')).recordCampaign({
    minutes: numberOr(values.minutes, 60),
    killEveryMinutes: Number(values['kill-every']), checkEveryMinutes: Number(values['check-every']),
    floorMinutes: numberOr(values.floor, 10), seed, ringMiB: Number(values.ring), flap: !values.steady, odd: values.odd,
  }),
  crash: async () => (await import('./crash.ts')).crashCampaign({
    kills: Number(values.kills), seed, floorS: numberOr(values.floor, values.slice ? 4 : 45), slots: numberOr(values.slots, values.slice ? 10 : 48), cameras: numberOr(values.cameras, values.slice ? 3 : 5),
    ...(values.slice ? { isSlice: true, fetchEveryMs: 8_000, holdEveryMs: 8_000, holdForMs: 6_000, holdSpanMs: 2_000 } : {}),
  }),
  clock: async () => (await import('./clock.ts')).clockCampaign({
    floorS: numberOr(values.floor, values.slice ? 5 : 40), slots: numberOr(values.slots, values.slice ? 9 : 24), cameras: numberOr(values.cameras, 3),
    eachS: numberOr(values.each, values.slice ? 3 : 60), steps: numberOr(values.steps, values.slice ? 2 : 720), stepEveryS: values.slice ? 2 : 3,
    ...(values.slice ? { only: ['+40d'] } : {}), ...(values.only === undefined ? {} : { only: values.only.split(',') }),
  }),
  simulate: async () => (await import('./simulate/main.ts')).simulateCampaign({
    seed, years: numberOr(values.years, 1), cameras: values.cameras === undefined ? null : Number(values.cameras), echo: values.echo, ignore: values.ignore?.split(',') ?? [], skip: values.skip?.split(',') ?? [],
    isShrunk: !values.echo && values.shrink, plant: values.plant ?? null, plants: values.plants, only: values.only ?? '',
  }),
  copies: async () => (await import('./copies.ts')).copiesCampaign({ minutes: values.slice ? 0.7 : numberOr(values.minutes, 60), seed, killShare: values.slice ? 0.5 : 0.2 }),
  'core-faults': async () => (await import('./core-faults.ts')).coreFaultsCampaign({
    seed, minutes: numberOr(values.minutes, 1), slice: values.slice,
    ...(values.case === undefined ? {} : { cases: values.case.split(',') }),
  }),
  watchdog: async () => (await import('./watchdog.ts')).watchdogCampaign({
    minutes: numberOr(values.minutes, 10), watchdogS: Number(values.watchdog), burners: Number(values.burners),
  }),
  disk: async () => (await import('./disk.ts')).diskCampaign({ seed, slice: values.slice, ...(values.only === undefined ? {} : { only: values.only }) }),
}

const campaign = CAMPAIGNS[name]
if (campaign === undefined) {
  console.error(`there is no campaign ${JSON.stringify(name)}; there are: ${Object.keys(CAMPAIGNS).join(', ')}`)
  process.exitCode = 2
} else process.exitCode = await campaign() ? 0 : 1
