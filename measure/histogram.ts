/** Latencies in an HDR histogram: any number of them in a fixed memory, each to three digits. */

import {
  build,
  decodeFromCompressedBase64,
  encodeIntoCompressedBase64,
  type JsHistogram,
} from "hdr-histogram-js";
import { rounded } from "../base/units.ts";
import type { Latency } from "./result.ts";

/** The histogram counts nanoseconds, as the tools that read .hlog files expect. */
export const NS_PER_MS = 1_000_000;
/** What takes longer counts as so long. */
const LONGEST_NS = 3600 * 1000 * NS_PER_MS;
/** Points of the distribution for each halving of the share that is still missing. */
const TICKS = 20;

/** 10 * (1 - 0.9) is a little less than 1. */
const ROUNDING = 1e-6;
/** Of shares: a thousand million messages are told apart. */
const SHARE_DIGITS = 9;

export class Latencies {
  readonly #histogram = build({
    bitBucketSize: 64,
    autoResize: false,
    highestTrackableValue: LONGEST_NS,
  }) as JsHistogram;
  // The histogram keeps three digits; these keep all.
  #sum = 0;
  #min = Infinity;
  #max = 0;

  /** Adds those that `encoded` made a text of. Of these the least, the mean and the greatest have three digits too. */
  addEncoded(text: string): void {
    // The library's types are narrower than what it takes.
    const other = decodeFromCompressedBase64(text, 32, false) as JsHistogram;
    if (other.totalCount === 0) return;
    this.#histogram.add(other);
    this.#sum += other.totalCount * other.mean / NS_PER_MS;
    this.#min = Math.min(this.#min, other.minNonZeroValue / NS_PER_MS);
    this.#max = Math.max(this.#max, other.maxValue / NS_PER_MS);
  }

  /** Base64 of the compressed V2 encoding, that of .hlog files. */
  encoded(): string {
    return encodeIntoCompressedBase64(this.#histogram);
  }

  record(ms: number): void {
    this.#histogram.recordValue(Math.min(Math.max(1, Math.round(ms * NS_PER_MS)), LONGEST_NS));
    this.#sum += ms;
    this.#min = Math.min(this.#min, ms);
    this.#max = Math.max(this.#max, ms);
  }

  add(other: Latencies): void {
    this.#histogram.add(other.#histogram);
    this.#sum += other.#sum;
    this.#min = Math.min(this.#min, other.#min);
    this.#max = Math.max(this.#max, other.#max);
  }

  reset(): void {
    this.#histogram.reset();
    [this.#sum, this.#min, this.#max] = [0, Infinity, 0];
  }

  get count(): number {
    return this.#histogram.totalCount;
  }

  get maxMs(): number | null {
    return this.count === 0 ? null : rounded(this.#max);
  }

  /**
   * Within how many milliseconds this share of the messages, 0 to 1, came back, where `missing` more were sent and
   * did not: they count as slower than all others. Null where so many are missing that nobody knows; and where so
   * few are beyond it that it would say no more than the greatest: p99 needs 100 messages, p99.9 needs 1000.
   */
  at(share: number, missing = 0): number | null {
    const all = this.count + missing;
    if (all * (1 - share) < 1 - ROUNDING || all * share > this.count + ROUNDING) return null;
    return this.#value(all * share / this.count);
  }

  /** The least and the mean are those of the messages that came back; the greatest is not known where some are missing. */
  summary(missing = 0): Latency {
    const empty = this.count === 0;
    return {
      min: empty ? null : rounded(this.#min),
      mean: empty ? null : rounded(this.#sum / this.count),
      p50: this.at(0.5, missing),
      p90: this.at(0.9, missing),
      p99: this.at(0.99, missing),
      p99_9: this.at(0.999, missing),
      max: missing > 0 ? null : this.maxMs,
    };
  }

  /** Points for a curve over the share, ever closer towards 1 as far as there are latencies to tell. See `at`. */
  distribution(missing = 0): [share: number, ms: number][] {
    const points: [number, number][] = [];
    const all = this.count + missing;
    const back = this.count / all;
    if (this.count === 0) return points;
    for (let i = 0; 0.5 ** (i / TICKS) * all >= 1; i++) {
      const share = 1 - 0.5 ** (i / TICKS);
      if (share >= back) break;
      points.push([rounded(share, SHARE_DIGITS), this.#value(share / back)]);
    }
    points.push([rounded(back, SHARE_DIGITS), rounded(this.#max)]);
    return points;
  }

  /** The upper end of the histogram's step, which for the greatest would be more than there was. `share` is of those that are back. */
  #value(share: number): number {
    return rounded(Math.min(this.#histogram.getValueAtPercentile(share * 100) / NS_PER_MS, this.#max));
  }
}
