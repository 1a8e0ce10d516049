import t from 'tap'
import { bootIdOf } from '../../src/platform/boot-id.ts'

t.test('which boot this is: the unit says so, else the kernel, else every start is one', async t => {
  const boot = '0123456789abcdef0123456789abcdef'
  t.equal(bootIdOf({ CUSTOS_BOOT_ID: boot }, '/nonexistent'), boot)
  t.equal(bootIdOf({ CUSTOS_BOOT_ID: '01234567-89AB-cdef-0123-456789abcdef' }, '/nonexistent'), boot, 'however it is written')
  const file = `${t.testdir({ boot_id: '01234567-89ab-cdef-0123-456789abcdef\n' })}/boot_id`
  t.equal(bootIdOf({}, file), boot)
  t.equal(bootIdOf({ CUSTOS_BOOT_ID: '%b' }, file), boot, 'what is no boot id is not believed')
  const [one, other] = [bootIdOf({}, '/nonexistent'), bootIdOf({}, '/nonexistent')]
  t.ok(one !== other && one.startsWith('start-'))
  t.equal(bootIdOf({ CUSTOS_BOOT_ID: one }, file), one, 'the office is told what its recorder took')
  t.equal(bootIdOf({ CUSTOS_BOOT_ID: 'start-x' }, file), boot)
})
