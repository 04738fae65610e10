/** The standard log of HDR histograms (.hlog, version 1.3): other tools read, plot and merge it. */

import { HistogramLogWriter } from "hdr-histogram-js";
import { Buffer } from "node:buffer";
import { deflateSync, inflateSync } from "node:zlib";
import type { Interval } from "../measure/timeline.ts";

/** The text of the log. `startedMs`: when the first interval began, in milliseconds since the epoch. */
export function hlog(comment: string, startedMs: number, intervals: readonly Interval[]): string {
  let text = "";
  // The library ends some lines with two newlines; other readers stop at the empty line.
  const writer = new HistogramLogWriter((line) => text += line.replace(/\n+$/, "\n"));
  writer.outputComment(`[Logged with ${comment}]`);
  writer.outputLogFormatVersion();
  writer.outputStartTime(startedMs);
  writer.outputComment(`[BaseTime: ${(startedMs / 1000).toFixed(3)} (seconds since epoch)]`);
  writer.outputLegend();
  for (const { from, to, max, encoded } of intervals) {
    // The library could write this line from a histogram only; here it is encoded already. The maximum is in ms.
    text += `${from.toFixed(3)},${(to - from).toFixed(3)},${(max ?? 0).toFixed(3)},${standard(encoded)}\n`;
  }
  return text;
}

/** Length of the header of the compressed encoding V2: a cookie, and the length of what is compressed. */
const HEADER = 8;
/** Offsets within what is compressed. */
const INDEX_OFFSET_AT = 8;
const CONVERSION_RATIO_AT = 32;

/**
 * Corrects two fields of the encoding: a plain histogram has a normalizing index offset of 0 and a conversion ratio of
 * 1. The library writes an offset of 1 by mistake, and readers in C would shift all values by one step.
 */
function standard(encoded: string): string {
  const compressed = Buffer.from(encoded, "base64");
  const inner = inflateSync(compressed.subarray(HEADER));
  inner.writeInt32BE(0, INDEX_OFFSET_AT);
  inner.writeDoubleBE(1, CONVERSION_RATIO_AT);
  const again = deflateSync(inner);
  const outer = Buffer.from(compressed.subarray(0, HEADER));
  outer.writeInt32BE(again.length, 4);
  return Buffer.concat([outer, again]).toString("base64");
}
