import t from 'tap'
import { epochMs } from '../../src/domain/index.ts'
import { deviceTable } from '../../src/storage/tables/devices.ts'
import { CLERK, LOBBY } from '../requests/support/front-desk.ts'
import { Console } from './support/caller.ts'
import { Counter } from './support/procedure.ts'

interface Listed { readonly cameras: readonly { readonly id: string, readonly device: Readonly<Record<string, unknown>> | null }[] }

t.test('the list of cameras names the device that stands there and since when, as far as it told; no serial number, and nothing of one that never did', async t => {
  const console = await Console.open(t), counter = new Counter(console), devices = deviceTable(console.front.office.db)
  const seen = { maker: 'ACME', serial: '0001', lastSeenAt: epochMs(2_000) }
  devices.insert(LOBBY, { ...seen, model: 'Old', firmware: '1.0', firstSeenAt: epochMs(1_000) })
  devices.insert(LOBBY, { ...seen, model: 'Dome 4', firmware: null, firstSeenAt: epochMs(3_000), lastSeenAt: epochMs(4_000) })
  const { cameras } = await counter.read<Listed>(CLERK, '/api/cameras')
  t.same(cameras.map(({ id, device }) => [id, device]), [['lobby', { maker: 'ACME', model: 'Dome 4', firmware: null, firstSeenAt: 3_000, lastSeenAt: 4_000 }], ['door', null]])
})
