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
const NS_PER_MS = 1_000_000;
/** An hour. A longer latency counts as an hour in the percentiles. */
const LONGEST_NS = 3600 * 1000 * NS_PER_MS;
/** How many points the distribution has from 0 to 50 %, from there to 75 %, from there to 87.5 %, and so on. */
const POINTS_PER_HALVING = 20;

/** Tolerance of a comparison: 10 * (1 - 0.9) is a little less than 1. */
const ROUNDING = 1e-6;
/** Digits of a share after the point: enough to tell a thousand million messages apart. */
const SHARE_DIGITS = 9;

/** Latencies in milliseconds, and what is known of them all together. */
export class Latencies {
  readonly #histogram = build({
    bitBucketSize: 64,
    autoResize: false,
    highestTrackableValue: LONGEST_NS,
  }) as JsHistogram;
  // Exact, where the histogram keeps three digits.
  #sum = 0;
  #min = Infinity;
  #max = 0;

  /** Adds those of a text that `encoded` returned; their minimum, mean and maximum have three digits only. */
  addEncoded(text: string): void {
    // The library's types are narrower than what it takes.
    const other = decodeFromCompressedBase64(text, 32, false) as JsHistogram;
    if (other.totalCount === 0) return;
    this.#histogram.add(other);
    this.#sum += other.totalCount * other.mean / NS_PER_MS;
    this.#min = Math.min(this.#min, other.minNonZeroValue / NS_PER_MS);
    this.#max = Math.max(this.#max, other.maxValue / NS_PER_MS);
  }

  /** All latencies as base64 of HdrHistogram's compressed encoding V2, the one of .hlog files. */
  encoded(): string {
    return encodeIntoCompressedBase64(this.#histogram);
  }

  /** Adds one latency. */
  record(ms: number): void {
    this.#histogram.recordValue(Math.min(Math.max(1, Math.round(ms * NS_PER_MS)), LONGEST_NS));
    this.#sum += ms;
    this.#min = Math.min(this.#min, ms);
    this.#max = Math.max(this.#max, ms);
  }

  /** Adds all latencies of `other`. */
  add(other: Latencies): void {
    this.#histogram.add(other.#histogram);
    this.#sum += other.#sum;
    this.#min = Math.min(this.#min, other.#min);
    this.#max = Math.max(this.#max, other.#max);
  }

  /** Forgets all. */
  reset(): void {
    this.#histogram.reset();
    [this.#sum, this.#min, this.#max] = [0, Infinity, 0];
  }

  /** How many there are. */
  get count(): number {
    return this.#histogram.totalCount;
  }

  /** The greatest, in milliseconds; null where there is none. */
  get maxMs(): number | null {
    return this.count === 0 ? null : rounded(this.#max);
  }

  /**
   * The percentile: within how many milliseconds this share of the messages, 0 to 1, came back. `missing` more
   * messages were sent and did not come back; they count as slower than all others. Null if the percentile is one of
   * those. Null too if fewer than one message is slower, as it would then be the maximum: p99 needs 100 messages,
   * p99.9 needs 1000.
   */
  at(share: number, missing = 0): number | null {
    const all = this.count + missing;
    if (all * (1 - share) < 1 - ROUNDING || all * share > this.count + ROUNDING) return null;
    return this.#value(all * share / this.count);
  }

  /** The usual percentiles. Minimum and mean are of the messages that came back; the maximum is null if any are missing. */
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

  /** The percentiles as a curve. The points lie closer together towards 1. `missing` is as in `at`. */
  distribution(missing = 0): [share: number, ms: number][] {
    const points: [number, number][] = [];
    const all = this.count + missing;
    const back = this.count / all;
    if (this.count === 0) return points;
    for (let i = 0; 0.5 ** (i / POINTS_PER_HALVING) * all >= 1; i++) {
      const share = 1 - 0.5 ** (i / POINTS_PER_HALVING);
      if (share >= back) break;
      points.push([rounded(share, SHARE_DIGITS), this.#value(share / back)]);
    }
    points.push([rounded(back, SHARE_DIGITS), rounded(this.#max)]);
    return points;
  }

  /** `share` of those that came back. The histogram returns the upper end of a step, which may exceed the maximum. */
  #value(share: number): number {
    return rounded(Math.min(this.#histogram.getValueAtPercentile(share * 100) / NS_PER_MS, this.#max));
  }
}
