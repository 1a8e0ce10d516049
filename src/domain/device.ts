/** What a device tells of itself; null where it says nothing. Cleaned and bounded where it was read. */
export interface DeviceFacts { readonly maker: string | null, readonly model: string | null, readonly firmware: string | null, readonly serial: string | null }
