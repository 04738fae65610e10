/** What a measurement says: the JSON of `--json`, and all that the reports print. Keys carry their unit. */

import { fileReason } from "../base/errors.ts";
import { programName } from "../base/program.ts";
import { UsageError } from "../base/units.ts";

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

/** The key of a latency, as a person writes it: `p99_9` is p99.9. */
export function latencyName(key: string): string {
  return key.replace("_", ".");
}

/** How much later than it was due each message was sent, because the client itself was late. Milliseconds. */
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

/** What is worth telling of datagrams and is no error. */
export interface DatagramCounts {
  /** Of the lost ones: how many came back after all, when their timeout was over. */
  readonly late: number;
  /** Of the received ones: how many came back after one that was sent later (RFC 4737). */
  readonly reordered: number;
  /** How many came from an address that is not the target's. */
  readonly stray: number;
}

/** One run of `echo bench`. Times of day are ISO 8601 in UTC; a number that is not known is null. */
export interface Result {
  /** The version of echo that measured. */
  readonly version: string;
  readonly target: string;
  /** What moved the bytes of the client: `deno` or `epoll`. */
  readonly engine: string;
  /** The IP addresses and ports that answered; none for a path of this machine. */
  readonly peers: readonly string[];
  /** ISO 8601, UTC. */
  readonly started: string;
  readonly duration_seconds: number;
  readonly options: Readonly<Record<string, string | number | boolean | null>>;
  /** Messages of the measurement that were due by the clock before it was over; null without a rate. */
  readonly due: number | null;
  /** Messages of the measurement that were sent: sent = received + lost + unfinished. */
  readonly sent: number;
  /** How many of them came back right: the same as `messages`. */
  readonly received: number;
  /** How many will not come back: their timeout is over, or their connection broke. */
  readonly lost: number;
  /** How many were on their way when the run was stopped. */
  readonly unfinished: number;
  /** Null where messages are not datagrams. */
  readonly datagrams: DatagramCounts | null;
  /** TCP segments that were sent again, those of connecting and of the warm-up too; null where the engine cannot tell. */
  readonly retransmits: number | null;
  readonly messages: number;
  readonly bytes: number;
  readonly messages_per_second: number;
  readonly bytes_per_second: number;
  /** Null without a rate. */
  readonly send_delay_ms: SendDelay | null;
  /** Processor time of the client in the measurement, all of its threads together; 100 is one core. */
  readonly client_cpu_percent: number;
  readonly latency_ms: Latency;
  /** The percentiles as a curve, ascending: this share of the messages (0 to 1) came back within so many milliseconds. */
  readonly latency_distribution: readonly (readonly [share: number, ms: number])[];
  readonly timeline: readonly Second[];
  /**
   * How many errors of each kind: `timeout`, `reset`, `refused`, `closed`, `corrupted`, `surplus`, `duplicate`,
   * `other`; those of the warm-up too, which the timeline does not show.
   */
  readonly errors: Readonly<Record<string, number>>;
  /** How many of the errors fell into the warm-up. */
  readonly warmup_errors: number;
  readonly warnings: readonly string[];
}

/** Reads what `--json` wrote. Throws UsageError when the file cannot be read or is something else. */
export function readResult(path: string): Result {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    throw new UsageError(`cannot read ${JSON.stringify(path)}: ${fileReason(error)}`);
  }
  try {
    const found = JSON.parse(text);
    if (isResult(found)) return found;
  } catch { /* no JSON at all: the same answer */ }
  throw new UsageError(`${JSON.stringify(path)} is not what ${programName()} bench --json writes`);
}

/** Whether all is there that the reports read, as what they read it as. A file may have been edited. */
function isResult(found: unknown): found is Result {
  if (typeof found !== "object" || found === null) return false;
  const result = found as Partial<Record<keyof Result, unknown>>;
  const texts = [result.version, result.target, result.started].every((text) => typeof text === "string");
  const numbers = [
    result.duration_seconds,
    result.messages,
    result.messages_per_second,
    result.bytes_per_second,
  ]
    .every((n) => typeof n === "number" && Number.isFinite(n));
  const objects = [result.options, result.latency_ms, result.errors].every((o) =>
    typeof o === "object" && o !== null
  );
  const points = isListOf(
    result.latency_distribution,
    (point) => Array.isArray(point) && point.length === 2 && point.every(Number.isFinite),
  );
  const seconds = isListOf(result.timeline, (second) => typeof second === "object" && second !== null);
  const words = isListOf(result.warnings, (warning) => typeof warning === "string");
  return texts && numbers && objects && points && seconds && words;
}

function isListOf(list: unknown, isRight: (item: unknown) => boolean): boolean {
  return Array.isArray(list) && list.every(isRight);
}
