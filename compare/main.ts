/** `deno task compare`: ours beside its peers, in one run. It writes compare/RESULTS.md and compare/ratios.svg. */

import { fileURLToPath } from "node:url";
import { type Command, type Flags, parse } from "../cli/flags.ts";
import { help } from "../cli/help.ts";
import { UsageError } from "../base/units.ts";
import { Failure } from "../base/errors.ts";
import { type Cell, CELLS } from "./cells.ts";
import { chart } from "./chart.ts";
import { Kit } from "./kit.ts";
import { machine, versions } from "./machine.ts";
import { measure } from "./measure.ts";
import { output } from "./program.ts";
import { type Measured, page, table } from "./report.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const FORMAT_SECONDS = 30;
const NAMES = CELLS.map(({ name }) => name).join(", ");

const flags = {
  rounds: { kind: "count", initial: "3", help: "of each cell; a figure is their median" },
  seconds: { kind: "duration", initial: "1s", help: "of each measurement" },
  only: { kind: "name", value: "CELL,...", parse: chosen, help: "cells to measure (default: all)" },
  out: {
    kind: "folder",
    initial: ROOT,
    help: "where compare/RESULTS.md and compare/ratios.svg are written",
  },
} as const satisfies Flags;

const command: Command<typeof flags> = {
  name: "compare",
  usage: "compare [flags]",
  summary: "Measures ours beside its peers, and writes compare/RESULTS.md and compare/ratios.svg.",
  flags,
  notes: [
    `CELL is one of ${NAMES}.`,
    "It needs Linux, gcc and timeout; it uses taskset, go, node, socat, ncat and openssl where they are.",
    "ECHO_BIN in the environment names a compiled echo to measure in place of the sources.",
    "Exit codes: 0 ours was measured everywhere, 1 it was not, 2 the command line was wrong.",
  ],
  examples: [["deno task compare --only tcp-64x64,udp-64x64", "two cells"]],
};

/** Returns whether ours has a figure in every cell. */
async function main(words: string[], stop: AbortSignal): Promise<boolean> {
  if (words.includes("--help")) {
    console.log(help(command).replaceAll("echo compare", "deno task compare"));
    return true;
  }
  const { options, operands } = parse(command, words);
  if (operands.length > 0) throw new UsageError(`${JSON.stringify(operands[0])} is not expected; see --help`);
  const { rounds, out } = options;
  const timing = { rounds, seconds: options.seconds / 1000 };
  const began = new Date();
  const folder = await Deno.makeTempDir({ prefix: "echo-compare-" });
  try {
    const kit = new Kit(folder, stop);
    const cells = await kit.prepare(options.only ?? CELLS);
    const measured: Measured[] = [];
    for (const cell of cells) {
      const rows = await measure(cell, kit, timing);
      measured.push({ cell, rows });
      console.log(`${cell.title} (${cell.name})\n${table(cell, rows)}\n`);
    }
    const text = page(measured, {
      machine: machine(),
      versions: await versions(stop),
      missing: [...kit.missing].sort(),
      command: ["deno task compare", ...words].join(" "),
      pinned: kit.cores !== undefined,
      tlsLoad: kit.tlsLoad,
      timing,
      began,
    });
    await write(out, { "compare/RESULTS.md": text, "compare/ratios.svg": chart(measured) }, stop);
    return measured.every(({ rows }) => Number.isFinite(rows[0]?.value));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Writes the files as `deno fmt` would have them: they are checked in. */
async function write(out: string, files: Record<string, string>, stop: AbortSignal): Promise<void> {
  const paths = Object.keys(files).map((name) => `${out}/${name}`);
  try {
    await Deno.mkdir(`${out}/compare`, { recursive: true });
    for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(`${out}/${name}`, text);
  } catch (error) {
    throw new Failure(`cannot write to ${out}: ${error instanceof Error ? error.message : error}`);
  }
  const words = [Deno.execPath(), "fmt", "--quiet", "--config", `${ROOT}deno.json`, ...paths];
  await output(words, { seconds: FORMAT_SECONDS, stop });
}

function chosen(text: string): Cell[] {
  return text.split(",").map((name) => {
    const cell = CELLS.find((known) => known.name === name);
    if (cell === undefined) throw new UsageError(`${JSON.stringify(name)} is no cell; there are ${NAMES}`);
    return cell;
  });
}

/** Aborts at the first signal that asks us to stop. */
function stopSignals(): AbortSignal {
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const) {
    Deno.addSignalListener(name, () => stop.abort(new Failure(`stopped by ${name}; nothing is written`)));
  }
  return stop.signal;
}

if (import.meta.main) {
  main(Deno.args, stopSignals()).then((whole) => Deno.exit(whole ? 0 : 1), (error) => {
    if (!(error instanceof Failure || error instanceof UsageError)) throw error;
    console.error(`compare: ${error.message}`);
    Deno.exit(error instanceof UsageError ? 2 : 1);
  });
}
