/** The progress bar of `echo bench`, on stderr if that is a terminal. */

import cliProgress from "cli-progress";
import process from "node:process";
import { milliseconds } from "./figures.ts";
import { Latencies } from "../measure/histogram.ts";

const REDRAWS_PER_SECOND = 4;
const BAR_WIDTH = 24;

/** The part of cli-progress that is used here; the package has no types. */
interface Bar {
  start(total: number, value: number, payload: Payload): void;
  update(value: number, payload: Payload): void;
  stop(): void;
}

interface Payload {
  readonly left: string;
  readonly now: string;
}

/** The bar, from its making to `end`. */
export class Progress {
  readonly #bar: Bar | undefined;
  readonly #total: number;
  readonly #seconds: number | undefined;
  readonly #recent = new Latencies();
  #timer: ReturnType<typeof setInterval> | undefined;
  #count = 0;
  #at = 0;

  /** For a run of `duration` milliseconds or, where that is Infinity, of so many messages. `quiet`: shows nothing. */
  constructor(duration: number, messages: number, quiet: boolean) {
    this.#seconds = Number.isFinite(duration) ? duration / 1000 : undefined;
    this.#total = this.#seconds ?? messages;
    if (quiet || !Deno.stderr.isTerminal()) return;
    const bar: Bar = new cliProgress.SingleBar({
      format: "[{bar}] {left}{now}",
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

  /** All are connected. `seconds` returns how long the measurement lasts by now; less than 0 in the warm-up. */
  begin(seconds: () => number): void {
    if (this.#bar !== undefined) {
      this.#timer = setInterval(() => this.#redraw(seconds()), 1000 / REDRAWS_PER_SECOND);
    }
  }

  /** Latencies that were measured, in milliseconds. */
  record(latencies: Float64Array): void {
    if (this.#bar === undefined) return;
    this.#count += latencies.length;
    for (const ms of latencies) this.#recent.record(ms);
  }

  /** Erases the bar. */
  end(): void {
    clearInterval(this.#timer);
    this.#bar?.stop();
  }

  #redraw(seconds: number): void {
    if (seconds < 0) return this.#bar?.update(0, { left: "", now: "warming up" });
    const rate = this.#recent.count / Math.max(seconds - this.#at, 0.001);
    const done = this.#seconds === undefined ? this.#count : Math.min(seconds, this.#total);
    const left = done === 0 ? "" : `${Math.ceil(seconds * (this.#total - done) / done)} s left, `;
    const p99 = milliseconds(this.#recent.at(0.99));
    this.#bar?.update(done, { left, now: `${rate.toFixed(0)} messages/s, p99 ${p99} ms` });
    this.#recent.reset();
    this.#at = seconds;
  }
}
