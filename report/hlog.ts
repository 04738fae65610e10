/** The standard log of HDR histograms (.hlog, version 1.3): other tools read, plot and merge it. */

import { HistogramLogWriter } from "hdr-histogram-js";
import { Buffer } from "node:buffer";
import { deflateSync, inflateSync } from "node:zlib";
import type { Interval } from "../measure/timeline.ts";

/** The text of the log. `startedMs` is the time of the first interval's start, since the epoch. */
export function hlog(comment: string, startedMs: number, intervals: readonly Interval[]): string {
  let text = "";
  // The library ends some of its lines twice, and other readers stop at an empty line.
  const writer = new HistogramLogWriter((line) => text += line.replace(/\n+$/, "\n"));
  writer.outputComment(`[Logged with ${comment}]`);
  writer.outputLogFormatVersion();
  writer.outputStartTime(startedMs);
  writer.outputComment(`[BaseTime: ${(startedMs / 1000).toFixed(3)} (seconds since epoch)]`);
  writer.outputLegend();
  for (const { from, to, max, encoded } of intervals) {
    // As the library would write it from a histogram; here it is encoded already. Maximum in milliseconds.
    text += `${from.toFixed(3)},${(to - from).toFixed(3)},${(max ?? 0).toFixed(3)},${standard(encoded)}\n`;
  }
  return text;
}

/** Of the compressed encoding V2: cookie and length, before what is compressed. */
const OUTER = 8;
/** Within it. */
const INDEX_OFFSET = 8;
const CONVERSION_RATIO = 32;

/**
 * The encoding with the values that the format has for a plain histogram: no offset of its indices, and the ratio 1.
 * The library writes an offset of 1, which it does not mean; readers in C would take all values for their neighbours.
 */
function standard(encoded: string): string {
  const compressed = Buffer.from(encoded, "base64");
  const inner = inflateSync(compressed.subarray(OUTER));
  inner.writeInt32BE(0, INDEX_OFFSET);
  inner.writeDoubleBE(1, CONVERSION_RATIO);
  const again = deflateSync(inner);
  const outer = Buffer.from(compressed.subarray(0, OUTER));
  outer.writeInt32BE(again.length, 4);
  return Buffer.concat([outer, again]).toString("base64");
}
