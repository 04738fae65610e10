/** The report as text. */

import { showDuration } from "../base/units.ts";
import { chart } from "./chart.ts";
import { comparison } from "./comparison.ts";
import {
  answeredBy,
  count,
  errorKinds,
  type Figure,
  figuresOf,
  finite,
  UNKNOWN,
  valueOf,
} from "./figures.ts";
import type { Result } from "../measure/result.ts";

const NAME_WIDTH = 12;
/** The width of a column, where there is room. */
const COLUMN_WIDTH = 14;
const INDENT = "  ";

/**
 * The text for one result, or for an old and a new one side by side, in lines of at most `width` characters, 40 or
 * more. `notes` are sentences on the errors of the last.
 */
export function report(results: readonly Result[], notes: readonly string[], width: number): string {
  const [old, now] = results as [Result, Result | undefined];
  const label = (i: number) => now === undefined ? "" : i === 0 ? "old: " : "new: ";
  const sentences = [
    ...notes,
    ...results.flatMap(({ warnings }, i) => warnings.map((warning) => `${label(i)}warning: ${warning}`)),
  ];
  const lines = [
    ...results.flatMap((result, i) => wrap(label(i) + heading(result), width)),
    "",
    ...table(rows(results), width),
    ...(now === undefined ? [] : ["", ...comparison(old, now).flatMap((sentence) => wrap(sentence, width))]),
    "",
    ...chart(results, width),
    ...sentences.flatMap((sentence) => wrap(sentence, width)),
  ];
  // A file given to --compare may contain control characters; none reaches the terminal.
  return lines.map((line) => line.replace(/\p{Cc}/gu, "\ufffd").trimEnd()).join("\n") + "\n";
}

function heading(result: Result): string {
  const { target, engine, options, duration_seconds } = result;
  const { connections, size_bytes, rate_per_second, pipeline, connect_rate } = options;
  const pace = rate_per_second !== null
    ? `${rate_per_second} message${rate_per_second === 1 ? "" : "s"}/s by the clock`
    : pipeline === 1
    ? "one message at a time on each"
    : `${pipeline} messages at a time on each`;
  return `${target}${answeredBy(result)}: ${connections} connection${connections === 1 ? "" : "s"}, ` +
    `${size_bytes} byte${size_bytes === 1 ? "" : "s"} a message, ${pace}` +
    `${connect_rate ? ", a new connection for each" : ""}, for ${showDuration(duration_seconds * 1000)}` +
    (engine === undefined ? "" : `, engine ${engine}`);
}

/** The name of each row, then its cells. */
function rows(results: readonly Result[]): string[][] {
  const compared = results.length > 1;
  const cells = (row: Figure) => {
    const values = results.map((result) => valueOf(row, result));
    return [...values.map(row.show), ...(compared ? [change(row, values)] : [])];
  };
  return [
    ...(compared ? [["", "old", "new", "change"]] : []),
    ...figuresOf(results).map((row) => [row.name, ...cells(row)]),
    ...errorKinds(results)
      .map((kind) => [`  ${kind}`, ...results.map(({ errors }) => count(finite(errors[kind] ?? 0)))]),
  ];
}

/** The change in per cent; empty for a figure that is neither better nor worse when it changes. */
function change({ better }: Figure, [old, now]: readonly (number | null)[]): string {
  if (better === undefined) return "";
  if (!old || now === null || now === undefined) return UNKNOWN;
  const percent = (now / old - 1) * 100;
  return `${percent < 0 ? "" : "+"}${percent.toFixed(1)} %`;
}

/** Without room for all columns, the last one, the change, is left out. */
function table(rows: readonly (readonly string[])[], width: number): string[] {
  const columns = Math.max(...rows.map((row) => row.length - 1));
  const needs = Array.from(
    { length: columns },
    (_, i) => 1 + Math.max(...rows.map((row) => row[i + 1]?.length ?? 0)),
  );
  const room = width - INDENT.length - NAME_WIDTH;
  const sum = (widths: number[]) => widths.reduce((sum, width) => sum + width, 0);
  if (columns > 2 && sum(needs) > room) return table(rows.map((row) => row.slice(0, columns)), width);
  const roomy = needs.map((need) => Math.max(need, COLUMN_WIDTH));
  const widths = sum(roomy) <= room ? roomy : needs;
  return rows.map(([name = "", ...cells]) =>
    INDENT + name.padEnd(NAME_WIDTH) + cells.map((cell, i) => cell.padStart(widths[i]!)).join("")
  );
}

/** Lines of whole words; all but the first are indented. A word that is longer than a line stays whole. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line.trim() !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = INDENT + word;
    } else line += (line === "" ? "" : " ") + word;
  }
  return [...lines, line];
}
