/** Who holds a post, on which local days (ISO text, both included); `to` null is until further notice. `unit` only for posts that belong to a unit. */
export interface Appointment { readonly account: string, readonly post: string, readonly unit: string | null, readonly from: string, readonly to: string | null }
/** Who stands in for whoever holds a post (職務代理人); always with an end. */
export interface Deputy extends Appointment { readonly to: string }
export interface Staffing { readonly appointments: readonly Appointment[], readonly deputies: readonly Deputy[] }

export type Capacity = 'holder' | 'deputy'
export interface PostQuestion {
  readonly post: string
  /** Null for posts of no unit. */
  readonly unit: string | null
  readonly day: Temporal.PlainDate
}

const fits = (entry: Appointment, { post, unit, day }: PostQuestion): boolean => {
  const today = day.toString()
  return entry.post === post && entry.unit === unit && entry.from <= today && (entry.to === null || today <= entry.to)
}

/** In which capacity an account may sign for a post that day; null when in none. Holder before deputy. */
export function capacityOf(staffing: Staffing, account: string, question: PostQuestion): Capacity | null {
  if (staffing.appointments.some(entry => entry.account === account && fits(entry, question))) return 'holder'
  return staffing.deputies.some(entry => entry.account === account && fits(entry, question)) ? 'deputy' : null
}

/** Everybody who may sign for a post that day. */
export function signersOf(staffing: Staffing, question: PostQuestion): ReadonlyMap<string, Capacity> {
  const signers = new Map<string, Capacity>()
  for (const entry of staffing.deputies) if (fits(entry, question)) signers.set(entry.account, 'deputy')
  for (const entry of staffing.appointments) if (fits(entry, question)) signers.set(entry.account, 'holder')
  return signers
}
