import type { Route } from '../route.ts'
import { accountRoutes } from './accounts.ts'
import { applicationRoutes } from './applications.ts'
import { archiveRoutes } from './archive.ts'
import { attachmentRoutes } from './attachments.ts'
import { auditRoutes } from './audit.ts'
import { bookRoutes } from './book.ts'
import { cameraSurveyRoutes } from './camera-survey.ts'
import { copyRoutes } from './copies.ts'
import { destructionRoutes } from './destructions.ts'
import { documentRoutes } from './document.ts'
import { incidentRoutes } from './incidents.ts'
import { paperRoutes } from './papers.ts'
import { registerRoutes } from './register.ts'
import { ruleRoutes } from './rules.ts'
import { sessionRoutes } from './session.ts'
import { viewingRoutes } from './viewing.ts'

/** Every route of the console, in the order of the document. A part that comes later adds its list here. */
export const ROUTES: readonly Route[] = [
  ...sessionRoutes, ...accountRoutes, ...registerRoutes, ...ruleRoutes, ...cameraSurveyRoutes, ...applicationRoutes, ...attachmentRoutes, ...bookRoutes, ...incidentRoutes, ...auditRoutes, ...viewingRoutes, ...copyRoutes, ...archiveRoutes, ...destructionRoutes, ...paperRoutes, ...documentRoutes(() => ROUTES),
]
