import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { chromium } from 'playwright-core'
import { serveViewing } from '../../../src/viewing/index.ts'
import { viewingServer } from '../../support/viewing-server.ts'
import type { ScreeningRoom } from './screening-room.ts'

const FLAGS = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required']
/** Set to a folder to look at what the page shows. */
const PICTURES = process.env['CUSTOS_TEST_PICTURES']

/** The kiosk page of a screen in real Chromium, and how it is asked. */
export async function kioskPage(room: Pick<ScreeningRoom, 'screens' | 'front'>, { token, screen }: { readonly token: string, readonly screen: { readonly id: string } }, { width = 1366, height = 768 } = {}) {
  const parts = new AsyncDisposableStack()
  const lines = new Set<{ close(): void }>()
  const server = parts.use(await viewingServer((socket, screenId) => {
    lines.add(socket)
    serveViewing({ screens: room.screens, sessions: room.front.office.access.sessions }, { token, screenId, socket })
  }))
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS })
  parts.defer(() => browser.close())
  const page = await browser.newPage({ viewport: { width, height } }), errors: string[] = []
  page.on('pageerror', error => errors.push(error.message))
  page.on('console', said => { if (said.type() === 'error' && !said.text().includes('favicon')) errors.push(said.text()) })
  await page.goto(`${server.url}?screen=${screen.id}`)
  const shoot = async (name: string) => {
    if (PICTURES === undefined) return
    await mkdir(PICTURES, { recursive: true })
    await page.screenshot({ path: path.join(PICTURES, `${name}.png`) })
  }
  return {
    page, errors, lines, shoot,
    /** The page's policy allows no evaluation from within: it is asked again and again from outside. */
    async becomes(expression: string, boundMs = 45_000): Promise<void> {
      for (const deadline = performance.now() + boundMs; await page.evaluate(expression) !== true;) {
        if (performance.now() > deadline) { await shoot('late'); throw new Error(`not within ${boundMs} ms: ${expression}; ${await page.evaluate<string>('document.body.innerText')}; ${errors.join()}`) }
        await page.waitForTimeout(50)
      }
    },
    clock: async () => (await page.textContent('#clock') ?? '').slice(-10),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}
