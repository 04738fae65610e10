import { assertEquals, assertThrows } from "@std/assert";
import {
  count,
  counted,
  duration,
  oneOf,
  orOff,
  rounded,
  showDuration,
  showSize,
  size,
  UsageError,
} from "../../base/units.ts";

Deno.test("durations are read with their units; a bare number is seconds", () => {
  const table: [string, number][] = [
    ["250ms", 250],
    ["1ms", 1],
    ["0.5ms", 0.5],
    ["5s", 5000],
    ["5", 5000],
    ["0.5", 500],
    ["1.5s", 1500],
    ["2m", 120_000],
    ["1h", 3_600_000],
    ["596h", 596 * 3_600_000],
    ["007", 7000],
    ["1h30m", 5_400_000],
    ["1m30s", 90_000],
    ["2m0.5s", 120_500],
    ["1h1m1s1ms", 3_661_001],
  ];
  for (const [text, ms] of table) assertEquals(duration(text), ms, text);
});

Deno.test("what is no duration is refused, with what would be right", () => {
  const bad = [
    "",
    " ",
    "0",
    "0s",
    "0.0ms",
    "-1",
    "-5s",
    "+5s",
    "5 s",
    " 5s",
    "5s ",
    "5S",
    "5sec",
    "5d",
    "1e3",
    "0x10",
  ];
  const long = [
    "597h",
    "2147483648ms",
    "999999999999999h",
    "9".repeat(30),
    "NaN",
    "Infinity",
    ".5s",
    "5.",
    "1,5s",
  ];
  for (const text of [...bad, ...long, "٣s", "5s\n", "1h30", "30m1h", "1h1h", "1h 30m", "1h-30m", "off"]) {
    const { message } = assertThrows(
      () => duration(text),
      UsageError,
      "is not a duration; try 250ms, 5s, 2m or 1h30m",
    );
    assertEquals(message.split("\n").length, 1, message);
  }
});

Deno.test("the longest duration is one that a timer can wait for", () => {
  assertEquals(duration("2147483647ms"), 2 ** 31 - 1);
});

Deno.test("0 and off stand for none where none means something, and every other text is read as before", () => {
  const parse = orOff(duration, Infinity);
  for (const text of ["0", "off", "0s", "0ms", "0h"]) assertEquals(parse(text), Infinity, text);
  assertEquals(parse("5s"), 5000);
  for (const text of ["Off", "none", "", "-0", "0x0", "00:00"]) {
    assertThrows(
      () => parse(text),
      UsageError,
      "is not a duration; try 250ms, 5s, 2m or 1h30m (at most 596h), or off",
    );
  }
  const limit = orOff(count, Infinity);
  assertEquals(["0", "off", "5"].map(limit), [Infinity, Infinity, 5]);
});

Deno.test("what is counted is said in the singular and in the plural", () => {
  assertEquals([0, 1, 2].map((n) => counted(n, "client")), ["0 clients", "1 client", "2 clients"]);
});

Deno.test("sizes: k, M, G and KiB, MiB, GiB are powers of 1024, kB, MB, GB of 1000", () => {
  const table: [string, number][] = [
    ["0", 0],
    ["64", 64],
    ["64k", 65536],
    ["1M", 1048576],
    ["1.5k", 1536],
    ["2G", 2 * 1024 ** 3],
    ["64kB", 64_000],
    ["1MB", 1_000_000],
    ["2GB", 2e9],
    ["64KiB", 65536],
    ["1MiB", 1048576],
    ["1.5GiB", 1.5 * 1024 ** 3],
  ];
  for (const [text, bytes] of table) assertEquals(size(text), bytes, text);
  for (
    const text of [
      "",
      "-1",
      "64K",
      "64kb",
      "64KB",
      "1kiB",
      "1m",
      "1T",
      "1e3",
      "0x40",
      "1.3",
      "0.0001k",
      "9".repeat(15) + "G",
    ]
  ) {
    assertThrows(
      () => size(text),
      UsageError,
      "is not a size; try 64, 64k or 1MiB (powers of 1024), 64kB or 1MB (of 1000)",
    );
  }
});

Deno.test("counts are read with k = 1000, from 1", () => {
  const table: [string, number][] = [["1", 1], ["10", 10], ["10k", 10_000], ["1M", 1_000_000], [
    "1.5k",
    1500,
  ]];
  for (const [text, n] of table) assertEquals(count(text), n, text);
  for (const text of ["", "0", "0k", "-1", "1.5", "10K", "1G", "ten", "1e3", "0x10", "1_000", "1,000"]) {
    assertThrows(() => count(text), UsageError, "is not a count; try 10, 10k or 1M (k = 1000)");
  }
});

Deno.test("one of some words is exactly one of them", () => {
  const parse = oneOf("text", "json");
  assertEquals(parse("json"), "json");
  for (const text of ["", "JSON", "tex", "text json"]) {
    assertThrows(() => parse(text), UsageError, `${JSON.stringify(text)} is none of text, json`);
  }
});

Deno.test("durations are printed with their unit", () => {
  const table: [number, string][] = [
    [0, "0 ms"],
    [3, "3 ms"], // of a clock that counts milliseconds
    [3.0001, "3.000 ms"],
    [0.2134, "0.213 ms"],
    [12.5, "12.500 ms"],
    [999.9, "999.900 ms"],
    [999.9996, "1 s"],
    [1000, "1 s"],
    [4200, "4.2 s"],
    [59_994, "59.99 s"],
    [59_996, "1m"],
    [60_000, "1m"],
    [200_000, "3m 20s"],
    [3_599_600, "1h"],
    [3_600_000, "1h"],
    [3_661_000, "1h 1m 1s"],
    [100 * 3_600_000, "100h"],
  ];
  for (const [ms, text] of table) assertEquals(showDuration(ms), text, String(ms));
});

Deno.test("sizes are printed in powers of 1000, as their units say", () => {
  const table: [number, string][] = [
    [0, "0 bytes"],
    [1, "1 byte"],
    [17, "17 bytes"],
    [999, "999 bytes"],
    [1000, "1.0 kB"],
    [65_536, "65.5 kB"],
    [1e6 - 1, "1.0 MB"],
    [1.5e6, "1.5 MB"],
    [3e9, "3.0 GB"],
  ];
  for (const [bytes, text] of table) assertEquals(showSize(bytes), text, String(bytes));
});

Deno.test("a figure is rounded to the digits that are known", () => {
  assertEquals([0.4898500000000041, 0.0213, 5, 1e9 + 0.1234].map((ms) => rounded(ms)), [
    0.49,
    0.021,
    5,
    1e9 + 0.123,
  ]);
  assertEquals(rounded(10.0000004, 6), 10);
});
