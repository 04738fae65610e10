/// <reference lib="deno.worker" />
/** The thread that runs the load loop on its share of the connections, and posts what it measures. */

import { Failure } from "../base/errors.ts";
import { openEngine } from "../net/schemes.ts";
import { openTimer } from "./alarms.ts";
import { Load } from "./load.ts";
import type { Plan } from "./plan.ts";
import type { ErrorCount, FromThread, ToThread } from "./thread_messages.ts";

const SAMPLES_MS = 250;
/** How many latencies or delays wait to be posted at most; then they are posted early. */
const FIGURES = 1 << 16;

const stop = new AbortController();
let go = () => {};
const mayGo = new Promise<void>((resolve) => go = resolve);

self.onmessage = ({ data }: MessageEvent<ToThread>) => {
  if (data === "go") go();
  else if (data === "stop") stop.abort();
  else runShare(data.plan);
};

async function runShare(plan: Plan): Promise<void> {
  await openEngine(plan.route.dial.engine);
  const latencies = new Figures();
  const delays = new Figures();
  const errors = new Map<string, ErrorCount>();
  let postedAt = 0;
  const postSamples = () => {
    const now = performance.now();
    const at = (postedAt + now) / 2 - load.begin;
    postedAt = now;
    post({
      type: "samples",
      at,
      latencies: latencies.take(),
      delays: delays.take(),
      errors: [...errors.values()],
    });
    errors.clear();
  };
  const load = new Load(plan, {
    latency(ms) {
      if (latencies.add(ms)) postSamples();
    },
    delay(ms) {
      if (delays.add(ms)) postSamples();
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
  const timer = await openTimer(plan);
  post({ type: "ready" });
  await mayGo;
  const running = load.run(stop.signal);
  postedAt = load.begin;
  // By the clock of the measurement, so that a second of the timeline is a whole number of posts.
  const schedule = () => {
    const now = performance.now();
    timer.at(now + SAMPLES_MS - (now - load.begin) % SAMPLES_MS, () => {
      postSamples();
      schedule();
    });
  };
  schedule();
  await running;
  timer.close();
  postSamples();
  post({ type: "done", totals: load.totals(stop.signal.aborted) });
}

/** Figures that wait to be posted. */
class Figures {
  readonly #all = new Float64Array(FIGURES);
  #n = 0;

  /** Returns whether there is no room for more. */
  add(figure: number): boolean {
    this.#all[this.#n++] = figure;
    return this.#n === FIGURES;
  }

  take(): Float64Array<ArrayBuffer> {
    const taken = this.#all.slice(0, this.#n);
    this.#n = 0;
    return taken;
  }
}

/** The figures are handed over, and not copied. */
function post(message: FromThread): void {
  const buffers = message.type === "samples" ? [message.latencies.buffer, message.delays.buffer] : [];
  self.postMessage(message, buffers);
}
