/// <reference lib="deno.worker" />
/** A thread that runs the load loop on its share of the connections, and posts what it measures. */

import { Failure } from "../net/errors.ts";
import type { Kind } from "./line.ts";
import { Load } from "./load.ts";
import type { Plan } from "./plan.ts";

/** What a worker is told: its plan, then to begin once all are connected, at last perhaps to stop. */
export type Order = { readonly plan: Plan } | "go" | "stop";

/** What was measured since the last report. */
export interface Report {
  readonly type: "report";
  /** The middle of the time that it tells of, in milliseconds since the measurement began. */
  readonly at: number;
  /** Milliseconds. */
  readonly latencies: Float64Array;
  readonly errors: readonly { readonly kind: Kind; readonly n: number; readonly text: string }[];
}

export type News =
  | { readonly type: "ready" }
  /** It could not begin. */
  | { readonly type: "failed"; readonly reason: string }
  | Report
  /** See Load.took; how many times the clock ticked and was late (load/clock.ts). */
  | { readonly type: "done"; readonly ms: number; readonly ticks: number; readonly late: number };

const REPORT_MS = 250;
/** How many latencies wait for the next report at most; then it comes early. */
const LATENCIES = 1 << 16;

const stop = new AbortController();
let go = () => {};
const mayGo = new Promise<void>((resolve) => go = resolve);

self.onmessage = ({ data }: MessageEvent<Order>) => {
  if (data === "go") go();
  else if (data === "stop") stop.abort();
  else work(data.plan);
};

async function work(plan: Plan): Promise<void> {
  const latencies = new Float64Array(LATENCIES);
  let n = 0;
  const errors = new Map<Kind, Report["errors"][number]>();
  let reported = 0;
  const report = () => {
    const now = performance.now();
    const at = (reported + now) / 2 - load.begin;
    reported = now;
    post({ type: "report", at, latencies: latencies.slice(0, n), errors: [...errors.values()] });
    n = 0;
    errors.clear();
  };
  const load = new Load(plan, {
    latency(ms) {
      latencies[n++] = ms;
      if (n === LATENCIES) report();
    },
    error(kind, more, text) {
      const before = errors.get(kind);
      errors.set(kind, { kind, n: more + (before?.n ?? 0), text: before?.text ?? text });
    },
  });
  try {
    await load.connect();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return post({ type: "failed", reason: error.message });
  }
  post({ type: "ready" });
  await mayGo;
  const running = load.run(stop.signal);
  reported = load.begin;
  let reporter: ReturnType<typeof setTimeout> | undefined;
  // By the clock of the measurement, so that a whole number of reports makes a second of the timeline.
  const schedule = () => {
    const sinceReport = (performance.now() - load.begin) % REPORT_MS;
    reporter = setTimeout(() => {
      report();
      schedule();
    }, REPORT_MS - sinceReport);
  };
  schedule();
  await running;
  clearTimeout(reporter);
  report();
  post({ type: "done", ms: load.took(stop.signal.aborted), ...load.punctuality });
}

function post(news: News): void {
  self.postMessage(news, news.type === "report" ? [news.latencies.buffer as ArrayBuffer] : []);
}
