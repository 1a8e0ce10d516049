/**
 * What an operating system puts into any folder by itself, by path: no part of a package, and no fault beside one. Anything else that the manifest does not list is.
 * The offline page has the same rule; a test holds them together.
 */
export const SYSTEM_FILE = /(^|\/)(\.DS_Store|Thumbs\.db|desktop\.ini|\._[^/]+|System Volume Information(\/.*)?)$/i

/** Not looked into: it may be closed to whoever reads the medium. */
export const SYSTEM_FOLDER = 'System Volume Information'
