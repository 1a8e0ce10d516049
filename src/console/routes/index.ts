import type { Route } from '../route.ts'
import { documentRoutes } from './document.ts'
import { sessionRoutes } from './session.ts'

/** Every route of the console, in the order of the document. A part that comes later adds its list here. */
export const ROUTES: readonly Route[] = [...sessionRoutes, ...documentRoutes(() => ROUTES)]
