/** What the page's plots show, as data; draw.js draws it. */

import type { Result, Second } from "../result.ts";

/** One result's lines in a plot: the places on the x axis, then each line's values there. Null is a gap. */
type Table = readonly (readonly (number | null)[])[];

export interface Plot {
  readonly title: string;
  readonly note: string;
  /** Percentiles are placed at 1 / (1 - share), on a logarithmic axis: each further nine takes the same room. */
  readonly x: "percentile" | "seconds";
  readonly unit: string;
  readonly logarithmic: boolean;
  readonly tables: readonly Table[];
  /** One for each line, in the order of the tables. */
  readonly lines: readonly { readonly name: string; readonly color: number; readonly dashed: boolean }[];
}

/** A quantity over time: its name, and how to get it. */
type Quantity = readonly [name: string, get: (second: Second) => number | null];

const LATENCIES: readonly Quantity[] = [
  ["p50", (second) => second.p50_ms],
  ["p99", (second) => second.p99_ms],
  ["max", (second) => second.max_ms],
];

/** From which ratio of the greatest to the least latency a linear axis would press the p50 flat. */
const FLAT = 20;

/** The plots of one result, or of two (old, new); those that would be empty are left out. */
export function plots(results: readonly Result[]): Plot[] {
  const throughput: Quantity = ["messages/s", (second) => second.messages_per_second];
  const failures: Quantity = ["errors", (second) => second.errors];
  const failed = results.some((result) => result.timeline.some(({ errors }) => errors > 0));
  return [
    distribution(results),
    // Three lines are readable in one plot, six are not.
    ...(results.length === 1
      ? [latencies(results)]
      : LATENCIES.map((latency) => overTime(results, `Latency ${latency[0]} over time`, "ms", [latency]))),
    overTime(results, "Throughput over time", "messages/s", [throughput]),
    ...(failed ? [overTime(results, "Errors over time", "per second", [failures])] : []),
  ].filter(({ tables }) => tables.some(([, ...lines]) => lines.some((line) => line.some((y) => y !== null))));
}

function distribution(results: readonly Result[]): Plot {
  return {
    title: "Latency by percentile, ms",
    note: "How long the fastest share of all messages took at most; to the right are the slowest few.",
    x: "percentile",
    unit: "ms",
    logarithmic: false,
    tables: results.map(byPercentile),
    lines: names(results, ["latency"]),
  };
}

/** All messages came back within the greatest latency: that point, at infinity, is drawn at the last one of N. */
function byPercentile({ latency_distribution, messages }: Result): Table {
  const xs: number[] = [];
  const ys: number[] = [];
  for (const [share, ms] of latency_distribution) {
    const last = xs.at(-1) ?? 1;
    const x = share < 1 ? 1 / (1 - share) : Math.max(last, messages);
    if (!Number.isFinite(x) || finite(ms) === null || x < last) continue;
    if (x === last && xs.length > 0) ys[ys.length - 1] = ms;
    else xs.push(x) && ys.push(ms);
  }
  return [xs, ys];
}

function latencies(results: readonly Result[]): Plot {
  const plot = overTime(results, "Latency over time", "ms", LATENCIES);
  const all = plot.tables.flatMap(([, ...lines]) => lines.flat()).filter((y) => y !== null);
  // Not Math.max(...all): a long run has more seconds than a call takes arguments.
  const [least, greatest] = all.reduce(([a, b], y) => [Math.min(a, y), Math.max(b, y)], [Infinity, 0]);
  if (!(least > 0 && greatest > FLAT * least)) return plot;
  return { ...plot, logarithmic: true, note: `${plot.note} The scale is logarithmic.` };
}

function overTime(
  results: readonly Result[],
  title: string,
  unit: string,
  quantities: readonly Quantity[],
): Plot {
  return {
    title: `${title}, ${unit}`,
    note: "Each point is one second of the run.",
    x: "seconds",
    unit,
    logarithmic: false,
    tables: results.map(({ timeline }) => [
      timeline.map((second) => finite(second.at_seconds) ?? 0),
      ...quantities.map(([, get]) => timeline.map((second) => finite(get(second)))),
    ]),
    lines: names(results, quantities.map(([name]) => name)),
  };
}

/** Of two results the old one is dashed, and has a colour of its own. */
function names(results: readonly Result[], quantities: readonly string[]): Plot["lines"] {
  if (results.length === 1) {
    return quantities.map((name, i) => ({ name, color: i + 1, dashed: false }));
  }
  return ["old", "new"].flatMap((age) =>
    quantities.map((name) => ({
      name: `${name}, ${age}`,
      color: age === "new" ? 1 : 2,
      dashed: age === "old",
    }))
  );
}

/** A file of results may have been edited: a number may be anything. */
function finite(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}
