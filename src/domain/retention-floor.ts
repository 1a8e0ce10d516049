/**
 * How long footage is kept at least.
 * `calendar-days`: whole local days after the recording day, in the site's zone (R18, R47). `plain`: running milliseconds, for trials.
 */
export type RetentionFloor =
  | { readonly kind: 'calendar-days', readonly days: number }
  | { readonly kind: 'plain', readonly durationMs: number }
