/** Histograms of latencies for a terminal: readable without colour, in any font that has the block characters. */

import type { Result } from "./result.ts";

const ROWS = 12;
/** Of all bars of a row together. */
const WIDTH = 56;
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/**
 * A row for each band of latency: its upper edge, and for each result the share of its messages in the band, with
 * a bar. The bands grow in equal ratios from the smallest latency to the greatest; all results share them, and
 * the scale of the bars.
 */
export function chart(results: readonly Result[]): string[] {
  const points = results.flatMap(({ latency_distribution }) => latency_distribution.map(([, ms]) => ms));
  if (points.length === 0) return [];
  const edges = ladder(Math.min(...points), Math.max(...points));
  const columns = results.map(({ latency_distribution }) => {
    const within = edges.map((ms) => shareWithin(latency_distribution, ms));
    return within.map((share, i) => share - (within[i - 1] ?? 0));
  });
  const most = Math.max(...columns.flat());
  const width = Math.floor(WIDTH / results.length);
  return edges.map((ms, row) => {
    const cells = columns.map((shares) => {
      const share = shares[row] ?? 0;
      return `${percent(share).padStart(7)} ${bar(share / most, width).padEnd(width)}`;
    });
    return `  <= ${figure(ms).padStart(8)} ms ${cells.join(" ")}`.trimEnd();
  });
}

/** Milliseconds to three digits or more: `0.0213`, `1.25`, `13.4`, `1021`; `-` where there is no figure. */
export function figure(ms: number | null): string {
  if (ms === null) return "-";
  return ms.toFixed(ms >= 100 ? 0 : ms >= 10 ? 1 : ms >= 1 ? 2 : ms >= 0.1 ? 3 : 4);
}

/** A bar of `share` of the width; what is not nothing shows. */
export function bar(share: number, width: number): string {
  const eighths = share > 0 ? Math.max(1, Math.round(share * width * 8)) : 0;
  return "█".repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8];
}

function percent(share: number): string {
  if (share <= 0) return "0 %";
  return share < 0.0005 ? "<0.1 %" : `${(share * 100).toFixed(1)} %`;
}

function ladder(min: number, max: number): number[] {
  const rows = max / min < 1.05 ? 1 : ROWS;
  const edges = Array.from({ length: rows }, (_, i) => min * (max / min) ** ((i + 1) / rows));
  edges[rows - 1] = max;
  return edges;
}

/** What share of the messages took up to `ms`: between two points of the distribution, on the line between them. */
function shareWithin(distribution: Result["latency_distribution"], ms: number): number {
  let [share, at] = [0, 0];
  for (const [nextShare, next] of distribution) {
    if (next > ms) return next === at ? share : share + (nextShare - share) * (ms - at) / (next - at);
    [share, at] = [nextShare, next];
  }
  return share;
}
