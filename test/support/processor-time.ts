/** What this thread's work cost the processor since `startedAt`, in milliseconds: other work beside it does not count. */
export const processorMsSince = (startedAt: NodeJS.CpuUsage): number => {
  const { user, system } = process.threadCpuUsage(startedAt)
  return Math.round((user + system) / 1000)
}
export const processorNow = (): NodeJS.CpuUsage => process.threadCpuUsage()
