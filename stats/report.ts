/** The report as text. */

import { showDuration, showSize } from "../cli/units.ts";
import { chart, figure } from "./chart.ts";
import type { Result } from "./result.ts";

const COLUMN = 14;

interface Row {
  readonly name: string;
  readonly cell: (result: Result) => string;
  /** By what the old and the new are compared. */
  readonly value?: (result: Result) => number | null;
}

const latency = (name: keyof Result["latency_ms"]): Row => ({
  name: `${name.replace("_", ".")} ms`,
  cell: ({ latency_ms }) => figure(latency_ms[name]),
  value: ({ latency_ms }) => latency_ms[name],
});

const ROWS: readonly Row[] = [
  { name: "messages", cell: ({ messages }) => String(messages) },
  {
    name: "messages/s",
    cell: ({ messages_per_second }) => messages_per_second.toFixed(messages_per_second < 100 ? 1 : 0),
    value: ({ messages_per_second }) => messages_per_second,
  },
  {
    name: "data/s",
    cell: ({ bytes_per_second }) => showSize(Math.round(bytes_per_second)),
    value: ({ bytes_per_second }) => bytes_per_second,
  },
  latency("min"),
  latency("mean"),
  latency("p50"),
  latency("p90"),
  latency("p99"),
  latency("p99_9"),
  latency("max"),
  { name: "errors", cell: ({ errors }) => String(Object.values(errors).reduce((sum, n) => sum + n, 0)) },
];

/**
 * The text for one result, or for an old and a new one side by side. `notes` are lines on the errors of the last.
 */
export function report(results: readonly Result[], notes: readonly string[]): string {
  const last = results.at(-1)!;
  const [old] = results.length > 1 ? results : [];
  const lines = results.map((result, i) =>
    (results.length > 1 ? `${["old", "new"][i]}: ` : "") + heading(result)
  );
  lines.push("");
  if (old !== undefined) lines.push(row("", ["old", "new", "change"]));
  for (const { name, cell, value } of ROWS) {
    const cells = results.map(cell);
    if (old !== undefined) cells.push(value === undefined ? "" : change(value(old), value(last)));
    lines.push(row(name, cells));
  }
  for (const [kind, n] of Object.entries(last.errors)) lines.push(row(`  ${kind}`, [String(n)]));
  lines.push("", ...chart(results));
  for (const note of notes) lines.push(note);
  for (const warning of last.warnings) lines.push(`warning: ${warning}`);
  return lines.map((line) => line.trimEnd()).join("\n") + "\n";
}

function heading({ target, options, duration_seconds }: Result): string {
  const { connections, size_bytes, rate_per_second, pipeline, connect_rate } = options;
  const pace = rate_per_second !== null
    ? `${rate_per_second} messages/s by the clock`
    : pipeline === 1
    ? "one message at a time on each"
    : `${pipeline} messages at a time on each`;
  return `${target}: ${connections} connection${connections === 1 ? "" : "s"}, ` +
    `${showSize(Number(size_bytes))} a message, ${pace}${
      connect_rate ? ", a new connection for each" : ""
    }, ` +
    `for ${showDuration(duration_seconds * 1000)}`;
}

function row(name: string, cells: readonly string[]): string {
  return `  ${name.padEnd(12)}${cells.map((cell) => cell.padStart(COLUMN)).join("")}`;
}

function change(old: number | null, now: number | null): string {
  if (old === null || now === null || old === 0) return "-";
  const percent = (now / old - 1) * 100;
  return `${percent < 0 ? "" : "+"}${percent.toFixed(1)} %`;
}
