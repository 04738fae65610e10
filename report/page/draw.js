// Runs in the browser, inside of the page that page.ts writes, after uPlot: draws the plots into their boxes.
// @ts-nocheck: it is a program for another world, which Deno's types do not describe.
(() => {
  "use strict";

  const plots = JSON.parse(document.getElementById("plots").textContent);
  const boxes = [...document.querySelectorAll(".plot")];
  const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 4 });
  const exact = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
  const FONT = "12px system-ui, sans-serif";

  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  /** Of 1, 10, 100, 1000: 0 %, 90 %, 99 %, 99.9 %; in between as many digits as tell it from 100 %. */
  const percentile = (x) => `${(100 - 100 / x).toFixed(Math.max(0, Math.ceil(Math.log10(x) - 2.0001)))} %`;

  /** Powers of ten from 1 on, every second one where the labels would touch. */
  function decades(plot, _axis, _min, max) {
    const all = Array.from({ length: Math.floor(Math.log10(max) + 1e-9) + 1 }, (_, k) => k);
    const step = plot.width / all.length < 62 ? 2 : 1;
    return all.filter((k) => k % step === 0).map((k) => 10 ** k);
  }

  const X = {
    percentile: {
      scale: {
        time: false,
        distr: 3,
        range: (_, _min, max) => [1, Math.max(100, max || 1)],
      },
      axis: { splits: decades, filter: (_, splits) => splits, values: (_, splits) => splits.map(percentile) },
      label: "percentile",
      value: percentile,
    },
    seconds: {
      scale: { time: false, range: (_, _min, max) => [0, Math.max(1, max || 1)] },
      axis: {
        incrs: [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400],
        values: (_, splits) => splits.map((x) => `${short.format(x)} s`),
      },
      label: "second",
      value: (x) => exact.format(x),
    },
  };

  /** Two results have points at different places: the cursor takes the nearest of each; a gap stays a gap. */
  function nearest(plot, line, at, reach) {
    const xs = plot.data[0];
    const ys = plot.data[line];
    const there = (i) => ys[i] !== undefined && Math.abs(xs[i] - xs[at]) <= reach;
    for (let distance = 0; distance < ys.length; distance++) {
      if (there(at - distance)) return at - distance;
      if (there(at + distance)) return at + distance;
    }
    return at;
  }

  function draw(box, { x, unit, reach, logarithmic, tables, lines }) {
    const marked = (_, splits) =>
      splits.map((y) => !logarithmic || Number.isInteger(Math.log10(y)) ? y : null);
    const plain = { stroke: color("--line"), width: 1 };
    const axis = {
      font: FONT,
      stroke: color("--soft"),
      grid: { ...plain, filter: marked },
      ticks: { ...plain, filter: marked },
    };
    const positive = (range) => range.map((y) => logarithmic && !(y > 0) ? null : y);
    const data = uPlot.join(tables.map(([xs, ...ys]) => [xs, ...ys.map(positive)]));
    return new uPlot(
      {
        width: box.clientWidth,
        height: Math.min(320, Math.max(220, box.clientWidth * 0.55)),
        padding: [12, 28, null, null],
        scales: {
          x: X[x].scale,
          y: logarithmic
            ? { distr: 3, range: (_, min, max) => uPlot.rangeLog(min, max, 10, true) }
            : { range: (_, _min, max) => max > 0 ? uPlot.rangeNum(0, max, 0.1, true) : [0, 1] },
        },
        axes: [
          { ...axis, grid: plain, ticks: plain, space: 60, ...X[x].axis },
          {
            ...axis,
            ...(logarithmic ? { filter: marked } : {}),
            values: (_, splits) => splits.map((y) => y === null ? "" : short.format(y)),
            size: (_, values) => 16 + 7.5 * Math.max(2, ...(values ?? []).map((value) => value.length)),
          },
        ],
        series: [
          { label: X[x].label, value: (_, at) => at === null ? "–" : X[x].value(at) },
          ...lines.map(({ name, color: number, dashed }) => ({
            label: name,
            stroke: color(`--line-${number}`),
            width: 2,
            dash: dashed ? [6, 4] : [],
            points: { size: 6, fill: color(`--line-${number}`) },
            value: (_, y) =>
              y === null || y === undefined ? "–" : `${exact.format(y)}${unit === "ms" ? " ms" : ""}`,
          })),
        ],
        cursor: {
          dataIdx: (plot, line, at) => nearest(plot, line, at, reach ?? Infinity),
          drag: { x: false, y: false },
          ...(x === "seconds" ? { sync: { key: "seconds" } } : {}),
        },
        legend: { markers: { dash: (_, line) => lines[line - 1]?.dashed ? "dashed" : "solid" } },
      },
      data,
      box,
    );
  }

  let drawn = [];
  function drawAll() {
    for (const plot of drawn) plot.destroy();
    drawn = plots.map((plot, i) => draw(boxes[i], plot));
  }

  // A canvas keeps its size and colours until it is drawn anew. A ResizeObserver would see what it draws itself.
  drawAll();
  addEventListener("resize", drawAll);
  for (const medium of ["print", "(prefers-color-scheme: dark)"]) {
    matchMedia(medium).addEventListener("change", drawAll);
  }
})();
