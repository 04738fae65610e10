/** When a figure is not to be trusted, and what to do about it. */

import type { Latency } from "./result.ts";

/** From this share of its threads' time on, the client was full. */
const BUSY = 0.9;
/** What share of the messages by the clock may have been sent late. */
const LATE = 0.01;
/** What share of the asked rate is as good as all of it. */
const REACHED = 0.99;
/** So many times p99 is an outlier. */
const OUTLIER = 20;

export interface Circumstances {
  readonly latency: Latency;
  readonly messages: number;
  /** Messages a second that were asked for; null: as many as come back. */
  readonly rate: number | null;
  /** How many messages were due by the clock, null without a rate, and how many were sent, before the time was over. */
  readonly due: number | null;
  readonly sent: number;
  /** How many of them were not back when the time was over. */
  readonly backlog: number;
  readonly messagesPerSecond: number;
  /** What share of the time of its threads the client was busy. */
  readonly busy: number;
  /** What share of the messages was sent more than a millisecond late, of those by the clock. */
  readonly late: number;
}

export function warnings(
  { latency, messages, rate, messagesPerSecond, busy, late }: Circumstances,
): string[] {
  const found: string[] = [];
  const percent = (share: number) => `${Math.round(share * 100)} %`;
  if (rate === null && busy >= BUSY) {
    found.push(
      `the client's own CPU was full (${percent(busy)} of its threads): the server may be faster; ` +
        "try more --workers, or another machine",
    );
  }
  if (rate !== null && late > LATE) {
    found.push(
      `${
        percent(late)
      } of the messages were sent more than 1 ms late: the client's own CPU was full, or shared; ` +
        "try a lower --rate, or more --workers",
    );
  }
  if (rate !== null && messagesPerSecond < rate * REACHED) {
    found.push(
      `the rate asked for was not reached: ${messagesPerSecond.toFixed(0)} of ${rate} messages/s; ` +
        "the latencies are those of an overload",
    );
  }
  const missing = (["p50", "p90", "p99", "p99_9"] as const).filter((name) => latency[name] === null)
    .map((name) => name.replace("_", "."));
  if (messages > 0 && missing.length > 0) {
    found.push(`${messages} messages are too few for ${missing.join(", ")}; try a longer --duration`);
  }
  if (latency.p99 !== null && latency.max !== null && latency.max > latency.p99 * OUTLIER) {
    found.push(
      `outliers: the slowest message took ${(latency.max / latency.p99).toFixed(0)} times p99; ` +
        "something else may have disturbed the run; see whether it comes again",
    );
  }
  return found;
}
