import type { CameraConfig, RetentionFloor, VolumeId } from '../domain/index.ts'
import type { Problem } from './problem.ts'
import type { ConfigSource } from './source.ts'

export interface Endpoint { readonly host: string, readonly port: number }
/** `auto`: a certificate of our own making. `off` is only ever on a loopback address. */
export type ConsoleTls = 'auto' | 'off' | { readonly cert: string, readonly key: string }
export interface VolumeConfig { readonly id: VolumeId, readonly path: string }

export interface Insistence { readonly by: string, readonly reason: string }

export interface WitnessConfig {
  /** `server` null: the local syslog, which has to forward it. */
  readonly syslog: { readonly tag: string, readonly server: Endpoint | null } | null
  /** A program and its arguments; gets the checkpoint on stdin. */
  readonly command: readonly string[] | null
  /** A person prints the page. */
  readonly print: boolean
}

export interface TimestampConfig {
  /** A program of the office and its arguments; those of request and answer follow. */
  readonly command: readonly string[]
  /** The authority's certificates; `pem` null when the file cannot be used, and no time stamp is asked for then. Null when none is named. */
  readonly ca: { readonly file: string, readonly pem: string | null } | null
}

export interface OfficeConfig {
  /** 管理單位 as accounts spell their unit: its head signs last on 附件4. */
  readonly managingUnit: string
  /** Null: the rule sets of the release. */
  readonly ruleSets: string | null
  /** Where `custos calendar import` keeps the office calendars. */
  readonly calendar: string
}

/** The whole configuration, checked and frozen. Every path is absolute and normalized. */
export interface Config {
  /** Where it was read from. */
  readonly file: string
  /** `timezone` is an IANA zone; days of the floor are days there. */
  readonly site: { readonly name: string, readonly timezone: string }
  readonly state: { readonly dir: string }
  /** Health only; always a loopback address. */
  readonly listen: Endpoint
  readonly console: Endpoint & { readonly tls: ConsoleTls }
  readonly volumes: readonly VolumeConfig[]
  readonly archive: { readonly dir: string, readonly quotaBytes: number } | null
  /** `insist`: who took it on themselves to record although the volumes are too small for the floor, and why. */
  readonly retention: { readonly floor: RetentionFloor, readonly insist: Insistence | null }
  readonly inbox: { readonly dir: string } | null
  readonly office: OfficeConfig
  /** How checkpoints of the audit log leave the machine [G6]; null when they do not. */
  readonly witness: WitnessConfig | null
  /** What goes into an evidence package by the office's own wish; taken over while running. */
  readonly package: { readonly timestamp: TimestampConfig | null }
  /** The file that was read, after `credential:NAME` was looked up. */
  readonly secrets: { readonly file: string } | null
  readonly cameras: readonly CameraConfig[]
}

/**
 * `problems` holds errors and warnings alike, in the order of the file. `files`: what was read or should have
 * been; a change of any of them may change the result. `stateDir` and `sha256` of one that is refused are
 * null where they cannot be told.
 */
export type ConfigResult = { readonly files: readonly string[] } & (
  | {
      readonly ok: true
      readonly config: Config
      readonly warnings: readonly Problem[]
      readonly source: ConfigSource
    }
  | {
      readonly ok: false
      readonly problems: readonly Problem[]
      readonly stateDir: string | null
      readonly sha256: string | null
    }
)
