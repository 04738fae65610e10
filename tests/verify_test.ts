import { assert, assertEquals } from "@std/assert";
import { Outstanding } from "../net/outstanding.ts";
import { AFTER, BEFORE, diagnose, diagnoseDatagram } from "../net/verify.ts";
import { noise } from "./helpers.ts";

const FIRST = 256 << 10;

/** Puts the bytes into the ring as they would be sent. Returns how many found room. */
function send(outstanding: Outstanding, bytes: Uint8Array): number {
  let at = 0;
  while (at < bytes.length) {
    const space = outstanding.space();
    const part = bytes.subarray(at, at + space.length);
    if (part.length === 0) break;
    space.set(part);
    outstanding.add(part.length);
    at += part.length;
  }
  return at;
}

Deno.test("what comes back as it was sent is no difference, in one piece or many", () => {
  const outstanding = new Outstanding(1 << 20);
  const data = noise(1000);
  assertEquals(send(outstanding, data), 1000);
  assertEquals([outstanding.sent, outstanding.back, outstanding.length], [1000, 0, 1000]);
  for (const [from, to] of [[0, 1], [1, 1], [1, 500], [500, 1000]] as const) {
    assertEquals(outstanding.check(data.subarray(from, to)), undefined);
    assertEquals(outstanding.back, to);
  }
  assertEquals([outstanding.sent, outstanding.back, outstanding.length], [1000, 1000, 0]);
  assertEquals(outstanding.end(), undefined);
});

Deno.test("the ring grows to its limit and no further, and keeps what is in it", () => {
  for (const limit of [1, 1000, FIRST, FIRST + 1, 3 << 20]) {
    const outstanding = new Outstanding(limit);
    const data = noise(limit + 10_000, limit);
    assertEquals(send(outstanding, data), limit);
    assertEquals(outstanding.space().length, 0);
    assertEquals(outstanding.check(data.subarray(0, limit)), undefined);
    assert(outstanding.space().length > 0);
  }
});

Deno.test("the ring grows while it is wrapped around", () => {
  const outstanding = new Outstanding(4 << 20);
  const data = noise(3 << 20, 7);
  let sent = send(outstanding, data.subarray(0, 100_000));
  assertEquals(outstanding.check(data.subarray(0, 100_000)), undefined);
  sent += send(outstanding, data.subarray(sent)); // from the middle of the ring, around its end, and larger
  assertEquals(sent, data.length);
  assertEquals(outstanding.check(data.subarray(100_000)), undefined);
  assertEquals(outstanding.length, 0);
});

Deno.test("a ring that stays small is used round and round", () => {
  const outstanding = new Outstanding(1000);
  const data = noise(10_000, 3);
  for (let at = 0; at < data.length;) {
    const n = send(outstanding, data.subarray(at, at + 700));
    assertEquals(outstanding.check(data.subarray(at, at + n)), undefined);
    at += n;
  }
  assertEquals(outstanding.back, 10_000);
});

Deno.test("a difference has the offset in the stream and both bytes, also across the wrap-around", () => {
  const zeros = new Uint8Array(1500);
  for (const start of [0, 999, 5_000_000]) {
    for (const at of [0, 1, 998, 1499]) {
      const outstanding = new Outstanding(2000);
      for (let done = 0; done < start;) {
        const n = send(outstanding, zeros.subarray(0, Math.min(1500, start - done)));
        assertEquals(outstanding.check(zeros.subarray(0, n)), undefined);
        done += n;
      }
      const data = noise(1500, 11).map((byte) => byte & 0x7f);
      send(outstanding, data);
      const received = data.with(at, 0xff);
      assertEquals(outstanding.check(received), { offset: start + at, sent: data[at], received: 0xff });
      assertEquals(outstanding.back, start + at);
    }
  }
});

Deno.test("a surplus is found where the sent bytes end", () => {
  const outstanding = new Outstanding(1000);
  assertEquals(outstanding.check(Uint8Array.of(9)), { offset: 0, sent: undefined, received: 9 });
  send(outstanding, Uint8Array.of(1, 2, 3));
  assertEquals(outstanding.check(Uint8Array.of(1, 2, 3, 4, 5)), { offset: 3, sent: undefined, received: 4 });
});

Deno.test("a loss is the first byte that did not come back", () => {
  const outstanding = new Outstanding(1000);
  send(outstanding, Uint8Array.of(1, 2, 3));
  assertEquals(outstanding.end(), { offset: 0, sent: 1, received: undefined });
  outstanding.check(Uint8Array.of(1, 2));
  assertEquals(outstanding.end(), { offset: 2, sent: 3, received: undefined });
});

Deno.test("pieces of random sizes, many rings: all right is right, one flipped byte is found", () => {
  const random = numbers(20240607);
  for (let round = 0; round < 30; round++) {
    const limit = 1 + random(round % 3 === 0 ? 1 << 20 : 5000);
    const outstanding = new Outstanding(limit);
    const data = noise(Math.min(limit * 5, 2 << 20), round + 1);
    const flipped = round % 2 === 0 ? -1 : random(data.length);
    const came = flipped < 0 ? data : data.with(flipped, data[flipped]! ^ (1 + random(255)));
    let sent = 0;
    let back = 0;
    let found: Difference | undefined;
    while (back < data.length && found === undefined) {
      sent += send(outstanding, data.subarray(sent, sent + random(limit + 1)));
      assert(outstanding.length <= limit);
      const n = random(sent - back + 1);
      found = outstanding.check(came.subarray(back, back + n));
      back += n;
    }
    const expected = flipped < 0
      ? undefined
      : { offset: flipped, sent: data[flipped], received: came[flipped] };
    assertEquals(found, expected, `round ${round}, limit ${limit}`);
    assertEquals(outstanding.back, flipped < 0 ? data.length : flipped);
  }
});

Deno.test("a difference is told with its offset and both bytes in hex", () => {
  const table: [Difference, string][] = [
    [{ offset: 7, sent: 0x0a, received: 0xff }, "different: byte 7 was sent as 0x0a, received as 0xff"],
    [{ offset: 7, sent: 0, received: undefined }, "lost: byte 7 did not come back, sent 0x00"],
    [{ offset: 7, sent: undefined, received: 0 }, "surplus: byte 7 was never sent, received 0x00"],
  ];
  for (const [difference, text] of table) assertEquals(showDifference(difference), text);
});

/** A generator of whole numbers from 0 to below `n`, the same for the same seed (mulberry32). */
function numbers(seed: number): (n: number) => number {
  return (n) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}
