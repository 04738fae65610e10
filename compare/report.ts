/** compare/RESULTS.md: what was measured, on what, how, and what came out. */

import type { Cell } from "./cells.ts";
import type { Row, Timing } from "./measure.ts";

/** A cell, and what was measured in it. */
export interface Measured {
  readonly cell: Cell;
  readonly rows: readonly Row[];
}

/** How the run was made. */
export interface Setting {
  readonly machine: string;
  readonly versions: readonly string[];
  readonly missing: readonly string[];
  readonly command: string;
  /** Whether server and load had a processor each. */
  readonly pinned: boolean;
  /** Whether the TLS cells had the same load as the others. */
  readonly tlsLoad: boolean;
  readonly timing: Timing;
  readonly began: Date;
}

const US_PER_MS = 1000;

/** The whole page, in Markdown. */
export function page(measured: readonly Measured[], setting: Setting): string {
  return [
    "# Benchmarks",
    "Ours beside its peers. Written by the command below; do not edit it by hand.",
    "![How ours compares with each peer, on a logarithmic scale](ratios.svg)",
    "## How it was measured",
    how(setting).map((line) => `- ${line}`).join("\n"),
    ...measured.flatMap(({ cell, rows }) => [`## ${cell.title}`, table(cell, rows)]),
  ].join("\n\n") + "\n";
}

/** The table of one cell, and below it what went wrong. */
export function table(cell: Cell, rows: readonly Row[]): string {
  const shown = columns(cell);
  const [ours] = rows;
  const compare = /ours/; // nothing to say in the row of ours
  const lines = [
    [ours?.contender.load === "echo bench" ? "Load" : "Server", ...shown.map(([title]) => title)],
    ["---", ...shown.map(() => "---:")],
    ...rows.map((row) => [
      row.contender.name,
      ...shown.map(([title, show]) =>
        Number.isNaN(row.value) ? "-" : row === ours && compare.test(title) ? "" : show(row, ours!)
      ),
    ]),
  ].map((line) => `| ${line.join(" | ")} |`);
  const notes = rows.flatMap(({ contender, starved, failure }) => [
    ...(failure === undefined ? [] : [`${contender.name} failed: ${failure.replaceAll(/[<>`|]/g, " ")}`]),
    ...(starved === 0
      ? []
      : [`${contender.name}: up to ${starved} of the clients got nothing back in a whole round`]),
  ]);
  return [lines.join("\n"), ...notes].join("\n\n");
}

function how({ machine, versions, missing, command, pinned, tlsLoad, timing, began }: Setting): string[] {
  const { rounds, seconds } = timing;
  return [
    `When: ${began.toISOString().slice(0, 16).replace("T", " ")} UTC`,
    `Machine: ${machine}`,
    `Versions: ${versions.join(", ")}`,
    ...(missing.length === 0 ? [] : [`Not installed, and left out: ${missing.join(", ")}`]),
    `Command: \`${command}\``,
    `Rounds: ${rounds} of ${seconds} s after a warm-up. In each round every server of a cell is started, measured ` +
    "and stopped, one after another, so that the machine's drift falls on all alike. A figure is the median of " +
    "the rounds; ± is half the way from the lowest to the highest.",
    pinned
      ? "The server has one processor to itself, and the load another."
      : "Server and load share the processors: nothing was pinned.",
    "Load: compare/load.c, the same for all. Each connection has one message on its way at a time, and every byte " +
    "that comes back is compared." +
    (tlsLoad ? "" : " Without OpenSSL's headers the load of the TLS cells was `echo bench`."),
    "ours / peer: above 1 ours is faster; of memory and latency it is better below 1.",
    "Memory: how much the server's resident set grows; what the kernel keeps for a connection is not in it.",
    "Load on C epoll: there the server is the same, and the load generators are compared.",
    "socat and ncat start a process for each client, and socat one for each UDP sender.",
  ];
}

/** What a column is called, and what it shows of a row; `ours` is the row to compare with. */
type Column = readonly [title: string, show: (row: Row, ours: Row) => string];

function columns({ work }: Cell): Column[] {
  const value: Column = [
    work.kind === "churn" ? "Connections/s" : "Messages/s",
    ({ value }) => whole(value),
  ];
  const ratio: Column = ["ours / peer", (row, ours) => quotient(ours.value, row.value)];
  if (work.kind === "memory") return [["kB a connection", ({ value }) => (value / 1000).toFixed(2)], ratio];
  const throughput: Column[] = work.kind === "echo" && work.bytes >= 1024
    ? [["MiB/s", ({ value }) => whole(value * work.bytes / 2 ** 20)]]
    : [];
  const open = work.kind === "echo" && work.rate !== undefined;
  return [
    value,
    ["±", ({ spread }) => spread === undefined ? "-" : `${Math.round(spread * 100)} %`],
    ...throughput,
    ["p50 (µs)", ({ p50 }) => microseconds(p50)],
    ["p99 (µs)", ({ p99 }) => microseconds(p99)],
    ["p99.9 (µs)", ({ p999 }) => microseconds(p999)],
    // At a given rate they all send as many: what differs is what they say of the latency.
    ...(open
      ? [
        ["p50, ours / peer", (row, ours) => quotient(ours.p50, row.p50)],
        ["p99, ours / peer", (row, ours) => quotient(ours.p99, row.p99)],
      ] satisfies Column[]
      : [ratio]),
  ];
}

function quotient(ours: number | null, peer: number | null): string {
  const times = (ours ?? NaN) / (peer ?? NaN);
  return Number.isFinite(times) ? times.toFixed(2) : "-";
}

function microseconds(ms: number | null): string {
  if (ms === null) return "-";
  const us = ms * US_PER_MS;
  return us < 100 ? us.toFixed(1) : whole(us);
}

function whole(n: number): string {
  return Math.round(n).toLocaleString("en-US");
}
