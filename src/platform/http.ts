import type * as Http from 'node:http'

/**
 * `node:http`, got without an import: an ES import reads every export of the module, and behind three of them (`WebSocket`, `CloseEvent`, `MessageEvent`)
 * Node 26 loads its whole fetch library, 13 MiB that nothing here uses (measured). test/platform/http.test.ts sees to it that nobody imports it.
 */
export const http: typeof Http = process.getBuiltinModule('node:http')
