/** The report's page, opened in a real browser, and read as text. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { page } from "../../report/page.ts";
import { plots } from "../../report/page/plots.ts";
import { report } from "../../report/text.ts";
import type { Result, Second } from "../../measure/result.ts";
import { Timeline } from "../../measure/timeline.ts";
import { Browser, FRAMES } from "../support/browser.ts";
import { has, noise } from "../support/helpers.ts";

const ignore = !has("chromium");

/** A run of so many seconds with a slow moment in its middle; `slower` makes another one of it. */
function result(seconds: number, slower = 1): Result {
  const random = noise(seconds * 2, 7);
  const timeline = Array.from({ length: seconds }, (_, i): Second => {
    const slow = slower * (i === seconds >> 1 ? 6 : 1 + random[2 * i]! / 1000);
    const messages_per_second = Math.round(118_000 / slow + 20 * random[2 * i + 1]!);
    return {
      at_seconds: i + 1,
      messages_per_second,
      bytes_per_second: messages_per_second * 64,
      p50_ms: 0.21 * slow,
      p99_ms: 0.9 * slow,
      max_ms: 4 * slow + random[i]! / 50,
      errors: i === seconds >> 1 ? 3 : 0,
    };
  });
  const messages = timeline.reduce((sum, { messages_per_second }) => sum + messages_per_second, 0);
  const shares = Array.from({ length: 46 }, (_, i) => 1 - 10 ** (-i / 8));
  const distribution = shares.map((share, i) =>
    [share, slower * (0.1 + 0.05 * i + (i > 24 ? i - 24 : 0))] as const
  );
  const at = (share: number) => distribution.find(([reached]) => reached >= share)![1];
  return {
    version: "0.1.0",
    target: "tcp://10.0.0.7:8890",
    engine: "deno",
    peers: ["127.0.0.1:8890"],
    retransmits: null,
    started: "2025-11-23T13:40:05.120Z",
    duration_seconds: seconds,
    options: {
      connections: 64,
      size_bytes: 64,
      rate_per_second: null,
      pipeline: 1,
      verify: true,
      workers: slower,
    },
    due: null,
    sent: messages + 2,
    received: messages,
    lost: 2,
    unfinished: 0,
    datagrams: null,
    messages,
    bytes: messages * 64,
    messages_per_second: messages / seconds,
    bytes_per_second: messages * 64 / seconds,
    send_delay_ms: null,
    client_cpu_percent: 98,
    latency_ms: {
      min: 0.05,
      mean: 0.31 * slower,
      p50: at(0.5),
      p90: at(0.9),
      p99: at(0.99),
      p99_9: at(0.999),
      max: slower * 25,
    },
    latency_distribution: [...distribution, [1, slower * 25]],
    timeline,
    errors: { timeout: 2, reset: 1 },
    warmup_errors: 1,
    warnings: ["the client's own CPU was full (98 %): a faster machine may measure more"],
  };
}

const NOTHING: Result = {
  ...result(1),
  duration_seconds: 0,
  messages: 0,
  bytes: 0,
  messages_per_second: 0,
  bytes_per_second: 0,
  latency_ms: { min: null, mean: null, p50: null, p90: null, p99: null, p99_9: null, max: null },
  latency_distribution: [],
  timeline: [],
  errors: { refused: 12 },
  warnings: [],
};

/** What runs if it is not escaped: in text, in an attribute, in a script. */
const ATTACK =
  `"'><img src=x onerror="document.title='hacked'"></script><script>document.title='hacked'</script>\u202e<!--`;

const HOSTILE = {
  ...result(3),
  version: ATTACK,
  target: ATTACK,
  started: ATTACK,
  duration_seconds: ATTACK,
  options: { [ATTACK]: ATTACK },
  messages: ATTACK,
  latency_ms: { ...result(3).latency_ms, p50: ATTACK },
  latency_distribution: [[0, ATTACK], [ATTACK, 1], [0.5, 2], [1, 3]],
  timeline: [{ ...result(1).timeline[0], at_seconds: ATTACK, p99_ms: ATTACK }, ...result(3).timeline],
  errors: { [ATTACK]: ATTACK, timeout: 1 },
  warnings: [ATTACK],
} as unknown as Result;

/** Each page, and how many plots it should have. */
const PAGES: Readonly<Record<string, readonly [number, ...Result[]]>> = {
  "one result": [4, result(30)],
  "two results": [6, result(20, 1.4), { ...result(30), errors: {} }],
  "one second": [4, result(1)],
  "eight minutes, and lost messages": [4, {
    ...result(120),
    timeline: result(120).timeline.map((second) => ({ ...second, at_seconds: 4 * second.at_seconds })),
    latency_ms: { ...result(120).latency_ms, p99: null, p99_9: null, max: null },
    latency_distribution: result(120).latency_distribution.filter(([share]) => share < 0.98),
  }],
  "no message": [0, NOTHING],
  "no message, compared": [6, result(10), NOTHING],
  "hostile": [6, HOSTILE, result(3)],
};

Deno.test("the page reads in a browser, wide and narrow, light and dark", { ignore }, async () => {
  await using browser = await Browser.start();
  const shots = Deno.env.get("ECHO_SCREENSHOTS"); // a folder, to look at the pages oneself
  for (const [name, [plots, ...results]] of Object.entries(PAGES)) {
    const file = `${browser.folder}/page.html`;
    await Deno.writeTextFile(file, page(results));
    const grounds = new Set<string>();
    for (const [width, scheme] of [[1280, "light"], [1280, "dark"], [400, "light"], [400, "dark"]] as const) {
      const where = `${name}, ${width} px, ${scheme}`;
      const look = await browser.show(file, width, scheme);
      assertEquals(browser.complaints, [], where);
      assertEquals(look.plots.length, plots, where);
      assert(look.plots.every((colors) => colors > 20), `${where}: an empty plot in ${look.plots}`);
      assert(look.overflow <= 0, `${where}: ${look.overflow} px wider than the window`);
      assertEquals([look.scripts, look.images], [2, 0], where);
      assert(look.title.startsWith("echo bench "), look.title);
      grounds.add(look.ground);
      if (shots !== undefined) {
        const png = `${name.replaceAll(/\W+/g, "-")}-${width}-${scheme}.png`;
        await Deno.writeFile(`${shots}/${png}`, await browser.screenshot());
      }
    }
    assertEquals(grounds.size, 2, `${name}: light is as dark`);
  }
});

Deno.test("the plots follow the width of the window, and nothing complains", { ignore }, async () => {
  await using browser = await Browser.start();
  const file = `${browser.folder}/page.html`;
  await Deno.writeTextFile(file, page([result(20, 2), result(30)]));
  await browser.show(file, 1280, "light");
  const widths = "[...document.querySelectorAll('.plot')].map((box) => [box, box.querySelector('canvas')]" +
    ".map(({ clientWidth }) => clientWidth))";
  for (const width of [400, 900, 330]) {
    await browser.resize(width);
    for (const [box, canvas] of await browser.evaluate(`${FRAMES}.then(() => ${widths})`) as number[][]) {
      assert(box! < width, `a box of ${box} px in a window of ${width}`);
      assertEquals(canvas, box);
    }
  }
  assertEquals(browser.complaints, []);
});

Deno.test("what is pointed at is read below all plots over time", { ignore }, async () => {
  await using browser = await Browser.start();
  const file = `${browser.folder}/page.html`;
  await Deno.writeTextFile(file, page([result(20, 2), result(30)]));
  await browser.show(file, 1280, "light");
  const box = `(() => {
    const plot = document.querySelectorAll(".u-over")[1];
    plot.scrollIntoView({ block: "center" });
    const { x, y, width, height } = plot.getBoundingClientRect();
    return { x: x + width * 2 / 3, y: y + height / 2 };
  })()`;
  const point = await browser.evaluate(box) as { x: number; y: number };
  await browser.call("Input.dispatchMouseEvent", { type: "mouseMoved", ...point });
  const legends = "[...document.querySelectorAll('.u-legend')].map((legend) => legend.textContent)";
  const [distribution, p50, p99] = await browser.evaluate(`${FRAMES}.then(() => ${legends})`) as [
    string,
    string,
    string,
  ];
  assertMatch(distribution, /^percentile–/);
  assertMatch(p50, /^second20p50, old[\d.]+ msp50, new[\d.]+ ms$/);
  assertMatch(p99, /^second20p99, old[\d.]+ msp99, new[\d.]+ ms$/);
});

Deno.test("a script that got into the page would not run", { ignore }, async () => {
  await using browser = await Browser.start();
  const file = `${browser.folder}/page.html`;
  const attack =
    "<script>document.title = 'hacked'</script><img src=x onerror=\"document.title = 'hacked'\">";
  await Deno.writeTextFile(file, page([result(3)]).replace("<h1>", () => `${attack}<h1>`));
  const look = await browser.show(file, 1280, "light");
  assertEquals([look.title, look.plots.length], ["echo bench tcp://10.0.0.7:8890", 4]);
  assert(browser.complaints.length >= 2);
  for (const complaint of browser.complaints) assertStringIncludes(complaint, "Content Security Policy");
});

Deno.test("nothing in a result becomes a tag or a script of the page", () => {
  const text = page([HOSTILE, HOSTILE]);
  assertEquals(text.match(/<script/g)?.length, 2);
  assert(!/<img|\u202e/.test(text));
  assertStringIncludes(text, "&lt;img src=x");
  assertStringIncludes(text, "default-src &#39;none&#39;; script-src &#39;sha256-");
});

/** The same run, made on four workers instead of one. */
function onFourWorkers(one: Result): Result {
  return { ...one, options: { ...one.options, workers: 4 } };
}

/** The same run, `factor` times as slow in every interval. */
function slowed(one: Result, factor: number): Result {
  const slow = (ms: number | null) => ms === null ? null : ms * factor;
  return {
    ...one,
    messages_per_second: one.messages_per_second / factor,
    latency_ms: { ...one.latency_ms, p50: slow(one.latency_ms.p50), p99: slow(one.latency_ms.p99) },
    timeline: one.timeline.map((second) => ({
      ...second,
      messages_per_second: second.messages_per_second / factor,
      p50_ms: slow(second.p50_ms),
      p99_ms: slow(second.p99_ms),
    })),
  };
}

/** A run without a slow moment. */
function even(): Result {
  const one = result(10);
  return { ...one, timeline: one.timeline.map(() => one.timeline[0]!) };
}

const TEXT = (...results: Result[]) => report(results, [], 400);

Deno.test("two runs are called better or worse where every second says so, and by half at least", () => {
  const slow = slowed(even(), 2);
  const faster = /\nBetter: messages\/s, p50 ms\.\nThat is one run each: repeat both, in turns, before/;
  assertMatch(TEXT(slow, even()), faster);
  assertMatch(TEXT(even(), slow), /\nWorse: messages\/s, p50 ms\.\n/);
  const text = page([slow, even()]);
  assertStringIncludes(text, '<th scope="col">ratio</th>');
  assertMatch(text, /latency, p50, ms<\/th>.*0\.50 better<\/td><\/tr>/);
  assertMatch(text, /messages per second<\/th>.*2\.00 better<\/td><\/tr>/);
  assertStringIncludes(text, "Better: messages/s, p50 ms.");
  assert(
    !text.includes("NaN") || text.indexOf("NaN") > text.indexOf("var uPlot"),
    "a figure is not a number",
  );
});

Deno.test("two runs that differ by what runs of the same thing differ by are called neither better nor worse", () => {
  const overlapping = { ...slowed(even(), 2), timeline: [...even().timeline, ...slowed(even(), 2).timeline] };
  for (
    const other of [even(), slowed(even(), 1.05), slowed(even(), 1.45), overlapping, slowed(result(2), 2)]
  ) {
    for (const pair of [[even(), other], [other, even()]]) {
      assertMatch(
        TEXT(...pair),
        /\nNo clear difference: messages\/s or p50 would have to change by a factor of 1\.5, and in every/,
      );
      const text = page(pair);
      assertStringIncludes(text, "No clear difference: messages/s or p50");
      assert(!/\d (better|worse)</.test(text), "there is a verdict in the table");
    }
  }
});

Deno.test("two runs that were not made alike get no verdict, and are told to differ", () => {
  const [old, now] = [onFourWorkers(slowed(even(), 3)), even()];
  const words = "The runs were not made alike, so none is called better. They differ in workers (4, now 1).";
  assertStringIncludes(TEXT(old, now), `\n${words}\n`);
  const text = page([old, now]);
  assertStringIncludes(text, words);
  assert(!/\d (better|worse)</.test(text), "there is a verdict in the table");
  assertMatch(text, /workers<\/th><td>4<\/td><td>1<\/td><td>differs<\/td>/);
});

Deno.test("a point of the page says how many seconds it stands for, and errors are those of one second", () => {
  const notes = (one: Result) => [...page([one]).matchAll(/Each point is [^<.]*/g)].map(([note]) => note);
  assertEquals(new Set(notes(result(120))), new Set(["Each point is one second of the run"]));
  const short = { ...result(1), timeline: [{ ...result(1).timeline[0]!, at_seconds: 0.3 }] };
  assertStringIncludes(page([short]), "The point is the whole run.");
  const timeline = new Timeline();
  for (let second = 1; second <= 300; second++) {
    timeline.record(1);
    timeline.error(8);
    timeline.advance(second);
  }
  timeline.finish(300);
  const long = { ...result(1), timeline: timeline.seconds(64) };
  assertEquals(new Set(notes(long)), new Set(["Each point is 2 to 4 seconds of the run"]));
  const [errors] = plots([long]).filter(({ title }) => title === "Errors over time, per second");
  assertEquals(new Set(errors!.tables[0]![1]), new Set([8]));
});

Deno.test("the text, the page and the JSON say the same, whatever the unit", () => {
  const one = { ...result(10), bytes_per_second: 1_532_000, due: 20_000, send_delay_ms: null, lost: 17 };
  const [text, html] = [TEXT(one), page([one])];
  for (
    const [name, title, value] of [
      ["due", "messages due by the clock", "20,000"],
      ["lost", "messages lost", "17"],
      ["data/s", "data each way per second", "1.5 MB"],
      ["p50 ms", "latency, p50, ms", one.latency_ms.p50!.toFixed(3)],
      ["client CPU", "processor time of the client; 100 % is one core", "98 %"],
    ]
  ) {
    assertMatch(text, new RegExp(`\n  ${name} +${value}\n`));
    assertStringIncludes(html, `<th scope="row">${title}</th><td>${value}</td>`);
  }
});
