/** The ratios as one bar chart in SVG, by hand: bars on a logarithmic axis, readable on light and dark pages. */

import type { Measured } from "./report.ts";

/** Pixels. */
const WIDTH = 760;
const LEFT = 130;
const RIGHT = 70;
const ROW = 20;
const BAR = 12;
const TITLE = 30;
const TOP = 70;
const BOTTOM = 16;
/** Times as good, or as bad. */
const MOST = 16;

const STYLE = `
  .ground { fill: #fff } .text { fill: #1a1d21 } .soft { fill: #555c66 }
  .grid { stroke: #d9dde3 } .one { stroke: #1a1d21; stroke-width: 1.5 }
  .better { fill: #0b62c4 } .worse { fill: #c2570c }
  text { font: 13px system-ui, sans-serif } .title { font-weight: 600 } .small { font-size: 12px }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #14171a } .text { fill: #e8eaed } .soft { fill: #a5adb8 }
    .grid { stroke: #343a42 } .one { stroke: #e8eaed }
    .better { fill: #6cb0ff } .worse { fill: #ff9d57 }
  }
`;

/** A bar for each peer of each cell; to the right of 1, ours is better. */
export function chart(measured: readonly Measured[]): string {
  const groups = measured.map(({ cell, rows: [ours, ...peers] }) => {
    const memory = cell.work.kind === "memory";
    const given = cell.work.kind === "echo" && cell.work.rate !== undefined; // all are equally fast then
    const bars = given || ours === undefined ? [] : peers
      .map(({ contender: { name }, value }) => ({
        name,
        times: memory ? value / ours.value : ours.value / value,
      }))
      .filter(({ times }) => times > 0 && Number.isFinite(times));
    return { title: `${cell.title} (${memory ? "peer / ours" : "ours / peer"})`, bars };
  }).filter(({ bars }) => bars.length > 0);
  const all = groups.flatMap(({ bars }) => bars.map(({ times }) => clamp(times)));
  const low = Math.floor(Math.log2(Math.min(0.5, ...all)));
  const high = Math.ceil(Math.log2(Math.max(2, ...all)));
  const x = (times: number) => LEFT + (Math.log2(times) - low) / (high - low) * (WIDTH - LEFT - RIGHT);
  const height = TOP + BOTTOM + groups.reduce((sum, { bars }) => sum + TITLE + bars.length * ROW, 0);
  const parts = Array.from({ length: high - low + 1 }, (_, i) => grid(x(2 ** (low + i)), low + i, height));
  let y = TOP;
  for (const { title, bars } of groups) {
    parts.push(text(16, y + 20, "text title", title));
    y += TITLE;
    for (const { name, times } of bars) {
      parts.push(bar(name, times, x(1), x(clamp(times)), y));
      y += ROW;
    }
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" ` +
    `height="${height}" role="img">`,
    "<title>Ours beside its peers</title>",
    `<style>${STYLE}</style>`,
    `<rect class="ground" width="${WIDTH}" height="${height}"/>`,
    text(16, 26, "text title", "Ours beside its peers: to the right of 1, ours is better"),
    ...parts,
    "</svg>\n",
  ].join("\n");
}

/** The axis ends somewhere: what is beyond is told by its number. */
function clamp(times: number): number {
  return Math.min(Math.max(times, 1 / MOST), MOST);
}

function grid(at: number, exponent: number, height: number): string {
  const label = exponent < 0 ? `1/${2 ** -exponent}` : String(2 ** exponent);
  const line = `<line class="${exponent === 0 ? "one" : "grid"}" x1="${px(at)}" x2="${px(at)}" ` +
    `y1="${TOP - 8}" y2="${height - BOTTOM}"/>`;
  return line + text(at, TOP - 14, "soft small", label, "middle");
}

function bar(name: string, times: number, one: number, end: number, y: number): string {
  const middle = y + ROW / 2 + 4;
  const kind = times < 1 ? "worse" : "better";
  const rect = `<rect class="${kind}" x="${px(Math.min(one, end))}" y="${y + (ROW - BAR) / 2}" ` +
    `width="${px(Math.max(Math.abs(end - one), 1))}" height="${BAR}"/>`;
  // To the right of the bar in both cases: to the left of a short one it would hide the name.
  const value = text(Math.max(one, end) + 6, middle, "text small", show(times));
  return rect + value + text(LEFT - 8, middle, "soft", name, "end");
}

function text(x: number, y: number, kind: string, words: string, anchor = "start"): string {
  const escaped = words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${px(x)}" y="${y}" class="${kind}" text-anchor="${anchor}">${escaped}</text>`;
}

function show(times: number): string {
  return times < 0.1 ? times.toPrecision(1) : times.toFixed(times < 100 ? 2 : 0);
}

function px(n: number): string {
  return n.toFixed(1);
}
