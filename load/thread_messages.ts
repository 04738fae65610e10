/** What the main thread of a run and its load threads post to each other. */

import type { FaultKind } from "../probe/line.ts";
import type { Plan } from "./plan.ts";
import type { RunTotals } from "./totals.ts";

/** To a load thread: its plan, then to begin once the threads have all connected, at last perhaps to stop. */
export type ToThread = { readonly plan: Plan } | "go" | "stop";

/** From a load thread. */
export type FromThread =
  /** Its connections are made. */
  | { readonly type: "ready" }
  /** It could not begin. */
  | { readonly type: "failed"; readonly reason: string }
  | Samples
  /** All is sent and is back or lost, or it was stopped. */
  | { readonly type: "done"; readonly totals: RunTotals };

/** What was measured since the samples before. */
export interface Samples {
  readonly type: "samples";
  /** The middle of the time in which it was measured, in milliseconds since the measurement began. */
  readonly at: number;
  /** Milliseconds. */
  readonly latencies: Float64Array<ArrayBuffer>;
  /** How long after they were due messages were sent, in milliseconds. */
  readonly delays: Float64Array<ArrayBuffer>;
  readonly errors: readonly ErrorCount[];
}

/** Errors of one kind, with the words of the first. */
export interface ErrorCount {
  readonly kind: FaultKind;
  readonly warmup: boolean;
  readonly n: number;
  readonly text: string;
}
