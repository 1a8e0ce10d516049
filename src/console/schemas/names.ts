import type { TSchema } from 'typebox'

/** Schemas that the OpenAPI document shows by name. */
export const SCHEMA_NAMES = new Map<object, string>()
/** Names a schema; once. */
export function named<S extends TSchema>(name: string, schema: S): S {
  if ([...SCHEMA_NAMES.values()].includes(name)) throw new TypeError(`two schemas are called ${name}`)
  SCHEMA_NAMES.set(schema, name)
  return schema
}
