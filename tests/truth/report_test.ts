/** What bench says of one run adds up, and is the same in its text, its JSON, its page and its .hlog. */

import { assert, assertAlmostEquals, assertEquals, assertMatch } from "@std/assert";
import { inflateSync } from "node:zlib";
import { figuresOf, valueOf } from "../../report/figures.ts";
import { report } from "../../report/text.ts";
import type { Result } from "../../measure/result.ts";
import { mangled } from "../support/client_process.ts";
import { ECHO, has, onEngine, peer, run } from "../support/helpers.ts";
import { SCRIPT, Terminal } from "../support/terminal.ts";

const echo = mangled((piece) => piece);
const decoded = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** An interval of a .hlog: how many latencies of each value, in nanoseconds, ascending. */
interface Logged {
  readonly from: number;
  readonly lasts: number;
  readonly maxMs: number;
  readonly counts: readonly (readonly [ns: number, n: number])[];
}

/** Reads a .hlog as HdrHistogram's description of the format 1.3 has it, without the library that wrote it. */
function readLog(text: string): Logged[] {
  const lines = text.trimEnd().split("\n").filter((line) => !line.startsWith("#"));
  assertEquals(lines[0], '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"');
  return lines.slice(1).map((line) => {
    const [from, lasts, maxMs, base64 = ""] = line.split(",");
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    return { from: Number(from), lasts: Number(lasts), maxMs: Number(maxMs), counts: readHistogram(bytes) };
  });
}

/** The compressed encoding V2: a header, then zlib of a header and of the counts, in ZigZag LEB128. */
function readHistogram(compressed: Uint8Array): (readonly [ns: number, n: number])[] {
  const outer = new DataView(compressed.buffer, compressed.byteOffset);
  assertEquals(outer.getUint32(0) & ~0xf0, 0x1c849304);
  assertEquals(outer.getUint32(4), compressed.length - 8);
  const inner = new Uint8Array(inflateSync(compressed.subarray(8)));
  const view = new DataView(inner.buffer, inner.byteOffset);
  assertEquals(view.getUint32(0) & ~0xf0, 0x1c849303);
  const [offset, digits, ratio] = [view.getUint32(8), view.getUint32(12), view.getFloat64(32)];
  assertEquals([offset, digits, view.getBigInt64(16), ratio], [0, 3, 1n, 1]);
  const end = 40 + view.getUint32(4);
  // Three digits: steps of one up to 2048, then of two for as many again as the upper half holds, and so on.
  const half = 1024;
  const counts: (readonly [number, number])[] = [];
  let index = 0;
  for (let at = 40; at < end;) {
    let number = 0n;
    for (let shift = 0n, more = true; more; shift += 7n) {
      const byte = inner[at++]!;
      // The ninth byte holds eight bits, and is the last.
      number |= BigInt(shift === 56n ? byte : byte & 0x7f) << shift;
      more = shift < 56n && byte >= 0x80;
    }
    const n = Number((number >> 1n) ^ -(number & 1n));
    if (n < 0) index -= n; // so many zeros
    else {
      const bucket = Math.max(0, Math.floor(index / half) - 1);
      const step = 2 ** bucket;
      const greatest = (index - bucket * half) * step + step - 1; // of the values that count as this one
      if (n > 0) counts.push([greatest, n]);
      index++;
    }
  }
  return counts;
}

/** Within how many milliseconds the share of `all` came back. */
function within(counts: Logged["counts"], share: number, all: number): number {
  let n = 0;
  for (const [ns, more] of counts) if ((n += more) >= share * all - 1e-6) return ns / 1e6;
  throw new Error(`${n} of ${all} latencies`);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, n) => all + n, 0);
}

/** To the digits that are kept: a thousandth, and half a microsecond. */
function close(a: number | null, b: number, what: string): void {
  assertAlmostEquals(a!, b, 0.0006 + Math.abs(b) * 0.0011, what);
}

/** Every sum that the keys of one JSON object promise. */
function addsUp(result: Result): void {
  const { sent, received, lost, unfinished, messages, errors, timeline, duration_seconds } = result;
  const size = Number(result.options["size_bytes"]);
  assertEquals(sent, received + lost + unfinished);
  assertEquals([messages, result.bytes], [received, messages * size]);
  assertAlmostEquals(result.messages_per_second, messages / duration_seconds, 0.001);
  assertAlmostEquals(result.bytes_per_second, result.messages_per_second * size, 0.001 * size);
  assertAlmostEquals(timeline.at(-1)!.at_seconds, duration_seconds, 0.001);
  const lasts = timeline.map(({ at_seconds }, i) => at_seconds - (timeline[i - 1]?.at_seconds ?? 0));
  const inTimeline = (get: (second: Result["timeline"][number]) => number) =>
    sum(timeline.map((second, i) => get(second) * lasts[i]!));
  assertAlmostEquals(inTimeline((second) => second.messages_per_second), messages, 0.5);
  assertAlmostEquals(inTimeline((second) => second.bytes_per_second), result.bytes, 0.5 * size);
  assertEquals(
    sum(timeline.map((second) => second.errors)),
    sum(Object.values(errors)) - result.warmup_errors,
  );
  const { min, mean, p50, p90, p99, p99_9, max } = result.latency_ms;
  const order = [min, p50, p90, p99, p99_9, max].filter((ms) => ms !== null);
  assertEquals(order, order.toSorted((a, b) => a - b));
  assert(mean! >= min! && (max === null || mean! <= max), `mean ${mean}`);
  assertAlmostEquals(result.latency_distribution.at(-1)![0], received / sent, 1e-9);
}

/** The page's table of figures: each title and its cell. */
function pageFigures(html: string): Map<string, string> {
  const table = /aria-label="Table: Figures"[^]*?<\/table>/.exec(html)![0];
  return new Map([...table.matchAll(/<th scope="row">([^<]*)<\/th><td>([^<]*)<\/td>/g)]
    .map(([, title, value]) => [title!, value!]));
}

/** What the .hlog says, by another reader, is what the JSON says. */
function agrees(result: Result, log: Logged[]): void {
  assertEquals(log.length, result.timeline.length);
  result.timeline.forEach(({ at_seconds, messages_per_second, p50_ms, p99_ms, max_ms }, i) => {
    const { from, lasts, maxMs, counts } = log[i]!;
    const n = sum(counts.map(([, n]) => n));
    assertAlmostEquals(from + lasts, at_seconds, 0.0011);
    assertAlmostEquals(
      n,
      messages_per_second * (at_seconds - (result.timeline[i - 1]?.at_seconds ?? 0)),
      0.5,
    );
    if (p50_ms !== null) close(p50_ms, within(counts, 0.5, n), "p50 of an interval");
    if (p99_ms !== null) close(p99_ms, within(counts, 0.99, n), "p99 of an interval");
    if (max_ms !== null) close(max_ms, counts.at(-1)![0] / 1e6, "max of an interval");
    close(max_ms ?? 0, maxMs, "the maximum that is written in clear");
  });
  const counts = log.flatMap((interval) => interval.counts).toSorted(([a], [b]) => a - b);
  assertEquals(sum(counts.map(([, n]) => n)), result.messages);
  const { min, mean, p50, p90, p99, p99_9, max } = result.latency_ms;
  close(min, counts[0]![0] / 1e6, "min");
  close(mean, sum(counts.map(([ns, n]) => ns * n)) / result.messages / 1e6, "mean");
  for (const [share, ms] of [[0.5, p50], [0.9, p90], [0.99, p99], [0.999, p99_9], [1, max]] as const) {
    if (ms !== null) close(ms, within(counts, share, result.sent), `the share ${share}`);
  }
}

/** One run with all files, as JSON or as text. */
async function measured(words: string[], format: "--json" | "text") {
  const folder = Deno.makeTempDirSync();
  try {
    const files = ["--hdr", `${folder}/a.hlog`, "--report", `${folder}/a.html`];
    const more = format === "text" ? [] : [format];
    const { code, stdout, stderr } = await run(["bench", ...words, ...files, ...more]);
    assertEquals(stderr, "");
    return {
      code,
      stdout: decoded(stdout),
      log: readLog(Deno.readTextFileSync(`${folder}/a.hlog`)),
      page: pageFigures(Deno.readTextFileSync(`${folder}/a.html`)),
    };
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

const SHAPES = ["-c 3 -d 1200ms", "-c 2 -d 1s --rate 700", "-n 30", "-s 20k -c 2 --pipeline 3 -d 700ms"];

Deno.test("the JSON of a run adds up; its page and its .hlog, by a second reader, say the same", async () => {
  using server = peer(echo);
  const runs = SHAPES.map((shape) => measured([`:${server.port}`, ...shape.split(" ")], "--json"));
  for (const { code, stdout, log, page } of await Promise.all(runs)) {
    assertEquals(code, 0, stdout);
    const result: Result = JSON.parse(stdout);
    addsUp(result);
    agrees(result, log);
    for (const row of figuresOf([result])) assertEquals(page.get(row.title), row.show(valueOf(row, result)));
  }
});

Deno.test("the text of a run says what its page and its .hlog say", async () => {
  using server = peer(echo);
  const { stdout, log, page } = await measured([`:${server.port}`, "-c", "2", "-d", "1s"], "text");
  const cells = new Map(
    [...stdout.matchAll(/^ {2}(\S.*?) {2,}(\S.*)$/gm)].map(([, name, cell]) => [name, cell]),
  );
  // Whatever the row is called in the page, its figure is there, and all of the page's are in the text.
  assertEquals([...page.values()], [...cells.values()].slice(0, page.size));
  const counts = log.flatMap((interval) => interval.counts).toSorted(([a], [b]) => a - b);
  const n = sum(counts.map(([, n]) => n));
  assertEquals(cells.get("messages"), n.toLocaleString("en"));
  const p50 = within(counts, 0.5, n);
  assertAlmostEquals(Number(cells.get("p50 ms")), p50, 0.001 + p50 * 0.006); // of three digits
});

Deno.test("lost messages: the percentiles that they could move are unknown, in JSON, text and page", async () => {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port } = socket.addr as Deno.NetAddr;
  (async () => {
    let i = 0;
    for await (const [bytes, from] of socket) if (++i % 50 !== 0) await socket.send(bytes, from);
  })().catch(() => {}); // it is closed at the end of the test
  const words = [`udp://127.0.0.1:${port}`, "-n", "1000", "--timeout", "500ms", "--pipeline", "32"];
  const json = await measured(words, "--json");
  const text = await measured(words, "text");
  socket.close();
  const result: Result = JSON.parse(json.stdout);
  assertEquals([json.code, result.sent, result.received, result.lost], [1, 1000, 980, 20]);
  addsUp(result);
  agrees(result, json.log);
  const { p50, p90, p99, p99_9, max } = result.latency_ms;
  assertEquals([p50 === null, p90 === null, p99, p99_9, max], [false, false, null, null, null]);
  const why = "of 1,000 messages, 20 were lost: p99, p99.9, max cannot be known; ";
  assert(result.warnings.some((warning) => warning.startsWith(why)), result.warnings.join("\n"));
  assertEquals(["p50", "p99", "p99.9", "max"].map((name) => json.page.get(`latency, ${name}, ms`) === "-"), [
    false,
    true,
    true,
    true,
  ]);
  assertMatch(text.stdout, /\n {2}p99 ms +-\n {2}p99\.9 ms +-\n {2}max ms +-\n/);
  assertMatch(text.stdout, /\n {2}not back +2\.0 % █/);
  assert(text.stdout.replaceAll(/\n? {2,}/g, " ").includes(`warning: ${why}`), text.stdout);
});

Deno.test("--compare takes a file of a version that did not count what was sent and lost", async () => {
  using server = peer(echo);
  const file = Deno.makeTempFileSync();
  try {
    const { stdout } = await run(["bench", `:${server.port}`, "-n", "200", "--json"]);
    const old = JSON.parse(decoded(stdout));
    const added = ["due", "sent", "received", "lost", "unfinished", "send_delay_ms", "client_cpu_percent"];
    for (const key of [...added, "warmup_errors"]) delete old[key];
    delete old.options.seed;
    Deno.writeTextFileSync(file, JSON.stringify(old));
    const now = await measured([`:${server.port}`, "-n", "200", "--compare", file], "text");
    assertEquals(now.code, 0);
    assertMatch(now.stdout, /\n {2}messages +200 +200\n/);
    assertMatch(now.stdout, /\n {2}sent +- +200\n {2}lost +- +0\n/);
    assert(!/differ in|undefined|NaN/.test(now.stdout), now.stdout);
  } finally {
    Deno.removeSync(file);
  }
});

Deno.test("--compare refuses a file that a report could not be made of, before anything is opened", async () => {
  const file = Deno.makeTempFileSync();
  try {
    const broken = [{ latency_distribution: [null] }, { latency_distribution: [[0.5, "fast"]] }, {
      timeline: [3],
    }, { warnings: [{}] }];
    for (const change of broken) {
      Deno.writeTextFileSync(file, JSON.stringify({ ...wide(), ...change }));
      const { code, stderr } = await run(["bench", "127.0.0.1:1", "--compare", file]);
      assertEquals([code, stderr], [
        2,
        `echo: ${JSON.stringify(file)} is not what echo bench --json writes\n`,
      ]);
    }
  } finally {
    Deno.removeSync(file);
  }
});

/** A result with all that makes lines long. */
function wide(): Result {
  return {
    version: "0.1.0",
    target: "tcp://[2001:db8::1234:5678]:8890",
    engine: "deno",
    peers: ["127.0.0.1:8890"],
    retransmits: null,
    started: "2026-11-24T13:40:05.120Z",
    duration_seconds: 3600,
    options: { connections: 10_000, size_bytes: 1_048_576, rate_per_second: null, pipeline: 100 },
    due: 1_000_000,
    sent: 1_000_000,
    received: 999_000,
    lost: 900,
    unfinished: 100,
    datagrams: null,
    messages: 999_000,
    bytes: 1e12,
    messages_per_second: 999_000.5,
    bytes_per_second: 123_456_789,
    send_delay_ms: { p50: 0.01, p99: 1234.5, max: 9999.9 },
    client_cpu_percent: 6400,
    latency_ms: { min: 0.02, mean: 12.3, p50: 12.3, p90: 1234.5, p99: null, p99_9: null, max: 9999.9 },
    latency_distribution: [[0, 0.02], [0.5, 12.3], [0.9, 1234.5], [0.999, 9999.9]],
    timeline: [],
    errors: { timeout: 900, refused: 12_345 },
    warmup_errors: 0,
    warnings: [
      "the client's own CPU was full (98 % of its threads): the server may be faster; try more --workers",
    ],
  };
}

Deno.test("no line of a report is wider than 80 columns, nor than the terminal from 40 columns on", () => {
  const notes = [
    "the first timeout: no reply within 5 s from tcp://[2001:db8::1234:5678]:8890 on connection 17",
  ];
  const slower = { ...wide(), messages_per_second: 1, options: { ...wide().options, connections: 1 } };
  for (const results of [[wide()], [wide(), slower]]) {
    for (const width of [40, 57, 80]) {
      const lines = report(results, notes, width).trimEnd().split("\n");
      assertEquals(lines.filter((line) => line.length > width), [], `${width} columns`);
    }
  }
});

Deno.test({
  name: "a report on a terminal is as wide as the terminal, and at most 80 columns",
  ignore: !has("tmux"),
  async fn() {
    using server = peer(echo);
    const words = ["bench", `:${server.port}`, "-n", "200"];
    for (const [columns, most] of [[40, 40], [100, 80]] as const) {
      await using terminal = await Terminal.run(
        [...ECHO.filter((word) => word !== "serve"), ...onEngine(words)],
        `stty cols ${columns}; ${SCRIPT}`,
      );
      assertEquals(await terminal.exit(), 0);
      const lines = (await terminal.screen()).split("\n").filter((line) => !line.startsWith("["));
      assertEquals(Math.max(...lines.map((line) => line.length)) <= most, true, lines.join("\n"));
      assert(lines.some((line) => line.length > most - 12), lines.join("\n"));
    }
  },
});
