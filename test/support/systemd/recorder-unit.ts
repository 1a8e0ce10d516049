import { clip, clipIndex, CLIPS } from '../cameras/make-clips.ts'
import { eventually, type Machine } from './machine.ts'

/** The recorder as it is installed, with its unit, two cameras and a small volume, inside a machine. */
export const CAMERAS = ['front', 'back'] as const
const ACCOUNT = { username: 'viewer', password: 'p@ss word' }
/** From a start of the recorder until both cameras are recorded, on a busy host too. */
export const RECORDING_WITHIN_MS = 20_000
export const SECRETS_FILE = '/etc/custos/secrets.yaml'

export const configText = (secrets: string): string => `
site: { name: 測試機關 }
state: { dir: /var/lib/custos }
volumes: [{ id: disk1, path: /srv/custos/disk1 }]
secrets: { file: "${secrets}" }
cameras:
${CAMERAS.map(id => `  - { id: ${id}, name: ${id}, credential: ${id}, streams: { main: { url: "rtsp://127.0.0.1:8554/${id}" } } }`).join('\n')}
`
const SECRETS = CAMERAS.map(id => `${id}: { username: "${ACCOUNT.username}", password: "${ACCOUNT.password}" }\n`).join('')

/** The RTSP server ends with its standard input, which must therefore stay open. */
const CAMERAS_UNIT = `[Service]
ExecStart=/bin/sh -c 'tail -f /dev/null | exec /usr/bin/python3 /opt/custos/test/support/cameras/rtsp-server.py /root/cameras.json'
`

type StreamStatus = { camera: string, state: string, lastFrameAt: string | null }

const custos = (machine: Machine, ...args: readonly string[]) => machine.run('custos', ...args)

/** What `systemctl show` says of the recorder's unit. */
export async function unitProperty(machine: Machine, property: string): Promise<string> {
  return (await machine.must('systemctl', 'show', 'custos', '--value', '--property', property)).trim()
}

export async function startCameras(machine: Machine): Promise<void> {
  const path = await clip(CLIPS.h264Small)
  const { codec, fps, gopFrames } = await clipIndex(path)
  const inside = `/opt/custos/.cache/clips/${path.split('/').slice(-2).join('/')}`
  const mounts = CAMERAS.map(id => ({ path: `/${id}`, clip: inside, codec, fps, gopFrames, ...ACCOUNT }))
  await machine.write('/root/cameras.json', JSON.stringify({ port: 8554, mounts }), 0o600)
  await machine.write('/etc/systemd/system/cameras.service', CAMERAS_UNIT)
  await machine.must('systemctl', 'daemon-reload')
  await machine.must('systemctl', 'start', 'cameras')
}

export async function installRecorder(machine: Machine): Promise<void> {
  await machine.must('/opt/custos/systemd/install.sh')
  await machine.write('/etc/custos/custos.yaml', configText(SECRETS_FILE))
  await machine.write(SECRETS_FILE, SECRETS, 0o600)
  await machine.must('chown', '--recursive', 'custos:', SECRETS_FILE, '/srv/custos/disk1')
  await machine.must('setpriv', '--reuid=custos', '--regid=custos', '--clear-groups', 'custos', 'volume', 'init', '/srv/custos/disk1', '--id', 'disk1', '--size', '128MiB', '--slot-size', '4MiB')
}

/** Resolves once `custos status --json` shows every camera recording frames that are newer than `after`. */
export async function allRecording(machine: Machine, after: Date): Promise<void> {
  let seen = ''
  await eventually('all cameras are recording', RECORDING_WITHIN_MS, async () => {
    const { code, out, err } = await custos(machine, 'status', '--config', '/etc/custos/custos.yaml', '--json')
    seen = out + err
    if (code === 3 || code === null) return null
    const { streams } = JSON.parse(out) as { streams: StreamStatus[] }
    const recording = streams.filter(({ state, lastFrameAt }) => state === 'recording' && lastFrameAt !== null && new Date(lastFrameAt) > after)
    return recording.length === CAMERAS.length ? true : null
  }).catch(async (error: unknown) => {
    throw new Error(`${seen}\n${await journal(machine)}`, { cause: error })
  })
}

/** The unit's last lines; systemd alone writes over a hundred when it kills the threads of a hung recorder. */
export const journal = async (machine: Machine): Promise<string> => (await machine.run(
  'journalctl', '--unit', 'custos', '--output', 'cat', '--no-pager', '--lines', '400',
)).out
