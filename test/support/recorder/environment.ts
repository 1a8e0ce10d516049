/** Runs `work` with more in the environment, which the programs it starts inherit. */
export async function withEnv<Result>(env: Record<string, string>,
  work: () => Promise<Result>): Promise<Result> {
  const before = Object.fromEntries(Object.keys(env).map(name => [name, process.env[name]]))
  Object.assign(process.env, env)
  try { return await work() } finally {
    for (const [name, value] of Object.entries(before)) if (value === undefined) delete process.env[
      name]; else process.env[name] = value
  }
}
