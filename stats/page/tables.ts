/** The page's tables and the large figures above them. */

import type { Result } from "../result.ts";
import { type Html, markup } from "./html.ts";

/** A row of figures: what it is, its unit, how to get it, and whether more of it is better or worse. */
type Row = readonly [name: string, unit: string, get: (result: Result) => number | null, better?: 1 | -1];

const FIGURES: readonly Row[] = [
  ["messages", "", (result) => result.messages],
  ["messages per second", "1/s", (result) => result.messages_per_second, 1],
  ["data each way", "MB", (result) => result.bytes / 1e6],
  ["data per second", "MB/s", (result) => result.bytes_per_second / 1e6, 1],
  ["latency, least", "ms", (result) => result.latency_ms.min, -1],
  ["latency, mean", "ms", (result) => result.latency_ms.mean, -1],
  ["latency, p50", "ms", (result) => result.latency_ms.p50, -1],
  ["latency, p90", "ms", (result) => result.latency_ms.p90, -1],
  ["latency, p99", "ms", (result) => result.latency_ms.p99, -1],
  ["latency, p99.9", "ms", (result) => result.latency_ms.p99_9, -1],
  ["latency, greatest", "ms", (result) => result.latency_ms.max, -1],
  ["errors", "", errorCount, -1],
];

/** What stands in large type above all. */
const HEADLINES: readonly Row[] = [
  ["messages/s", "", (result) => result.messages_per_second],
  ["p50", "ms", (result) => result.latency_ms.p50],
  ["p99", "ms", (result) => result.latency_ms.p99],
  ["errors", "", errorCount],
];

/** From which change on the page says "better" or "worse": runs differ by some per cent for no reason. */
const NOTABLE = 0.05;

const NONE = "–";

/** What tells two results apart; one needs no name. */
export function label(results: readonly Result[], i: number): string {
  return results.length === 1 ? "" : i === 0 ? "old" : "new";
}

function labels(results: readonly Result[]): string[] {
  return results.map((_, i) => label(results, i) || "value");
}

/** The few figures that most look for. */
export function headlines(results: readonly Result[]): Html[] {
  return HEADLINES.map((row) => headline(results, row));
}

function headline(results: readonly Result[], [name, unit, get]: Row): Html {
  const [shown = "", old] = results.map(get).map(number).reverse();
  const was = old === undefined ? "" : markup`
    <small>was ${old}</small>
  `;
  return markup`
    <div>
      <dt>${name}</dt>
      <dd>${shown} <span>${shown === NONE ? "" : unit}</span>${was}</dd>
    </div>
  `;
}

/** All figures; of two results with the ratio. */
export function figures(results: readonly Result[]): Html {
  const compared = results.length > 1;
  const rows = FIGURES.map(([name, unit, get, better]) => {
    const values = results.map(get);
    return [name, unit, ...values.map(number), ...(compared ? [ratio(values, better)] : [])];
  });
  const words = compared
    ? ` A ratio is new divided by old; better or worse is said from ${NOTABLE * 100} % on.`
    : "";
  const head = ["", "unit", ...labels(results), ...(compared ? ["ratio"] : [])];
  return markup`
    ${table("Figures", head, rows, `numbers figures ${compared ? "compared" : ""}`)}
    <p class="note">${NONE} stands for what cannot be told: too few messages came back.${words}</p>
  `;
}

function ratio([old, now]: readonly (number | null)[], better?: 1 | -1): string {
  if (!isNumber(old) || !isNumber(now) || old === 0) return NONE;
  const change = now / old - 1;
  const verdict = better === undefined || Math.abs(change) < NOTABLE
    ? ""
    : change * better > 0
    ? "better"
    : "worse";
  return `${(now / old).toFixed(2)} ${verdict}`.trim();
}

/** How many errors of each kind. */
export function errors(results: readonly Result[]): Html {
  const kinds = union(results.map((result) => result.errors));
  if (kinds.length === 0) return markup`<p>None.</p>`;
  const rows = kinds.map((kind) => [kind, ...results.map((result) => number(result.errors[kind] ?? 0))]);
  return table("Errors", ["kind", ...labels(results)], rows, "numbers");
}

/** Target, options and the like; of two results, which of them differ. */
export function conditions(results: readonly Result[]): Html {
  const rows = [
    ["target", ...results.map((result) => result.target)],
    ["version of echo", ...results.map((result) => result.version)],
    ["started", ...results.map((result) => time(result.started))],
    ["duration", ...results.map((result) => length(result))],
    ...union(results.map((result) => result.options))
      .map((key) => [key.replaceAll("_", " "), ...results.map((result) => option(result.options[key]))]),
  ];
  if (results.length === 1) return table("How it was run", ["", "value"], rows);
  const marked = rows.map((row) => [...row, row[1] === row[2] ? "" : "differs"]);
  return table("How it was run", ["", "old", "new", ""], marked, "marked");
}

function table(
  title: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
  kind = "",
): Html {
  const body = rows.map(([name = "", ...cells]) =>
    markup`<tr><th scope="row">${name}</th>${cells.map((cell) => markup`<td>${cell}</td>`)}</tr>\n`
  );
  const heads = head.map((name) => name === "" ? markup`<td></td>` : markup`<th scope="col">${name}</th>`);
  // The box can be scrolled by keyboard too, so it takes the focus.
  return markup`
    <div class="box" role="region" aria-label="Table: ${title}" tabindex="0">
      <table class="${kind}">
        <thead>
          <tr>${heads}</tr>
        </thead>
        <tbody>${body}</tbody>
      </table>
    </div>
  `;
}

function union(records: readonly Readonly<Record<string, unknown>>[]): string[] {
  return [...new Set(records.flatMap((record) => Object.keys(record)))];
}

function errorCount(result: Result): number {
  return Object.values(result.errors).filter(isNumber).reduce((sum, count) => sum + count, 0);
}

function option(value: string | number | boolean | null | undefined): string {
  if (value === undefined || value === null) return NONE;
  return typeof value === "boolean" ? (value ? "yes" : "no") : String(value);
}

/** How long a run took. */
export function length({ duration_seconds }: Result): string {
  return `${number(duration_seconds)} s`;
}

/** A moment as it is read best, if it is one. */
export function time(iso: string): string {
  return String(iso).replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?Z$/, "$1 $2 UTC");
}

/** Four digits are more than a run is good for; from 1,000 on all digits before the point are shown. */
function number(value: unknown): string {
  if (!isNumber(value)) return NONE;
  const options = Math.abs(value) < 1000 ? { maximumSignificantDigits: 4 } : { maximumFractionDigits: 0 };
  return value.toLocaleString("en", options);
}

/** A file of results may have been edited: a number may be anything. */
function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
