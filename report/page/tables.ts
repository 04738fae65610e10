/** The page's tables and the large figures above them. */

import { showDuration } from "../../base/units.ts";
import { comparison, verdict } from "../comparison.ts";
import {
  answeredBy,
  count,
  errorKinds,
  type Figure,
  FIGURES,
  figuresOf,
  finite,
  UNKNOWN,
  valueOf,
} from "../figures.ts";
import type { Result } from "../../measure/result.ts";
import { type Html, markup } from "./html.ts";

/** The figures in large type at the top. */
const HEADLINES = ["messages/s", "p50 ms", "p99 ms", "errors"];

/** The name of a result of two; empty for a single one. */
export function label(results: readonly Result[], i: number): string {
  return results.length === 1 ? "" : i === 0 ? "old" : "new";
}

function labels(results: readonly Result[]): string[] {
  return results.map((_, i) => label(results, i) || "value");
}

/** The figures in large type. */
export function headlines(results: readonly Result[]): Html[] {
  return FIGURES.filter(({ name }) => HEADLINES.includes(name)).map((row) => headline(results, row));
}

function headline(results: readonly Result[], row: Figure): Html {
  const [shown = "", old] = cells(results, row).reverse();
  const [name, unit = ""] = row.name.split(" ");
  const was = old === undefined ? "" : markup`
    <small>was ${old}</small>
  `;
  return markup`
    <div>
      <dt>${name!}</dt>
      <dd>${shown} <span>${shown === UNKNOWN ? "" : unit}</span>${was}</dd>
    </div>
  `;
}

function cells(results: readonly Result[], row: Figure): string[] {
  return results.map((result) => row.show(valueOf(row, result)));
}

/** The table of all figures; for two results with their ratio. */
export function figures(results: readonly Result[]): Html {
  const [old, now] = results as [Result, Result | undefined];
  const rows = figuresOf(results).map((row) => [
    row.title,
    ...cells(results, row),
    ...(now === undefined ? [] : [ratio(row, old, now)]),
  ]);
  const head = ["", ...labels(results), ...(now === undefined ? [] : ["ratio"])];
  return markup`
    ${now === undefined ? [] : comparison(old, now).map((sentence) => markup`<p>${sentence}</p>`)}
    ${table("Figures", head, rows, `numbers ${now === undefined ? "" : "compared"}`)}
    <p class="note">${UNKNOWN} stands for what cannot be told.${
    now === undefined ? "" : " A ratio is new divided by old."
  }</p>
  `;
}

function ratio(row: Figure, old: Result, now: Result): string {
  const [before, after] = [valueOf(row, old), valueOf(row, now)];
  if (row.better === undefined) return "";
  if (!before || after === null) return UNKNOWN;
  return `${(after / before).toFixed(2)} ${verdict(row, old, now) ?? ""}`.trim();
}

/** The table of errors, a row a kind. */
export function errors(results: readonly Result[]): Html {
  const kinds = errorKinds(results);
  if (kinds.length === 0) return markup`<p>None.</p>`;
  const rows = kinds.map((
    kind,
  ) => [kind, ...results.map((result) => count(finite(result.errors[kind] ?? 0)))]);
  return table("Errors", ["kind", ...labels(results)], rows, "numbers");
}

/** The table of target, options and the like; for two results it marks what differs. */
export function conditions(results: readonly Result[]): Html {
  const rows = [
    ["target", ...results.map((result) => `${result.target}${answeredBy(result)}`)],
    ["engine", ...results.map(({ engine }) => engine ?? UNKNOWN)],
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

function option(value: string | number | boolean | null | undefined): string {
  if (value === undefined || value === null) return UNKNOWN;
  return typeof value === "boolean" ? (value ? "yes" : "no") : String(value);
}

/** How long a run took, for a person. */
export function length({ duration_seconds }: Result): string {
  const seconds = finite(duration_seconds);
  return seconds === null ? UNKNOWN : showDuration(seconds * 1000);
}

/** `2026-01-31 12:00:00 UTC` for an ISO 8601 time in UTC; any other text as it is. */
export function time(iso: string): string {
  return String(iso).replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?Z$/, "$1 $2 UTC");
}
