/** The PROXY protocol against its specification: the parser, the reader and the encoder, without a network. */

import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { networks } from "../../base/ip.ts";
import { Failure } from "../../base/errors.ts";
import { crc32c, encodeHeader, type Parsed, parseHeader } from "../../net/proxy/header.ts";
import { proxyHeader } from "../../net/proxy/welcome.ts";
import type { Stream } from "../../net/stream.ts";
import { noise } from "../support/helpers.ts";

const encoder = new TextEncoder();
const SIGNATURE = [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10];
const TCP4 = [1, 2, 3, 4, 5, 6, 7, 8, 0, 99, 1, 0];
const TCP6 = [...Array(15).fill(0), 1, ...Array(15).fill(0), 2, 0xff, 0xff, 0, 0];

/** A version 2 header with the length that its block has, or with another. */
function v2(command: number, family: number, block: number[], length = block.length): Uint8Array {
  return Uint8Array.from([...SIGNATURE, command, family, length >> 8, length & 0xff, ...block]);
}

function tlv(type: number, value: number[], length = value.length): number[] {
  return [type, length >> 8, length & 0xff, ...value];
}

/** The header with its right checksum in a TLV at the end. */
function summed(command: number, family: number, block: number[]): Uint8Array {
  const header = v2(command, family, [...block, ...tlv(3, [0, 0, 0, 0])]);
  new DataView(header.buffer).setUint32(header.length - 4, crc32c(header));
  return header;
}

/** Good headers, with the source that they name; undefined: that of the connection. */
const GOOD: [Uint8Array, string | undefined][] = [
  ...([
    ["PROXY TCP4 192.168.0.1 192.168.0.11 56324 443", "192.168.0.1 56324"],
    ["PROXY TCP4 0.0.0.0 0.0.0.0 0 0", "0.0.0.0 0"],
    ["PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535", "255.255.255.255 65535"],
    ["PROXY TCP6 ::1 ::2 1 2", "::1 1"],
    ["PROXY TCP6 2001:DB8:0:0:0:0:0:A :: 1 2", "2001:db8::a 1"],
    [
      `PROXY TCP6 ${"ffff:".repeat(8).slice(0, -1)} ${"ffff:".repeat(8).slice(0, -1)} 65535 65535`,
      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535",
    ],
    ["PROXY TCP6 ::ffff:10.0.0.7 ::ffff:10.0.0.8 1 2", "10.0.0.7 1"],
    ["PROXY UNKNOWN", undefined],
    ["PROXY UNKNOWN ", undefined],
    ["PROXY UNKNOWN one\rtwo\n\0 \xff TCP4 1.2.3.4", undefined],
    [
      `PROXY UNKNOWN ${"ffff:".repeat(8).slice(0, -1)} ${"ffff:".repeat(8).slice(0, -1)} 65535 65535`,
      undefined,
    ],
  ] as [string, string | undefined][]).map(([line, source]): [Uint8Array, string | undefined] => [
    latin1(`${line}\r\n`),
    source,
  ]),
  [v2(0x21, 0x11, TCP4), "1.2.3.4 99"],
  [v2(0x21, 0x12, TCP4), "1.2.3.4 99"],
  [v2(0x21, 0x21, TCP6), "::1 65535"],
  [v2(0x21, 0x22, TCP6), "::1 65535"],
  [
    v2(0x21, 0x21, [...Array(10).fill(0), 255, 255, 10, 0, 0, 7, ...Array(16).fill(0), 0, 1, 0, 2]),
    "10.0.0.7 1",
  ],
  [v2(0x21, 0x31, Array(216).fill(0x2f)), undefined],
  [v2(0x21, 0x32, Array(216).fill(0)), undefined],
  [v2(0x21, 0x00, []), undefined],
  [v2(0x21, 0x00, [1, 2, 3]), undefined],
  [v2(0x21, 0x10, [1, 2]), undefined],
  [v2(0x21, 0x01, [1, 2]), undefined],
  [v2(0x20, 0x00, []), undefined],
  [v2(0x20, 0x11, TCP4), undefined],
  [v2(0x20, 0xff, [9, 9, 9, 9, 9]), undefined],
  [
    v2(0x21, 0x11, [...TCP4, ...tlv(4, []), ...tlv(5, [1, 2, 3]), ...tlv(0xee, Array(300).fill(7))]),
    "1.2.3.4 99",
  ],
  [v2(0x21, 0x11, [...TCP4, ...tlv(4, Array(0xffff - 15).fill(0))]), "1.2.3.4 99"],
  [summed(0x21, 0x11, TCP4), "1.2.3.4 99"],
  [summed(0x21, 0x11, [...TCP4, ...tlv(1, [104, 50])]), "1.2.3.4 99"],
  [summed(0x21, 0x21, TCP6), "::1 65535"],
  [summed(0x21, 0x31, Array(216).fill(1)), undefined],
];

const BAD: [Uint8Array, string][] = [
  ...([
    ["GET / HTTP/1.1", "like neither version"],
    ["\x16\x03\x01\x02\x00\x01\x00", "like neither version"],
    ["proxy TCP4 1.2.3.4 5.6.7.8 1 2", "like neither version"],
    ["PROXY", "like neither version"],
    ["PROXY  TCP4 1.2.3.4 5.6.7.8 1 2", "neither UNKNOWN nor"],
    ["PROXY TCP4  1.2.3.4 5.6.7.8 1 2", "neither UNKNOWN nor"],
    ["PROXY TCP4 1.2.3.4  5.6.7.8 1 2", "neither UNKNOWN nor"],
    ["PROXY TCP4 1.2.3.4 5.6.7.8  1 2", "neither UNKNOWN nor"],
    ["PROXY TCP4 1.2.3.4 5.6.7.8 1 2 ", "neither UNKNOWN nor"],
    ["PROXY TCP4 1.2.3.4 5.6.7.8 1", "neither UNKNOWN nor"],
    ["PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3", "neither UNKNOWN nor"],
    ["PROXY TCP4\t1.2.3.4 5.6.7.8 1 2", "neither UNKNOWN nor"],
    ["PROXY TCP5 1.2.3.4 5.6.7.8 1 2", "neither UNKNOWN nor"],
    ["PROXY UDP4 1.2.3.4 5.6.7.8 1 2", "neither UNKNOWN nor"],
    ["PROXY UNKNOWNS", "neither UNKNOWN nor"],
    ["PROXY UNKNOWN\t", "neither UNKNOWN nor"],
    ["PROXY unknown", "neither UNKNOWN nor"],
    ["PROXY TCP4", "neither UNKNOWN nor"],
    ["PROXY ", "neither UNKNOWN nor"],
    ["PROXY TCP4 ::1 ::1 1 2", "not IPv4"],
    ["PROXY TCP4 1.2.3.4 ::1 1 2", "not IPv4"],
    ["PROXY TCP6 1.2.3.4 5.6.7.8 1 2", "not IPv6"],
    ["PROXY TCP6 ::1 5.6.7.8 1 2", "not IPv6"],
    ["PROXY TCP4 01.2.3.4 5.6.7.8 1 2", "not IPv4"],
    ["PROXY TCP4 1.2.3.4 5.6.7.08 1 2", "not IPv4"],
    ["PROXY TCP4 1.2.3.256 5.6.7.8 1 2", "not IPv4"],
    ["PROXY TCP4 1.2.3 5.6.7.8 1 2", "not IPv4"],
    ["PROXY TCP4 1.2.3.4.5 5.6.7.8 1 2", "not IPv4"],
    ["PROXY TCP6 1::2::3 ::1 1 2", "not IPv6"],
    ["PROXY TCP6 1:2:3:4:5:6:7 ::1 1 2", "not IPv6"],
    ["PROXY TCP6 00001::1 ::1 1 2", "not IPv6"],
    ["PROXY TCP6 fe80::1%lo ::1 1 2", "not IPv6"],
    ["PROXY TCP4 1.2.3.4 5.6.7.8 65536 2", "a port"],
    ["PROXY TCP4 1.2.3.4 5.6.7.8 1 65536", "a port"],
    ["PROXY TCP4 1.2.3.4 5.6.7.8 01 2", "a port"],
    ["PROXY TCP4 1.2.3.4 5.6.7.8 1 00", "a port"],
    ["PROXY TCP4 1.2.3.4 5.6.7.8 -1 2", "a port"],
    ["PROXY TCP4 1.2.3.4 5.6.7.8 1e1 2", "a port"],
    ["PROXY TCP4 1.2.3.4 5.6.7.8 +1 2", "a port"],
  ] as [string, string][]).map(([line, why]): [Uint8Array, string] => [latin1(`${line}\r\n`), why]),
  // A line must not end in a single CR or LF.
  [latin1("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n"), "neither UNKNOWN nor"],
  [latin1("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\rX"), "neither UNKNOWN nor"],
  [latin1("PROXY UNKNOWN\nhello"), "neither UNKNOWN nor"],
  [latin1("PROXY UNKNOWN\rhello"), "neither UNKNOWN nor"],
  [latin1(`PROXY UNKNOWN ${"x".repeat(92)}\r\n`), "no CRLF in its first 107 bytes"],
  [latin1(`PROXY UNKNOWN ${"x".repeat(93)}`), "no CRLF in its first 107 bytes"],
  [latin1(`PROXY TCP6 ${"1".repeat(96)}`), "no CRLF in its first 107 bytes"],
  [v2(0x11, 0x11, TCP4), "another version"],
  [v2(0x31, 0x11, TCP4), "another version"],
  [v2(0x01, 0x11, TCP4), "another version"],
  [v2(0x22, 0x11, TCP4), "neither LOCAL nor PROXY"],
  [v2(0x2f, 0x11, TCP4), "neither LOCAL nor PROXY"],
  [v2(0x21, 0x41, TCP4), "unknown"],
  [v2(0x21, 0xf0, []), "unknown"],
  [v2(0x21, 0x13, TCP4), "unknown"],
  [v2(0x21, 0x0f, []), "unknown"],
  [v2(0x21, 0x11, TCP4.slice(1)), "too short for its addresses"],
  [v2(0x21, 0x11, []), "too short for its addresses"],
  [v2(0x21, 0x21, TCP6.slice(1)), "too short for its addresses"],
  [v2(0x21, 0x21, TCP4), "too short for its addresses"],
  [v2(0x21, 0x31, Array(215).fill(0)), "too short for its addresses"],
  [v2(0x21, 0x11, [...TCP4, 4]), "cut short"],
  [v2(0x21, 0x11, [...TCP4, 4, 0]), "cut short"],
  [v2(0x21, 0x11, [...TCP4, ...tlv(4, []), 4, 0]), "cut short"],
  [v2(0x21, 0x11, [...TCP4, ...tlv(4, [], 1)]), "beyond its end"],
  [v2(0x21, 0x11, [...TCP4, ...tlv(4, [1, 2], 0xffff)]), "beyond its end"],
  [v2(0x21, 0x31, [...Array(216).fill(0), ...tlv(4, [], 1)]), "beyond its end"],
  [v2(0x21, 0x11, [...TCP4, ...tlv(3, [0, 0, 0])]), "not of 4 bytes"],
  [v2(0x21, 0x11, [...TCP4, ...tlv(3, [0, 0, 0, 0, 0])]), "not of 4 bytes"],
  [v2(0x21, 0x11, [...TCP4, ...tlv(3, [1, 2, 3, 4])]), "checksum is wrong"],
  [v2(0x21, 0x31, [...Array(216).fill(0), ...tlv(3, [0, 0, 0, 0])]), "checksum is wrong"],
];

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function show(parsed: Parsed): string | undefined {
  assertEquals(parsed.state, "whole", JSON.stringify(parsed));
  if (parsed.state !== "whole" || parsed.source === undefined) return undefined;
  return `${parsed.source.hostname} ${parsed.source.port}`;
}

/** The places at which to cut: all of them, or, of a long header, those near its ends. */
function cuts(length: number): number[] {
  return Array.from({ length }, (_, i) => i).filter((i) => i < 300 || i > length - 300);
}

Deno.test("every good header names its source, and ends where it ends", () => {
  for (const [header, source] of GOOD) {
    const what = JSON.stringify(String.fromCharCode(...header.subarray(0, 110)));
    const alone = parseHeader(header);
    assertEquals(show(alone), source, what);
    assert(alone.state === "whole" && alone.length === header.length, what);
    for (const tail of ["\r\n", "PROXY ", "\x16\x03\x01", "\r\n\r\n\0"]) {
      assertEquals(parseHeader(Uint8Array.from([...header, ...encoder.encode(tail)])), alone, what);
    }
  }
});

Deno.test("every bad header is refused, with a reason", () => {
  for (const [header, why] of BAD) {
    const parsed = parseHeader(header);
    const what = JSON.stringify(String.fromCharCode(...header.subarray(0, 110)));
    if (parsed.state !== "bad") throw new Error(`${what}: ${JSON.stringify(parsed)}`);
    assert(parsed.reason.includes(why), `${what}: ${parsed.reason}`);
  }
});

Deno.test("a good header cut anywhere is partial, and never asks for a byte that is not its own", () => {
  for (const [header] of GOOD) {
    for (const cut of cuts(header.length)) {
      const parsed = parseHeader(header.subarray(0, cut));
      if (parsed.state !== "partial") {
        throw new Error(`${header.length} cut at ${cut}: ${JSON.stringify(parsed)}`);
      }
      assert(parsed.more > 0 && cut + parsed.more <= header.length, `${cut} + ${parsed.more}`);
    }
  }
});

Deno.test("the parser looks at its own bytes alone, wherever in a buffer they lie", () => {
  for (const [header, source] of GOOD) {
    const buffer = new Uint8Array(header.length + 64).fill(0x41);
    buffer.set(header, 33);
    assertEquals(show(parseHeader(buffer.subarray(33, 33 + header.length))), source);
  }
});

Deno.test("a byte that cannot belong to a header is refused when it comes, not at the end of the line", () => {
  const early: [string, number][] = [
    ["G", 1],
    ["PROXX", 5],
    ["PROXY X", 7],
    ["PROXY TCP5", 10],
    ["PROXY TCP4 h", 12],
    ["PROXY TCP4 1.2.3.4\n", 19],
    ["PROXY UNKNOWNX", 14],
    ["\r\n\r\nX", 5],
  ];
  for (const [text, n] of early) {
    const bytes = latin1(text);
    assertEquals(bytes.length, n);
    assertEquals(parseHeader(bytes).state, "bad", JSON.stringify(text));
    assertEquals(parseHeader(bytes.subarray(0, n - 1)).state, "partial", JSON.stringify(text));
  }
});

Deno.test("fuzz: 20,000 damaged headers; the parser never throws, and more bytes never change its mind", () => {
  let x = 20_240_229;
  const random = (n: number) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % n;
  };
  const seeds = [...GOOD, ...BAD].map(([header]) => header).filter((header) => header.length < 400);
  const seen = { whole: 0, partial: 0, bad: 0 };
  for (let round = 0; round < 20_000; round++) {
    const bytes = [...seeds[random(seeds.length)]!];
    for (let damage = random(4); damage > 0; damage--) {
      const at = random(bytes.length);
      const byte = random(3) === 0 ? random(256) : "\r\n :.0129fP"[random(11)]!.charCodeAt(0);
      bytes.splice(at, random(3), ...(random(2) ? [byte] : []));
      if (bytes.length === 0) bytes.push(byte);
    }
    const all = Uint8Array.from(bytes);
    const last = parseHeader(all);
    seen[last.state]++;
    const cut = random(all.length);
    const before = parseHeader(all.subarray(0, cut));
    const what = `${JSON.stringify(String.fromCharCode(...all))} cut at ${cut}: ${
      JSON.stringify([before, last])
    }`;
    if (before.state === "bad") assertEquals(last.state, "bad", what);
    else if (before.state === "whole") assertEquals(before, last, what);
    else if (last.state === "whole") assert(cut + before.more <= last.length, what);
    else if (last.state === "partial") assert(cut + before.more <= all.length + last.more, what);
    if (last.state === "whole") assert(last.length <= all.length, what);
  }
  for (const n of Object.values(seen)) assertLess(100, n, JSON.stringify(seen));
  for (let round = 0; round < 2000; round++) {
    assertEquals(parseHeader(noise(1 + round % 200, round)).state, "bad");
  }
});

Deno.test("CRC32c gives the sums of RFC 3720, and a header with another sum in any place is refused", () => {
  assertEquals(crc32c(encoder.encode("123456789")), 0xe3069283);
  assertEquals(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assertEquals(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  assertEquals(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e);
  const header = summed(0x21, 0x11, TCP4);
  for (const at of [...TCP4.keys()].map((i) => 16 + i).concat([31, 32, 33, 34])) {
    for (let bit = 0; bit < 8; bit++) {
      const damaged = header.slice();
      damaged[at]! ^= 1 << bit;
      assertEquals(parseHeader(damaged), { state: "bad", reason: "its checksum is wrong" });
    }
  }
});

Deno.test("what is encoded is a header of the right form that names the same ends", () => {
  const ends = (source: string, destination: string) =>
    [{ hostname: source, port: 56324 }, { hostname: destination, port: 443 }] as const;
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const four = ends("192.168.0.1", "192.168.0.11");
  const six = ends("2001:db8:0:0:0:0:0:1", "::1");
  const mapped = ends("::ffff:192.168.0.1", "::ffff:192.168.0.11");
  assertEquals(text(encodeHeader("v1", ...four)), "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n");
  assertEquals(text(encodeHeader("v1", ...six)), "PROXY TCP6 2001:db8::1 ::1 56324 443\r\n");
  assertEquals(encodeHeader("v1", ...mapped), encodeHeader("v1", ...four));
  assertEquals(
    encodeHeader("v2", ...four),
    summed(0x21, 0x11, [192, 168, 0, 1, 192, 168, 0, 11, 220, 4, 1, 187]),
  );
  assertEquals(encodeHeader("v2", ...mapped), encodeHeader("v2", ...four));
  assertEquals(show(parseHeader(encodeHeader("v2", ...six))), "2001:db8::1 56324");
});

/** A stream that hands out `bytes`, at most `piece` at a time, and then its end, or nothing ever. */
function stream(
  bytes: Uint8Array,
  piece: number,
  after: "end" | "silence" = "end",
): Stream & { taken: number } {
  return {
    taken: 0,
    read(into) {
      const part = bytes.subarray(this.taken, this.taken + Math.min(piece, into.length));
      if (part.length === 0) return after === "end" ? Promise.resolve(null) : new Promise(() => {});
      into.set(part);
      this.taken += part.length;
      return Promise.resolve(part.length);
    },
    write: (given) => Promise.resolve(given.length),
    closeWrite: () => Promise.resolve(),
    close() {},
  };
}

const PROXY_PEER = "10.0.0.7:1234";
const welcome = proxyHeader(networks("10.0.0.0/8"), 50);

Deno.test("exactly the header is read, whatever follows it and however it is cut", async () => {
  for (const [header, source] of GOOD) {
    const all = Uint8Array.from([...header, ...noise(300)]);
    for (const piece of [1, 2, 3, 7, 15, 16, 17, 100, Infinity].slice(header.length > 400 ? 4 : 0)) {
      const given = stream(all, piece);
      const { peer, stream: left } = await welcome({ stream: given, peer: PROXY_PEER });
      const [host = "", port] = source?.split(" ") ?? [];
      const shown = source === undefined ? PROXY_PEER : `${host.includes(":") ? `[${host}]` : host}:${port}`;
      assertEquals([given.taken, peer, left === given], [header.length, shown, true]);
    }
  }
});

Deno.test("a bad header, one that ends early, and one that is late are failures with a plain reason", async () => {
  const fails = (bytes: Uint8Array, why: string, after?: "silence") =>
    assertRejects(
      () => welcome({ stream: stream(bytes, Infinity, after), peer: PROXY_PEER }),
      Failure,
      why,
    );
  for (const [header] of BAD) {
    await fails(Uint8Array.from([...header, ...noise(200)]), "bad PROXY header: ");
  }
  const [[line] = [new Uint8Array()]] = GOOD;
  await fails(new Uint8Array(), "closed after 0 bytes, before the end of a PROXY header");
  await fails(line.subarray(0, 20), "closed after 20 bytes, before the end of a PROXY header");
  await fails(new Uint8Array(), "no PROXY header within 50 ms", "silence");
  await fails(line.subarray(0, 20), "no PROXY header within 50 ms", "silence");
});

Deno.test("only a peer in one of the trusted networks is read at all", async () => {
  const trust = proxyHeader(networks("10.0.0.0/8,::1"), 50);
  const [[line] = [new Uint8Array()]] = GOOD;
  for (const peer of ["10.255.0.1:1", "[::1]:65535"]) {
    assertEquals((await trust({ stream: stream(line, Infinity), peer })).peer, "192.168.0.1:56324");
  }
  for (const peer of ["11.0.0.1:1", "[::2]:10", "[::a00:1]:1", "unix:/run/10.0.0.1", "10.0.0.1.:1", ""]) {
    const given = stream(line, Infinity);
    await assertRejects(() => trust({ stream: given, peer }), Failure, "not trusted to send a PROXY header");
    assertEquals(given.taken, 0);
  }
});
