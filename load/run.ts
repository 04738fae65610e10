/** A plan becomes a result: load on an echo server, every byte checked. */

import process from "node:process";
import type { Measurement } from "../measure/measurement.ts";
import { Collector } from "./collector.ts";
import type { Plan } from "./plan.ts";
import { runThreads, shares } from "./pool.ts";
import { type Spent, summarize } from "./summary.ts";
import type { RunTotals } from "./totals.ts";

/** Is told how far a run is. */
export interface RunObserver {
  /** All are connected. `seconds` returns how long the measurement lasts by now; less than 0 in the warm-up. */
  begin(seconds: () => number): void;
  /** Latencies that were measured, in milliseconds. */
  record(latencies: Float64Array): void;
}

/**
 * Runs the plan, on as many threads as it says, until all is sent and is back or lost, or `stop` aborts. Prints,
 * reads and writes nothing. Throws Failure when the first connections cannot be made.
 */
export async function run(plan: Plan, stop: AbortSignal, observer: RunObserver): Promise<Measurement> {
  const collector = new Collector();
  let started = Date.now();
  let spent = stopwatch();
  let measuring: ReturnType<typeof setTimeout> | undefined;
  let totals: RunTotals;
  try {
    totals = await runThreads(shares(plan), stop, () => {
      const begin = performance.now() + plan.warmup;
      started = Date.now() + plan.warmup;
      observer.begin(() => (performance.now() - begin) / 1000);
      spent = stopwatch();
      measuring = setTimeout(() => spent = stopwatch(), plan.warmup);
    }, (samples) => {
      collector.add(samples);
      observer.record(samples.latencies);
    });
  } finally {
    clearTimeout(measuring);
  }
  const result = summarize(plan, collector, totals, started, spent());
  const strays = totals.firstStray === undefined ? [] : [`the first stray: ${totals.firstStray}`];
  return { result, intervals: collector.timeline.intervals, notes: [...collector.notes, ...strays] };
}

/** Starts to count. The function that it returns says what was spent since. */
function stopwatch(): () => Spent {
  const cpu = process.cpuUsage();
  const begin = performance.now();
  return () => {
    const { user, system } = process.cpuUsage(cpu);
    return { wall: performance.now() - begin, cpu: (user + system) / 1000 };
  };
}
