/** How far a run is, live on a terminal's stderr; elsewhere nothing. */

import cliProgress from "cli-progress";
import process from "node:process";
import { figure } from "./chart.ts";
import type { Latencies } from "./histogram.ts";

const REDRAWS_PER_SECOND = 4;
const BAR_WIDTH = 24;

/** What is used of cli-progress, which comes without types. */
interface Bar {
  start(total: number, value: number, payload: Payload): void;
  update(value: number, payload: Payload): void;
  stop(): void;
}

interface Payload {
  readonly left: string;
  readonly now: string;
}

export class Progress {
  readonly #bar: Bar | undefined;
  readonly #total: number;
  readonly #seconds: number | undefined;
  #count = 0;
  #at = 0;

  /** For a run of so many milliseconds, or of so many messages; whichever is known. */
  constructor(duration: number | undefined, messages: number | undefined) {
    this.#seconds = duration === undefined ? undefined : duration / 1000;
    this.#total = this.#seconds ?? messages ?? 1;
    if (!Deno.stderr.isTerminal()) return;
    const bar: Bar = new cliProgress.SingleBar({
      format: "[{bar}] {left} {now}",
      stream: process.stderr,
      fps: REDRAWS_PER_SECOND,
      barsize: BAR_WIDTH,
      barCompleteChar: "#",
      barIncompleteChar: ".",
      clearOnComplete: true,
    });
    bar.start(this.#total, 0, { left: "", now: "connecting" });
    this.#bar = bar;
  }

  warmup(): void {
    this.#bar?.update(0, { left: "", now: "warming up" });
  }

  /** After so many seconds and messages; `recent` are the latencies since the last time. */
  update(seconds: number, count: number, recent: Latencies): void {
    if (this.#bar === undefined) return;
    const rate = (count - this.#count) / Math.max(seconds - this.#at, 0.001);
    const done = this.#seconds === undefined ? count : Math.min(seconds, this.#total);
    const left = done === 0 ? "" : `${Math.ceil(seconds * (this.#total - done) / done)} s left,`;
    this.#bar.update(done, { left, now: `${rate.toFixed(0)} messages/s, p99 ${figure(recent.at(0.99))} ms` });
    [this.#count, this.#at] = [count, seconds];
  }

  /** Takes the bar away. */
  end(): void {
    this.#bar?.stop();
  }
}
