/** The figures of a run, a row each, in the order of the reports: the text and the page say the same. */

import { hostOf } from "../base/address.ts";
import { showMilliseconds, showNumber, showSize } from "../base/units.ts";
import { type DatagramCounts, latencyName, type Result, type Second } from "../measure/result.ts";

/** A row of the reports. */
export interface Figure {
  /** Short, for the text. */
  readonly name: string;
  /** Long, for the page. */
  readonly title: string;
  readonly get: (result: Result) => number | null;
  readonly show: (value: number | null) => string;
  /** 1: more is better; -1: less is better. */
  readonly better?: 1 | -1;
  /**
   * The same figure of one interval, which shows how much it varies within a run. Percentiles above p50 have none:
   * they depend too much on what else the machine did at that time.
   */
  readonly varies?: (second: Second) => number | null;
  /** Left out where it is null in all results. */
  readonly rare?: true;
}

/** What stands for a figure that is not known. */
export const UNKNOWN = "-";

const latency = (key: keyof Result["latency_ms"], varies?: Figure["varies"]): Figure => ({
  name: `${latencyName(key)} ms`,
  title: `latency, ${latencyName(key)}, ms`,
  get: ({ latency_ms }) => latency_ms[key],
  show: milliseconds,
  better: -1,
  ...(varies === undefined ? {} : { varies }),
});

const sendDelay = (key: "p50" | "p99" | "max"): Figure => ({
  name: `delay ${key} ms`,
  title: `delay of our own sending, ${key}, ms`,
  get: ({ send_delay_ms }) => send_delay_ms?.[key] ?? null,
  show: milliseconds,
  rare: true,
});

const datagrams = (name: keyof DatagramCounts, title: string): Figure => ({
  name,
  title,
  get: (result) => result.datagrams?.[name] ?? null,
  show: count,
  rare: true,
});

/** All rows, in the order of the reports. */
export const FIGURES: readonly Figure[] = [
  { name: "messages", title: "messages that came back right", get: ({ messages }) => messages, show: count },
  {
    name: "messages/s",
    title: "messages per second",
    get: ({ messages_per_second }) => messages_per_second,
    show: (value) => value === null ? UNKNOWN : showNumber(value, value < 100 ? 1 : 0),
    better: 1,
    varies: ({ messages_per_second }) => messages_per_second,
  },
  {
    name: "data/s",
    title: "data each way per second",
    get: ({ bytes_per_second }) => bytes_per_second,
    show: (value) => value === null ? UNKNOWN : showSize(Math.round(value)),
  },
  latency("min"),
  latency("mean"),
  latency("p50", ({ p50_ms }) => p50_ms),
  latency("p90"),
  latency("p99"),
  latency("p99_9"),
  latency("max"),
  { name: "due", title: "messages due by the clock", get: ({ due }) => due, show: count, rare: true },
  { name: "sent", title: "messages sent", get: ({ sent }) => sent, show: count },
  { name: "lost", title: "messages lost", get: ({ lost }) => lost, show: count },
  {
    name: "unfinished",
    title: "messages on their way at the stop",
    get: ({ unfinished }) => unfinished,
    show: count,
  },
  datagrams("late", "datagrams of the lost that came too late"),
  datagrams("reordered", "datagrams that came after a later one"),
  datagrams("stray", "datagrams from another address"),
  {
    name: "retransmits",
    title: "TCP segments sent again",
    get: ({ retransmits }) => retransmits,
    show: count,
    rare: true,
  },
  sendDelay("p50"),
  sendDelay("p99"),
  sendDelay("max"),
  {
    name: "client CPU",
    title: "processor time of the client; 100 % is one core",
    get: ({ client_cpu_percent }) => client_cpu_percent,
    show: (value) => value === null ? UNKNOWN : `${value.toFixed(0)} %`,
  },
  { name: "errors", title: "errors", get: errorCount, show: count },
];

/** The rows of these results: those that are `rare` only where one of them has a value. */
export function figuresOf(results: readonly Result[]): Figure[] {
  return FIGURES.filter((row) =>
    row.rare !== true || results.some((result) => valueOf(row, result) !== null)
  );
}

/** The value of a row. Null too if a file of an older version has none, or an edited file has no number there. */
export function valueOf({ get }: Figure, result: Result): number | null {
  return finite(get(result));
}

/** The value if it is a number, else null: a file of results may have been edited. */
export function finite(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** As showMilliseconds; `-` for null. */
export function milliseconds(ms: number | null): string {
  return ms === null ? UNKNOWN : showMilliseconds(ms);
}

/** The IP addresses that answered, ` (127.0.0.1, ::1)`, where the target is a name; a file may have none, or others. */
export function answeredBy({ target, peers }: Result): string {
  const known = Array.isArray(peers) ? peers.map(String) : [];
  const ips = new Set(known.filter((peer) => !target.endsWith(`/${peer}`)).map(hostOf));
  return ips.size === 0 ? "" : ` (${[...ips].join(", ")})`;
}

/** How many errors there were, of all kinds together. */
export function errorCount({ errors }: Result): number {
  return Object.values(errors).reduce((sum, n) => sum + (finite(n) ?? 0), 0);
}

/** The kinds of errors of all results. */
export function errorKinds(results: readonly Result[]): string[] {
  return [...new Set(results.flatMap(({ errors }) => Object.keys(errors)))];
}

/** A whole number, `28,232`; `-` for null. */
export function count(n: number | null): string {
  return n === null ? UNKNOWN : showNumber(n);
}
