// Runs one simulated device: node simulate.ts CONFIG.json. Prints its port, ends when stdin closes.
import { readFileSync } from 'node:fs'
import { OnvifSimulator, type SimulatedDevice } from './device-simulator.ts'

const configPath = process.argv[2]
if (configPath === undefined) {
  process.stderr.write('usage: simulate.ts CONFIG.json   (the options of OnvifSimulator.start)\n')
  process.exit(2)
}
const device = JSON.parse(readFileSync(configPath, 'utf8')) as SimulatedDevice
if (!Array.isArray(device.profiles)) throw new TypeError('the configuration needs a list "profiles"')

const simulator = await OnvifSimulator.start(device)
process.stdout.write(`${JSON.stringify({ ready: true, port: simulator.port })}\n`)
process.stdin.resume()
process.stdin.once('end', () => { void simulator[Symbol.asyncDispose]() })
