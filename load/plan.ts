/** What a run is asked to do. */

import type { Route } from "../probe/open_line.ts";
import type { PacePlan } from "./pace.ts";

/** A run, or one thread's share of it. Plain data: it is posted to the thread. Times are milliseconds. */
export interface Plan {
  /** Of echo; the result names it. */
  readonly version: string;
  readonly route: Omit<Route, "window" | "timeout" | "turns" | "sendWindow">;
  /** How many threads share the whole run. */
  readonly workers: number;
  readonly connections: number;
  /** The number of the first connection, among those of all threads. */
  readonly first: number;
  /** Of the random bytes that are sent. */
  readonly seed: number;
  readonly pace: PacePlan;
  /** A connection is closed after so many messages, and the next one is made. With 1, the latency includes connecting. */
  readonly messagesPerConnection: number;
  /** How many messages in all; Infinity: no limit. */
  readonly messages: number;
  /** Of the measurement, after the warm-up; Infinity: no limit. */
  readonly duration: number;
  readonly warmup: number;
  /** For connecting, and for each reply. */
  readonly timeout: number;
}
