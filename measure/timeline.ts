/** What happened when: a run of any length in the memory of some hundred intervals. */

import { rounded } from "../base/units.ts";
import { Latencies } from "./histogram.ts";
import type { Second } from "./result.ts";

/** There are never more intervals: two of the oldest become one for each new one. It takes some 2 MB, and a plot no more. */
const MOST = 120;

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

export class Timeline {
  readonly #intervals: Interval[] = [];
  #seconds = 1;
  #from = 0;
  #errors = 0;
  readonly #current = new Latencies();
  readonly #all = new Latencies();
  readonly #both = new Latencies();

  /** All latencies so far, but for those of the interval that is not over. */
  get all(): Latencies {
    return this.#all;
  }

  record(ms: number): void {
    this.#current.record(ms);
  }

  error(n: number): void {
    this.#errors += n;
  }

  /** What is recorded from now on was measured `now` seconds after the start: closes the intervals before it. */
  advance(now: number): void {
    while (now >= this.#from + this.#seconds) this.#close(this.#from + this.#seconds);
  }

  /** Closes the last interval. It lasts from half to one and a half of the others; a shorter rest joins the one before. */
  finish(now: number): void {
    while (now >= this.#from + 1.5 * this.#seconds) this.#close(this.#from + this.#seconds);
    const last = this.#intervals.at(-1);
    if (last === undefined || now >= this.#from + this.#seconds / 2) return this.#close(now);
    this.#all.add(this.#current);
    const rest = interval(last.to, Math.max(last.to, now), this.#errors, this.#current);
    this.#intervals.splice(-1, 1, this.#joined(last, rest));
  }

  /** All that are closed. */
  get intervals(): readonly Interval[] {
    return this.#intervals;
  }

  /** The same, as the reports want them; `size` is the bytes of a message. */
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
    // Before the new one is there, which may be short because it is the last.
    if (this.#intervals.length >= MOST - 1) this.#mergeTwo();
    this.#intervals.push(interval(this.#from, to, this.#errors, this.#current));
    this.#all.add(this.#current);
    this.#from = to;
    this.#errors = 0;
    this.#current.reset();
  }

  /** The oldest two that are shorter than what an interval now lasts; all at once would take much more memory. */
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
    // The encoding keeps three digits of it; the intervals keep all.
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
