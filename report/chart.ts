/** Histograms of latencies for a terminal, drawn with block characters and without colour. */

import { milliseconds } from "./figures.ts";
import type { Result } from "../measure/result.ts";

const ROWS = 12;
/** Width of a label: `  <= 12345678 ms `. */
const LABEL = 17;
/** Width of a share: `100.0 % `. */
const SHARE = 8;
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/**
 * A row for each band of latency: its upper edge, and for each result the share of its messages in the band, with
 * a bar; at last the share that did not come back. The bands grow in equal ratios from the smallest latency to the
 * greatest; all results share them, and the scale of the bars. No row is longer than `width`, 40 or more.
 */
export function chart(results: readonly Result[], width: number): string[] {
  const points = results.flatMap(({ latency_distribution }) => latency_distribution.map(([, ms]) => ms));
  if (points.length === 0) return [];
  const edges = ladder(Math.min(...points), Math.max(...points));
  const columns = results.map(({ latency_distribution }) => {
    const within = edges.map((ms) => shareWithin(latency_distribution, ms));
    const missing = 1 - (latency_distribution.at(-1)?.[0] ?? 1);
    return [...within.map((share, i) => share - (within[i - 1] ?? 0)), missing];
  });
  const labels = [
    ...edges.map((ms) => `  <= ${milliseconds(ms).padStart(8)} ms `),
    "  not back".padEnd(LABEL),
  ];
  const most = Math.max(...columns.flat());
  const room = Math.floor((width - LABEL + 1) / results.length) - 1 - SHARE;
  const rows = labels.map((label, row) => {
    const cells = columns.map((shares) => {
      const share = shares[row] ?? 0;
      return `${percent(share).padStart(SHARE - 1)} ${bar(share / most, room).padEnd(room)}`;
    });
    return (label + cells.join(" ")).trimEnd();
  });
  return columns.some((shares) => shares.at(-1)! > 0) ? rows : rows.slice(0, -1);
}

/** A bar as long as `share` of the width, in steps of an eighth of a character. A share above 0 has at least one step. */
export function bar(share: number, width: number): string {
  const eighths = share > 0 ? Math.max(1, Math.round(share * width * 8)) : 0;
  return "█".repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8];
}

function percent(share: number): string {
  if (share <= 0) return "0 %";
  return share < 0.0005 ? "<0.1 %" : `${(share * 100).toFixed(1)} %`;
}

/** The upper edges of the bands, in equal ratios. */
function ladder(min: number, max: number): number[] {
  const rows = max / min < 1.05 ? 1 : ROWS;
  const edges = Array.from({ length: rows }, (_, i) => min * (max / min) ** ((i + 1) / rows));
  edges[rows - 1] = max;
  return edges;
}

/** The share of the messages that took up to `ms`, interpolated between two points of the distribution. */
function shareWithin(distribution: Result["latency_distribution"], ms: number): number {
  let [share, at] = [0, 0];
  for (const [nextShare, next] of distribution) {
    if (next > ms) return next === at ? share : share + (nextShare - share) * (ms - at) / (next - at);
    [share, at] = [nextShare, next];
  }
  return share;
}
