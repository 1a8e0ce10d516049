import Type from 'typebox'
import { openApiOf } from '../openapi.ts'
import { route, type Route } from '../route.ts'

/** The document of the routes, which it is handed so that it can hold itself. */
export const documentRoutes = (all: () => readonly Route[]): readonly Route[] => [
  route({ method: 'GET', url: '/api/openapi.json', who: 'session', summary: { zh: 'API 文件', en: 'this document' }, answer: Type.Object({}, { additionalProperties: true }), handler: () => openApiOf(all()) }),
]
