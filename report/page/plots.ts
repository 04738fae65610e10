/** What the page's plots show, as data; draw.js draws it. */

import { finite } from "../figures.ts";
import type { Result, Second } from "../../measure/result.ts";

/** One result's lines in a plot: the values on the x axis, then each line's values on the y axis. Null is a gap. */
type Table = readonly (readonly (number | null)[])[];

/** A plot, as draw.js takes it. */
export interface Plot {
  readonly title: string;
  readonly note: string;
  /** Percentiles stand at 1 / (1 - share) on a logarithmic axis: from p99 to p99.9 is as far as from p90 to p99. */
  readonly x: "percentile" | "seconds";
  readonly unit: string;
  /** How near to a point, in units of x, the pointer must be to show its values; null: any distance. */
  readonly reach: number | null;
  readonly logarithmic: boolean;
  readonly tables: readonly Table[];
  /** One for each line, in the order of the tables. */
  readonly lines: readonly { readonly name: string; readonly color: number; readonly dashed: boolean }[];
}

/** A quantity over time: its name, and its value in an interval of the run that lasts so many seconds. */
type Quantity = readonly [name: string, get: (second: Second, lasts: number) => number | null];

const LATENCIES: readonly Quantity[] = [
  ["p50", (second) => second.p50_ms],
  ["p99", (second) => second.p99_ms],
  ["max", (second) => second.max_ms],
];

/** An interval may be shorter than a second by so many seconds and still count as one. */
const ROUNDING = 0.01;

const FAILURES: Quantity = ["errors", (second, lasts) => (finite(second.errors) ?? 0) / lasts];

/** From this ratio of the greatest latency to the least on, the axis is logarithmic: p50 would be a flat line. */
const LOGARITHMIC_FROM = 20;

/** The plots of one result, or of two (old, new). Empty ones are left out. */
export function plots(results: readonly Result[]): Plot[] {
  const throughput: Quantity = ["messages/s", (second) => second.messages_per_second];
  const failed = results.some((result) => result.timeline.some(({ errors }) => errors > 0));
  return [
    distribution(results),
    // Two results would have six lines in one plot, which is hard to read.
    ...(results.length === 1
      ? [latencies(results)]
      : LATENCIES.map((latency) => overTime(results, `Latency ${latency[0]} over time`, "ms", [latency]))),
    overTime(results, "Throughput over time", "messages/s", [throughput]),
    ...(failed ? [overTime(results, "Errors over time", "per second", [FAILURES])] : []),
  ].filter(({ tables }) => tables.some(([, ...lines]) => lines.some((line) => line.some((y) => y !== null))));
}

function distribution(results: readonly Result[]): Plot {
  return {
    title: "Latency by percentile, ms",
    note: "How long the fastest share of all messages took at most; to the right are the slowest few." +
      (results.some(({ lost, unfinished }) => lost + unfinished > 0)
        ? " A curve ends where messages did not come back; the plots over time are of those that did."
        : ""),
    x: "percentile",
    unit: "ms",
    reach: null,
    logarithmic: false,
    tables: results.map(byPercentile),
    lines: names(results, ["latency"]),
  };
}

/** The point of share 1, the maximum, would be at infinity: of N messages it is drawn at x = N. */
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
  // Not Math.max(...all): a call takes a limited number of arguments.
  const [least, greatest] = all.reduce(([a, b], y) => [Math.min(a, y), Math.max(b, y)], [Infinity, 0]);
  if (!(least > 0 && greatest > LOGARITHMIC_FROM * least)) return plot;
  return { ...plot, logarithmic: true, note: `${plot.note} The scale is logarithmic.` };
}

function overTime(
  results: readonly Result[],
  title: string,
  unit: string,
  quantities: readonly Quantity[],
): Plot {
  const lasts = results.map(lengths);
  return {
    title: `${title}, ${unit}`,
    note: spacing(lasts.flat()),
    x: "seconds",
    unit,
    reach: Math.max(...lasts.flat(), 1) / 2,
    logarithmic: false,
    tables: results.map(({ timeline }, i) => [
      timeline.map((second) => finite(second.at_seconds) ?? 0),
      ...quantities.map(([, get]) => timeline.map((second, j) => finite(get(second, lasts[i]![j]!)))),
    ]),
    lines: names(results, quantities.map(([name]) => name)),
  };
}

/** How many seconds each interval of a run lasts. */
function lengths({ timeline }: Result): number[] {
  return timeline.map(({ at_seconds }, i) => {
    const from = i === 0 ? 0 : finite(timeline[i - 1]!.at_seconds) ?? 0;
    const lasts = (finite(at_seconds) ?? 0) - from;
    return lasts > 0 ? lasts : 1;
  });
}

/** How many seconds a point stands for: more in a long run, and any number at the end of a run. */
function spacing(lasts: readonly number[]): string {
  if (Math.max(...lasts) < 1 - ROUNDING) return "The point is the whole run.";
  const whole = lasts.map((seconds) => Math.max(1, Math.round(seconds)));
  const [least, most] = [Math.min(...whole), Math.max(...whole)];
  if (most === 1) return "Each point is one second of the run.";
  return `Each point is ${least === most ? "" : `${least} to `}${most} seconds of the run.`;
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
