/** Brings together what the threads of a run measure. */

import { Latencies } from "../measure/histogram.ts";
import { Timeline } from "../measure/timeline.ts";
import { LATE_MS } from "../measure/warnings.ts";
import type { Samples } from "./thread_messages.ts";

/** What was measured so far, of all threads. */
export class Collector {
  readonly timeline = new Timeline();
  /** How long after they were due messages were sent. */
  readonly delays = new Latencies();
  /** How many errors of each kind there were, those of the warm-up too. */
  readonly errors: Record<string, number> = {};
  /** The first error of each kind, in its own words. */
  readonly notes: string[] = [];
  warmupErrors = 0;
  /** How many messages were sent more than LATE_MS after they were due. */
  late = 0;

  /** Adds what one thread has measured since it posted the last time. */
  add({ at, latencies, delays, errors }: Samples): void {
    this.timeline.advance(at / 1000);
    for (let i = 0; i < latencies.length; i++) this.timeline.record(latencies[i]!);
    for (const ms of delays) {
      this.delays.record(ms);
      if (ms > LATE_MS) this.late++;
    }
    for (const { kind, warmup, n, text } of errors) {
      if (this.errors[kind] === undefined) {
        this.notes.push(`the first ${kind}${warmup ? ", in the warm-up" : ""}: ${text}`);
      }
      this.errors[kind] = (this.errors[kind] ?? 0) + n;
      if (warmup) this.warmupErrors += n;
      else this.timeline.error(n);
    }
  }
}
