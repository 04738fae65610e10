/** Latencies over time: a run of any length takes the memory of some hundred intervals. */

import { rounded } from "../base/units.ts";
import { Latencies } from "./histogram.ts";
import type { Second } from "./result.ts";

/**
 * At most so many intervals are kept: from then on the two oldest become one whenever a new one is added. That takes
 * some 2 MB, and a plot has no room for more points.
 */
const MAX_INTERVALS = 120;

/** One interval that is over. Times are seconds since the start of the measurement. */
export interface Interval {
  readonly from: number;
  readonly to: number;
  readonly errors: number;
  /** The latencies, as `Latencies.encoded` writes them. */
  readonly encoded: string;
  readonly messages: number;
  readonly p50: number | null;
  readonly p99: number | null;
  readonly max: number | null;
}

/** Times are seconds since the start of the measurement. */
export class Timeline {
  readonly #intervals: Interval[] = [];
  /** How long a new interval lasts: 1, then 2, 4, 8. */
  #seconds = 1;
  /** When the current interval began. */
  #from = 0;
  #errors = 0;
  readonly #current = new Latencies();
  readonly #all = new Latencies();
  readonly #both = new Latencies();

  /** The latencies of all intervals that are over. */
  get all(): Latencies {
    return this.#all;
  }

  /** Adds a latency to the current interval. */
  record(ms: number): void {
    this.#current.record(ms);
  }

  /** Adds `n` errors to the current interval. */
  error(n: number): void {
    this.#errors += n;
  }

  /** Closes the intervals that are over at `now`; what is recorded next was measured then. */
  advance(now: number): void {
    while (now >= this.#from + this.#seconds) this.#close(this.#from + this.#seconds);
  }

  /** Closes the last interval. It lasts between half and one and a half as long as the others: a shorter rest joins the one before. */
  finish(now: number): void {
    while (now >= this.#from + 1.5 * this.#seconds) this.#close(this.#from + this.#seconds);
    const last = this.#intervals.at(-1);
    if (last === undefined || now >= this.#from + this.#seconds / 2) return this.#close(now);
    this.#all.add(this.#current);
    const rest = interval(last.to, Math.max(last.to, now), this.#errors, this.#current);
    this.#intervals.splice(-1, 1, this.#joined(last, rest));
  }

  /** The intervals that are over, in their order. */
  get intervals(): readonly Interval[] {
    return this.#intervals;
  }

  /** The same, as the result has them; `size` is the bytes of a message. */
  seconds(size: number): Second[] {
    return this.#intervals.map(({ from, to, messages, errors, p50, p99, max }) => ({
      at_seconds: rounded(to, 6),
      messages_per_second: rounded(messages / (to - from)),
      bytes_per_second: rounded(messages * size / (to - from)),
      p50_ms: p50,
      p99_ms: p99,
      max_ms: max,
      errors,
    }));
  }

  #close(to: number): void {
    // Merged before the new one is added: that may be the last one, and short for that reason.
    if (this.#intervals.length >= MAX_INTERVALS - 1) this.#mergeTwo();
    this.#intervals.push(interval(this.#from, to, this.#errors, this.#current));
    this.#all.add(this.#current);
    this.#from = to;
    this.#errors = 0;
    this.#current.reset();
  }

  /** Merges the oldest two that are shorter than a new one. Merging all at once would take much more memory. */
  #mergeTwo(): void {
    let i = this.#intervals.findIndex(({ from, to }) => to - from < this.#seconds);
    if (i < 0) {
      this.#seconds *= 2;
      i = 0;
    }
    const [a, b] = this.#intervals.slice(i, i + 2) as [Interval, Interval];
    this.#intervals.splice(i, 2, this.#joined(a, b));
  }

  #joined(a: Interval, b: Interval): Interval {
    const both = this.#both;
    both.reset();
    both.addEncoded(a.encoded);
    both.addEncoded(b.encoded);
    const joined = interval(a.from, b.to, a.errors + b.errors, both);
    // The maximum that the encoding has is rounded to three digits; the intervals have it exactly.
    return joined.max === null ? joined : { ...joined, max: Math.max(a.max ?? 0, b.max ?? 0) };
  }
}

function interval(from: number, to: number, errors: number, latencies: Latencies): Interval {
  return {
    from,
    to,
    errors,
    encoded: latencies.encoded(),
    messages: latencies.count,
    p50: latencies.at(0.5),
    p99: latencies.at(0.99),
    max: latencies.maxMs,
  };
}
