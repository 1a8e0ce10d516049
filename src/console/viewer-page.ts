import type { FastifyInstance } from 'fastify'
import { readFileSync } from 'node:fs'
import path from 'node:path'

const FOLDER = path.join(import.meta.dirname, '../../web/viewer')
const HTML = 'text/html; charset=utf-8', JS = 'text/javascript; charset=utf-8', CSS = 'text/css; charset=utf-8'
/** All there is of the page. A name that is not here is not read from disk, whatever it says. */
const FILES = { 'index.html': HTML, 'viewer.js': JS, 'camera.js': JS, 'preview.js': JS, 'standing.js': JS, 'timeline.js': JS, 'watermark.js': JS, 'wire.js': JS, 'viewer.css': CSS } as const
export const VIEWER_CSP = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; media-src blob:; img-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
/** What a page that shows footage has no use for, the screen's own capture first of all (R34). */
const PERMISSIONS = ['display-capture', 'camera', 'microphone', 'geolocation', 'picture-in-picture', 'clipboard-read', 'clipboard-write', 'usb', 'serial', 'bluetooth', 'midi'].map(name => `${name}=()`).join(', ')

/** Where a person opens a screen. */
export const viewerPageOf = (screenId: string): string => `/viewer/?screen=${screenId}`

/** The page that plays screens, as it was when the console began: it holds nothing but itself, so anybody may have it. */
export function mountViewerPage(app: FastifyInstance): void {
  for (const [name, type] of Object.entries(FILES)) {
    const body = readFileSync(path.join(FOLDER, name))
    app.route({
      method: 'GET', url: name === 'index.html' ? '/viewer/' : `/viewer/${name}`, config: { isPage: true } as object,
      handler: async (_request, reply) => reply.type(type).header('content-security-policy', VIEWER_CSP).header('permissions-policy', PERMISSIONS).send(body),
    })
  }
}
