/** What a configuration was made of, as `custos run` needs it again when the file is gone or spoilt. */
export interface ConfigCopy {
  /** Text of the configuration file. */
  readonly config: string
  /** SHA-256 of the file as it was read, hex. */
  readonly sha256: string
  /**
   * The entries of the secrets file that cameras name, as JSON; null where there is none, or where systemd
   * hands it over at each start.
   */
  readonly secrets: string | null
}

/** The same, kept from eyes: printed, logged or made into JSON it shows its hash alone. */
export class ConfigSource {
  readonly sha256: string
  readonly #copy: ConfigCopy
  constructor(copy: ConfigCopy) {
    this.#copy = copy
    this.sha256 = copy.sha256
  }

  /** Holds passwords: for the file that keeps it, mode 0600, and for nothing else. */
  copy(): ConfigCopy { return this.#copy }
}
