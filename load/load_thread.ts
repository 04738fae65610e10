/// <reference lib="deno.worker" />
/** A thread that runs the load loop on its share of the connections, and posts what it measures. */

import { Failure } from "../base/errors.ts";
import type { Kind } from "../probe/line.ts";
import { Load, type Tally } from "./load.ts";
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
  /** How long after they were due messages were sent, in milliseconds. */
  readonly delays: Float64Array;
  readonly errors: readonly Faults[];
}

/** Faults of one kind, with the words of the first. */
export interface Faults {
  readonly kind: Kind;
  readonly warmup: boolean;
  readonly n: number;
  readonly text: string;
}

export type News =
  | { readonly type: "ready" }
  /** It could not begin. */
  | { readonly type: "failed"; readonly reason: string }
  | Report
  | Done;

export interface Done extends Tally {
  readonly type: "done";
  /** See Load.took. */
  readonly ms: number;
}

const REPORT_MS = 250;
/** How many latencies or delays wait for the next report at most; then it comes early. */
const FIGURES = 1 << 16;

const stop = new AbortController();
let go = () => {};
const mayGo = new Promise<void>((resolve) => go = resolve);

self.onmessage = ({ data }: MessageEvent<Order>) => {
  if (data === "go") go();
  else if (data === "stop") stop.abort();
  else work(data.plan);
};

async function work(plan: Plan): Promise<void> {
  const latencies = new Figures();
  const delays = new Figures();
  const errors = new Map<string, Faults>();
  let reported = 0;
  const report = () => {
    const now = performance.now();
    const at = (reported + now) / 2 - load.begin;
    reported = now;
    post({
      type: "report",
      at,
      latencies: latencies.take(),
      delays: delays.take(),
      errors: [...errors.values()],
    });
    errors.clear();
  };
  const load = new Load(plan, {
    latency(ms) {
      if (latencies.add(ms)) report();
    },
    delay(ms) {
      if (delays.add(ms)) report();
    },
    error(kind, text, warmup) {
      const key = `${kind} ${warmup}`;
      const before = errors.get(key);
      errors.set(key, { kind, warmup, n: 1 + (before?.n ?? 0), text: before?.text ?? text });
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
  post({ type: "done", ms: load.took(stop.signal.aborted), ...load.tally() });
}

/** Figures that wait for a report. */
class Figures {
  readonly #all = new Float64Array(FIGURES);
  #n = 0;

  /** Whether there is no room for more. */
  add(figure: number): boolean {
    this.#all[this.#n++] = figure;
    return this.#n === FIGURES;
  }

  take(): Float64Array {
    const taken = this.#all.slice(0, this.#n);
    this.#n = 0;
    return taken;
  }
}

function post(news: News): void {
  const buffers = news.type === "report" ? [news.latencies.buffer, news.delays.buffer] : [];
  self.postMessage(news, buffers as ArrayBuffer[]);
}
