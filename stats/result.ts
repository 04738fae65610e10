/** What a measurement says: the JSON of `--json`, and all that the reports print. Keys carry their unit. */

/** A percentile without enough samples to stand on is null. */
export interface Latency {
  readonly min: number | null;
  readonly mean: number | null;
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  readonly p99_9: number | null;
  readonly max: number | null;
}

/** One second of the run. */
export interface Second {
  /** Seconds since the start of the measurement, at the end of this one. */
  readonly at_seconds: number;
  readonly messages_per_second: number;
  readonly bytes_per_second: number;
  readonly p50_ms: number | null;
  readonly p99_ms: number | null;
  readonly max_ms: number | null;
  readonly errors: number;
}

export interface Result {
  /** The version of echo that measured. */
  readonly version: string;
  readonly target: string;
  /** ISO 8601, UTC. */
  readonly started: string;
  readonly duration_seconds: number;
  readonly options: Readonly<Record<string, string | number | boolean | null>>;
  readonly messages: number;
  readonly bytes: number;
  readonly messages_per_second: number;
  readonly bytes_per_second: number;
  readonly latency_ms: Latency;
  /** The distribution: what share of the messages (0 to 1) came back within how many milliseconds, ascending. */
  readonly latency_distribution: readonly (readonly [share: number, ms: number])[];
  readonly timeline: readonly Second[];
  /** How many of each kind: `timeout`, `reset`, `refused`, `closed`, `corrupted`, `other`. */
  readonly errors: Readonly<Record<string, number>>;
  readonly warnings: readonly string[];
}
