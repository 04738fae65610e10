/** What a run returns: its result, and what only the reports need besides. */

import type { Result } from "./result.ts";
import type { Interval } from "./timeline.ts";

/** See load/run.ts. */
export interface Measurement {
  /** All that `--json` prints. */
  readonly result: Result;
  /** The latencies of each interval of the run, for the `.hlog`. */
  readonly intervals: readonly Interval[];
  /** Sentences for a person: the first fault of each kind, in its own words. */
  readonly notes: readonly string[];
}
