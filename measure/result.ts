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

/** How long after it was due each message was sent, as far as the client itself held it up. */
export interface SendDelay {
  readonly p50: number | null;
  readonly p99: number | null;
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

/** What else became of datagrams; none of it is an error. */
export interface DatagramCounts {
  /** Of those that are lost: came back after all, after the timeout. */
  readonly late: number;
  /** Of those that are received: came back after one that was sent later (RFC 4737). */
  readonly reordered: number;
  /** Came from another address than the target's. */
  readonly stray: number;
}

export interface Result {
  /** The version of echo that measured. */
  readonly version: string;
  readonly target: string;
  /** ISO 8601, UTC. */
  readonly started: string;
  readonly duration_seconds: number;
  readonly options: Readonly<Record<string, string | number | boolean | null>>;
  /** Messages of the measurement that were due by the clock before it was over; null without a rate. */
  readonly due: number | null;
  /** Messages of the measurement that were sent: sent = received + lost + unfinished. */
  readonly sent: number;
  /** Those of them that came back right: the same as `messages`. */
  readonly received: number;
  /** Those that will not come back: given up after the timeout, or gone down with their connection. */
  readonly lost: number;
  /** Those that were on their way when the run was stopped. */
  readonly unfinished: number;
  /** Null where messages are no datagrams. */
  readonly datagrams: DatagramCounts | null;
  readonly messages: number;
  readonly bytes: number;
  readonly messages_per_second: number;
  readonly bytes_per_second: number;
  /** Null without a rate. */
  readonly send_delay_ms: SendDelay | null;
  /** Processor time of the client in the measurement, all of its threads together; 100 is one core. */
  readonly client_cpu_percent: number;
  readonly latency_ms: Latency;
  /** The distribution: what share of the messages (0 to 1) came back within how many milliseconds, ascending. */
  readonly latency_distribution: readonly (readonly [share: number, ms: number])[];
  readonly timeline: readonly Second[];
  /**
   * How many faults of each kind: `timeout`, `reset`, `refused`, `closed`, `corrupted`, `surplus`, `duplicate`,
   * `other`; those of the warm-up too, which the timeline does not show.
   */
  readonly errors: Readonly<Record<string, number>>;
  /** How many of the errors fell into the warm-up. */
  readonly warmup_errors: number;
  readonly warnings: readonly string[];
}
