import { fileURLToPath } from "node:url";
import { assert, assertAlmostEquals, assertEquals, assertMatch } from "@std/assert";
import { HistogramLogReader } from "hdr-histogram-js";
import { Messages, randomBlock } from "../../probe/messages.ts";
import { chart } from "../../report/chart.ts";
import { Latencies } from "../../measure/histogram.ts";
import { hlog } from "../../report/hlog.ts";
import type { Result, Second } from "../../measure/result.ts";
import { Timeline } from "../../measure/timeline.ts";
import { warnings } from "../../measure/warnings.ts";

Deno.test("the stream is the same for the same seed, differs between connections, and does not repeat soon", () => {
  const block = randomBlock(7);
  assertEquals(randomBlock(7, 64), block.subarray(0, 64));
  assert(randomBlock(8, 64).some((byte, i) => byte !== block[i]));
  const stream = new Messages(block, 0);
  const other = new Messages(block, 1);
  const start = stream.message(0, 64);
  assert(other.matching(start, 64, 0) < 8);
  for (let lap = 1; lap < 100; lap++) assert(stream.matching(start, 64, lap * (block.length / 2)) < 8);
});

Deno.test("a message that crosses the end of a lap is one piece, and is found right", () => {
  const stream = new Messages(randomBlock(1), 3);
  for (const size of [64, 1000, 1 << 20]) {
    const offset = (1 << 19) - 10;
    const message = stream.message(offset, size);
    assertEquals(message.length, size);
    assertEquals(stream.matching(message, size, offset), size);
    message[size - 1]! ^= 1;
    assertEquals(stream.matching(message, size, offset), size - 1);
  }
});

Deno.test("a percentile needs enough latencies to say more than the greatest", () => {
  const latencies = new Latencies();
  assertEquals(latencies.summary().p50, null);
  for (let i = 1; i <= 99; i++) latencies.record(i);
  assertEquals([latencies.at(0.99), latencies.at(0.9) === null], [null, false]);
  latencies.record(100);
  assertAlmostEquals(latencies.at(0.99)!, 99, 0.1);
  assertEquals(latencies.at(0.999), null);
  const { min, mean, p50, max } = latencies.summary();
  for (const [is, expected] of [[min, 1], [mean, 50.5], [p50, 50], [max, 100]]) {
    assertAlmostEquals(is!, expected!, 0.1);
  }
});

Deno.test("messages that did not come back count as the slowest: what they would decide is not known", () => {
  const latencies = new Latencies();
  for (let i = 1; i <= 980; i++) latencies.record(i);
  const { min, p50, p90, p99, p99_9, max } = latencies.summary(20);
  assertEquals([min, p99, p99_9, max], [1, null, null, null]);
  // Half of the 1000 that were sent came back within 500 ms; of the 980 that came back, within 490.
  assertAlmostEquals(p50!, 500, 0.5);
  assertAlmostEquals(p90!, 900, 0.9);
  assertEquals(latencies.distribution(20).at(-1), [0.98, 980]);
  // 99 % came back, the last of them after 980 ms.
  for (let i = 0; i < 10; i++) latencies.record(0.5);
  assertEquals([latencies.at(0.99, 10), latencies.at(0.991, 10)], [980, null]);
});

Deno.test("of one latency, the least, the mean and the greatest are the same, to the microsecond", () => {
  for (const ms of [0.0489512, 0.4898500000000041, 3.0004, 1234.5678]) {
    const latencies = new Latencies();
    latencies.record(ms);
    const { min, mean, max } = latencies.summary();
    const known = Number(ms.toFixed(3));
    assertEquals([min, mean, max, latencies.distribution().at(-1)![1]], [known, known, known, known]);
  }
});

Deno.test("the distribution rises from the least to the greatest", () => {
  const latencies = new Latencies();
  for (let i = 1; i <= 10_000; i++) latencies.record(i / 10);
  const points = latencies.distribution();
  assertEquals([points[0]![0], points.at(-1)![0]], [0, 1]);
  assert(points.every(([share, ms], i) => i === 0 || share > points[i - 1]![0] && ms >= points[i - 1]![1]));
  const [, median] = points.find(([share]) => share === 0.5)!;
  assertAlmostEquals(median, 500, 1);
});

Deno.test("a timeline of any length keeps every message in few intervals", () => {
  const timeline = new Timeline();
  const seconds = 1000;
  for (let second = 0; second < seconds; second++) {
    for (let i = 0; i < 3; i++) timeline.record(second + 1);
    if (second % 100 === 0) timeline.error(2);
    timeline.advance(second + 1);
  }
  timeline.finish(seconds + 0.5);
  const { intervals } = timeline;
  assert(intervals.length <= 120, `${intervals.length}`);
  assertEquals(intervals.reduce((sum, { messages }) => sum + messages, 0), 3 * seconds);
  assertEquals(intervals.reduce((sum, { errors }) => sum + errors, 0), 20);
  assertEquals(timeline.all.count, 3 * seconds);
  assert(intervals.every(({ from, to }, i) => from < to && from === (intervals[i - 1]?.to ?? 0)));
  assertEquals(timeline.seconds(64).at(-1)!.at_seconds, seconds + 0.5);
});

Deno.test("what is reported after the end counts, and no interval is too short for a rate", () => {
  for (const end of [2, 2.001, 1.9]) {
    const timeline = new Timeline();
    for (let i = 0; i < 1000; i++) timeline.record(1);
    timeline.advance(1);
    for (let i = 0; i < 900; i++) timeline.record(2);
    timeline.advance(2.1); // a slow report of one thread
    for (let i = 0; i < 100; i++) timeline.record(3);
    timeline.error(1);
    timeline.finish(end);
    assertEquals(timeline.intervals.map(({ messages, errors }) => [messages, errors]), [[1000, 0], [
      1000,
      1,
    ]]);
    assertEquals([timeline.all.count, timeline.all.maxMs], [2000, timeline.intervals[1]!.max]);
    assert(timeline.seconds(64).every(({ messages_per_second: n }) => Math.abs(n - 1000) <= 1), `${end}`);
  }
});

Deno.test("a timeline may end at any time", () => {
  for (const end of [0.25, 1.25, 118.75, 119.25, 119.75, 120, 120.25, 121.5, 239.5, 241]) {
    const timeline = new Timeline();
    const whole = Math.floor(end);
    for (let second = 1; second <= whole; second++) {
      timeline.error(1);
      timeline.advance(second);
    }
    timeline.finish(end);
    const { intervals } = timeline;
    assertEquals(intervals.reduce((sum, { errors }) => sum + errors, 0), whole, `${end}`);
    assertEquals(intervals.at(-1)!.to, end);
    assert(intervals.length <= 120 && intervals.every(({ from, to }) => from < to), `${end}`);
  }
});

Deno.test("the memory of a timeline of an hour is that of its first minute, to 10 MB", async () => {
  const script = fileURLToPath(new URL("./hour.ts", import.meta.url));
  const args = ["run", "--no-prompt", "--v8-flags=--max-semi-space-size=2", script];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  const { count, grown } = JSON.parse(new TextDecoder().decode(stdout));
  assertEquals(count, 3_600_000);
  assert(grown < 10e6, `${grown} bytes`);
});

Deno.test("the .hlog is read back by the library, and its intervals add up to the whole", () => {
  const timeline = new Timeline();
  for (let i = 1; i <= 500; i++) {
    timeline.record(i);
    timeline.advance(i / 100);
  }
  timeline.finish(5);
  const log = hlog("a test", 1_700_000_000_000, timeline.intervals);
  assert(!log.includes("\n\n"));
  const reader = new HistogramLogReader(log);
  let count = 0;
  let max = 0;
  for (let next = reader.nextIntervalHistogram(); next !== null; next = reader.nextIntervalHistogram()) {
    count += next.totalCount;
    max = Math.max(max, next.maxValue / 1e6);
  }
  assertEquals(count, 500);
  assertAlmostEquals(max, 500, 0.5);
  assertEquals(reader.startTimeSec, 1_700_000_000);
});

const LATENCY = { min: 1, mean: 1, p50: 1, p90: 1, p99: 1, p99_9: 1, max: 2 };
const CALM: Parameters<typeof warnings>[0] = {
  latency: LATENCY,
  timeline: seconds(1000, 1010, 700, 1000, 990, 1300),
  seconds: 10,
  rate: null,
  due: null,
  sent: 10_000,
  received: 10_000,
  lost: 0,
  unfinished: 0,
  connectRate: false,
  unsent: 0,
  growth: 0,
  stoodStill: 0,
  busy: 0.5,
  late: 0,
};

/** A timeline of so many messages in each second. */
function seconds(...rates: number[]): Second[] {
  return rates.map((messages_per_second, i) => ({
    at_seconds: i + 1,
    messages_per_second,
    bytes_per_second: 64 * messages_per_second,
    p50_ms: 1,
    p99_ms: 1,
    max_ms: 2,
    errors: 0,
  }));
}

function warned(circumstances: Partial<typeof CALM>): string {
  return warnings({ ...CALM, ...circumstances }).join("\n");
}

Deno.test("each reason for distrust has its warning, and a calm run has none", () => {
  assertEquals(warned({}), "");
  assertMatch(warned({ busy: 0.97 }), /^the client's own CPU was full \(97 %/);
  assertMatch(warned({ rate: 1000, late: 0.2 }), /^20 % of the messages were sent more than 1 ms late/);
  const byClock = { rate: 2000, due: 20_000 };
  assertMatch(warned({ ...byClock, unsent: 300 }), /^the rate asked for was not reached: 300 of 20,000 /);
  assertMatch(warned({ ...byClock, growth: 300 }), /^the replies did not keep up .*: 300 more messages/);
  assertEquals(warned({ ...byClock, unsent: 100, growth: 100 }), "");
  const connections = { connectRate: true, sent: 60_000, received: 60_000 };
  assertMatch(warned({ ...connections, seconds: 12 }), /^60,000 connections in .* \(TIME_WAIT\)/);
  assertEquals(warned({ ...connections, seconds: 600 }), "");
  assertMatch(
    warned({ latency: { ...LATENCY, p99_9: null }, sent: 999 }),
    /^999 messages are too few for p99.9;/,
  );
});

Deno.test("a warning that would always be there is not there", () => {
  // Compiling the program takes more than all cores in the first moments: at -n 1 that is all there is.
  assertEquals(warned({ busy: 2.48, seconds: 0.05 }), "");
  assertMatch(warned({ busy: 1.1 }), /\(100 % of its threads\)/);
  // 22 of 22 calm runs had a message that took 4 to 10 ms, 4 to 49 times p99.
  assertEquals(warned({ latency: { ...LATENCY, p99: 0.12, max: 6 } }), "");
  assertEquals(warned({ latency: { ...LATENCY, p99: 0.1, max: 12 }, seconds: 0.03 }), "");
  assertEquals(warned({ timeline: seconds(124_597, 122_163, 107_405, 95_431, 60_169) }), "");
  assertEquals(warned({ timeline: seconds(1, 0, 3, 1) }), "", "too few messages to have a rate");
});

Deno.test("a stall that a closed loop hides is told, and an uneven run names its worst interval", () => {
  const latency = { ...LATENCY, max: 320 };
  assertMatch(warned({ latency }), /^a reply took 320 ms, .*: use --rate/);
  assertEquals(warned({ latency, rate: 1000 }), "", "by the clock the percentiles show it");
  assertEquals(warned({ latency: { ...LATENCY, p99: 300, max: 320 } }), "", "p99 shows it");
  assertMatch(
    warned({ timeline: seconds(1000, 1010, 200, 1000, 990) }),
    /^the run was uneven: in the interval that ends at 3 s 200 messages\/s came back, 1,000 in most/,
  );
  const timeline = seconds(1000, 1000, 1000, 1000, 1000).map((second, i) => ({
    ...second,
    p50_ms: i === 1 ? 400 : 0.1,
  }));
  assertMatch(warned({ timeline, rate: 1000 }), /ends at 2 s p50 was 400 ms, 0.100 ms in most/);
});

Deno.test("what lost messages hide is named, with their number", () => {
  const latency = { ...LATENCY, p99: null, p99_9: null, max: null };
  assertMatch(
    warned({ latency, received: 9800, lost: 200 }),
    /^of 10,000 messages, 200 were lost: p99, p99.9, max cannot be known; min and mean are those of the messages that/,
  );
  assertMatch(
    warned({ latency: { ...LATENCY, max: null }, received: 9999, unfinished: 1 }),
    /^of 10,000 messages, 1 was on the way at the stop: max cannot be known/,
  );
  assertEquals(
    warned({ latency: { ...LATENCY, p99_9: null, max: null }, sent: 200, received: 198, lost: 2 }).split(
      "\n",
    ),
    [
      "of 200 messages, 2 were lost: max cannot be known; min and mean are those of the messages that came back",
      "200 messages are too few for p99.9; send more (-n, -d)",
    ],
  );
});

Deno.test("the chart's bands hold all messages, and two results share them", () => {
  const result = (factor: number): Result => {
    const latencies = new Latencies();
    for (let i = 1; i <= 1000; i++) latencies.record(factor * i / 100);
    return { latency_distribution: latencies.distribution() } as unknown as Result;
  };
  const rows = chart([result(1), result(2)], 80);
  assertEquals(rows.length, 12);
  for (const column of [0, 1]) {
    const shares = rows.map((row) => [...row.matchAll(/([\d.]+) %/g)].map(([, n]) => Number(n))[column]!);
    assertAlmostEquals(shares.reduce((sum, share) => sum + share, 0), 100, 1.5);
  }
  assertEquals(chart([{ latency_distribution: [] } as unknown as Result], 80), []);
});
