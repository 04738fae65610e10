/**
 * The report as one HTML page: everything is in the file, and it asks the network for nothing. The plotting
 * library goes in as the text that its npm package has, by imports that need no permission, here or compiled;
 * Deno 2.7 takes them only with "raw-imports" in deno.json, newer ones without.
 */

import { createHash } from "node:crypto";
import uplotLicense from "uplot/license" with { type: "text" };
import uplotScript from "uplot/script" with { type: "text" };
import uplotStyle from "uplot/style" with { type: "text" };
import { type Html, json, markup, trusted } from "./page/html.ts";
import ownStyle from "./page/style.css" with { type: "text" };
import ownScript from "./page/draw.js" with { type: "text" };
import { type Plot, plots } from "./page/plots.ts";
import { conditions, errors, figures, headlines, label, length, time } from "./page/tables.ts";
import type { Result } from "../measure/result.ts";

const HINTS = markup`<p class="note hint">Point at a plot to read its values below it.</p>
<noscript><p>The plots are drawn by a script, which does not run here. The tables tell the same.</p></noscript>`;

/**
 * The page for one result, or for two on the same axes: the old one first, then the new one. Nothing in a
 * result is trusted: texts are escaped, and the page forbids itself every script and style but its own.
 */
export function page(results: readonly Result[]): string {
  // The license must go with each copy.
  const script = `/* uPlot:\n${uplotLicense}*/\n${uplotScript}\n${ownScript}`.replaceAll("\r", "");
  const style = `${uplotStyle}\n${ownStyle}`.replaceAll("\r", "");
  const newest = results.at(-1);
  if (newest === undefined) throw new TypeError("a page needs a result");
  const title = `echo bench ${newest.target}${results.length > 1 ? ", compared" : ""}`;
  const policy = `default-src 'none'; script-src '${hash(script)}'; style-src '${hash(style)}'; ` +
    "base-uri 'none'; form-action 'none'";
  const drawn = plots(results);
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${trusted(style)}</style>
</head>
<body>
<main>
<h1>echo bench <span>${newest.target}</span></h1>
<p class="about">${results.map((result, i) => about(result, label(results, i)))}</p>
<dl class="headlines">${headlines(results)}</dl>
${results.map((result, i) => warnings(result, label(results, i)))}
<h2>Plots</h2>
${drawn.length === 0 ? markup`<p>No message came back, so there is nothing to draw.</p>` : HINTS}
${drawn.map(figure)}
<h2>Figures</h2>
${figures(results)}
<h2>Errors</h2>
${errors(results)}
<h2>How it was run</h2>
${conditions(results)}
</main>
<footer>Made by echo ${newest.version}. Plots drawn with uPlot, © Leon Sorokin, MIT license.</footer>
<script type="application/json" id="plots">${json(drawn)}</script>
<script>${trusted(script)}</script>
</body>
</html>
`.text;
}

function hash(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}

function about(result: Result, name: string): Html {
  const prefix = name === "" ? "" : `${name}: `;
  return markup`
    <span>${prefix}${time(result.started)}, ${length(result)}, echo ${result.version}</span>
  `;
}

function warnings(result: Result, name: string): Html {
  if (result.warnings.length === 0) return markup``;
  const title = name === "" ? "Warnings" : `Warnings of the ${name} run`;
  return markup`
    <section class="warnings">
      <h2>${title}</h2>
      <ul>${result.warnings.map((warning) => markup`<li>${warning}</li>`)}</ul>
    </section>
  `;
}

/** The box that the script draws a plot into: the n-th plot of the data into the n-th box. A screen reader says its label. */
function figure({ title, note }: Plot): Html {
  return markup`
    <figure>
      <figcaption><strong>${title}</strong> ${note}</figcaption>
      <div class="plot" role="img" aria-label="Plot: ${title}. The tables below give the figures."></div>
    </figure>
  `;
}
