/** Latencies in an HDR histogram: any number of them in a fixed memory, each to three digits. */

import {
  build,
  decodeFromCompressedBase64,
  encodeIntoCompressedBase64,
  type JsHistogram,
} from "hdr-histogram-js";
import type { Latency } from "./result.ts";

/** The histogram counts nanoseconds, as the tools that read .hlog files expect. */
export const NS_PER_MS = 1_000_000;
/** What takes longer counts as so long. */
const LONGEST_NS = 3600 * 1000 * NS_PER_MS;
/** Points of the distribution for each halving of the share that is still missing. */
const TICKS = 20;

/** 10 * (1 - 0.9) is a little less than 1. */
const ROUNDING = 1e-6;

export class Latencies {
  readonly #histogram: JsHistogram;

  constructor(
    histogram = build({ bitBucketSize: 64, autoResize: false, highestTrackableValue: LONGEST_NS }),
  ) {
    this.#histogram = histogram as JsHistogram;
  }

  /** Adds those that `encoded` made a text of. */
  addEncoded(text: string): void {
    // The library's types are narrower than what it takes.
    this.#histogram.add(decodeFromCompressedBase64(text, 32, false) as JsHistogram);
  }

  /** Base64 of the compressed V2 encoding, that of .hlog files. */
  encoded(): string {
    return encodeIntoCompressedBase64(this.#histogram);
  }

  record(ms: number): void {
    this.#histogram.recordValue(Math.min(Math.max(1, Math.round(ms * NS_PER_MS)), LONGEST_NS));
  }

  add(other: Latencies): void {
    this.#histogram.add(other.#histogram);
  }

  reset(): void {
    this.#histogram.reset();
  }

  get count(): number {
    return this.#histogram.totalCount;
  }

  get maxMs(): number | null {
    return this.count === 0 ? null : this.#histogram.maxValue / NS_PER_MS;
  }

  /**
   * What share of the latencies, 0 to 1, lies within so many milliseconds. Null where so few are beyond it that
   * it would say no more than the greatest: p99 needs 100 of them, p99.9 needs 1000.
   */
  at(share: number): number | null {
    if (this.count * (1 - share) < 1 - ROUNDING) return null;
    return this.#value(share);
  }

  summary(): Latency {
    const empty = this.count === 0;
    return {
      min: empty ? null : this.#histogram.minNonZeroValue / NS_PER_MS,
      mean: empty ? null : this.#histogram.mean / NS_PER_MS,
      p50: this.at(0.5),
      p90: this.at(0.9),
      p99: this.at(0.99),
      p99_9: this.at(0.999),
      max: this.maxMs,
    };
  }

  /** Points for a curve over the share, ever closer towards 1 as far as there are latencies to tell. */
  distribution(): [share: number, ms: number][] {
    const points: [number, number][] = [];
    if (this.count === 0) return points;
    for (let i = 0; 0.5 ** (i / TICKS) * this.count >= 1; i++) {
      const share = 1 - 0.5 ** (i / TICKS);
      points.push([share, this.#value(share)]);
    }
    points.push([1, this.#histogram.maxValue / NS_PER_MS]);
    return points;
  }

  /** The upper end of the histogram's step, which for the greatest would be more than there was. */
  #value(share: number): number {
    const { maxValue } = this.#histogram;
    return Math.min(this.#histogram.getValueAtPercentile(share * 100), maxValue) / NS_PER_MS;
  }
}
