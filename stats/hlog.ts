/** The standard log of HDR histograms (.hlog, version 1.3): other tools read, plot and merge it. */

import { HistogramLogWriter } from "hdr-histogram-js";
import type { Interval } from "./timeline.ts";

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
    text += `${from.toFixed(3)},${(to - from).toFixed(3)},${(max ?? 0).toFixed(3)},${encoded}\n`;
  }
  return text;
}
