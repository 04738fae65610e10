import { assert, assertEquals, assertMatch } from "@std/assert";
import { Outstanding } from "../../client/outstanding.ts";
import { AFTER, BEFORE, diagnose, diagnoseDatagram } from "../../net/diagnosis.ts";
import { noise } from "../support/helpers.ts";

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

function assertAllRight(outstanding: Outstanding, came: Uint8Array): void {
  assertEquals(outstanding.take(came), came.length);
}

Deno.test("what comes back as it was sent is no difference, in one piece or many", () => {
  const outstanding = new Outstanding(1 << 20);
  const data = noise(1000);
  assertEquals(send(outstanding, data), 1000);
  assertEquals([outstanding.sent, outstanding.back, outstanding.length], [1000, 0, 1000]);
  for (const [from, to] of [[0, 1], [1, 1], [1, 500], [500, 1000]] as const) {
    assertAllRight(outstanding, data.subarray(from, to));
    assertEquals(outstanding.back, to);
  }
  assertEquals([outstanding.sent, outstanding.back, outstanding.length], [1000, 1000, 0]);
});

Deno.test("the ring grows to its limit and no further, and keeps what is in it", () => {
  for (const limit of [1, 1000, FIRST, FIRST + 1, 3 << 20]) {
    const outstanding = new Outstanding(limit);
    const data = noise(limit + 10_000, limit);
    assertEquals(send(outstanding, data), limit);
    assertEquals(outstanding.space().length, 0);
    assertAllRight(outstanding, data.subarray(0, limit));
    assert(outstanding.space().length > 0);
  }
});

Deno.test("the ring grows while it is wrapped around", () => {
  const outstanding = new Outstanding(4 << 20);
  const data = noise(3 << 20, 7);
  let sent = send(outstanding, data.subarray(0, 100_000));
  assertAllRight(outstanding, data.subarray(0, 100_000));
  sent += send(outstanding, data.subarray(sent)); // from the middle of the ring, around its end, and larger
  assertEquals(sent, data.length);
  assertAllRight(outstanding, data.subarray(100_000));
  assertEquals(outstanding.length, 0);
});

Deno.test("a ring that stays small is used round and round", () => {
  const outstanding = new Outstanding(1000);
  const data = noise(10_000, 3);
  for (let at = 0; at < data.length;) {
    const n = send(outstanding, data.subarray(at, at + 700));
    assertAllRight(outstanding, data.subarray(at, at + n));
    at += n;
  }
  assertEquals(outstanding.back, 10_000);
});

Deno.test("what differs is found where it is, also across the wrap-around, with what lies about it", () => {
  const zeros = new Uint8Array(1500);
  for (const start of [0, 999, 5_000_000]) {
    for (const at of [0, 1, 998, 1499]) {
      const outstanding = new Outstanding(2000);
      for (let done = 0; done < start;) {
        const n = send(outstanding, zeros.subarray(0, Math.min(1500, start - done)));
        assertAllRight(outstanding, zeros.subarray(0, n));
        done += n;
      }
      const data = noise(1500, 11).map((byte) => byte & 0x7f);
      send(outstanding, data);
      assertEquals(outstanding.take(data.with(at, 0xff)), at);
      assertEquals(outstanding.back, start + at);
      assertEquals(outstanding.after(2000), data.subarray(at));
      assertEquals(outstanding.before(at + 1).subarray(start === 0 ? 0 : 1), data.subarray(0, at));
    }
  }
});

Deno.test("what came back last is kept, though the ring is full of what was sent since", () => {
  const outstanding = new Outstanding(1000);
  const data = noise(2 * BEFORE + 1000, 5);
  let at = 0;
  for (; at + 1000 < data.length; at += 1000) {
    send(outstanding, data.subarray(at, at + 1000));
    assertAllRight(outstanding, data.subarray(at, at + 1000));
  }
  send(outstanding, noise(1000, 6));
  assertEquals(outstanding.before(BEFORE), data.subarray(at - BEFORE, at));
});

Deno.test("a surplus is found where the sent bytes end", () => {
  const outstanding = new Outstanding(1000);
  assertEquals(outstanding.take(Uint8Array.of(9)), 0);
  send(outstanding, Uint8Array.of(1, 2, 3));
  assertEquals(outstanding.take(Uint8Array.of(1, 2, 3, 4, 5)), 3);
  assertEquals([outstanding.back, outstanding.length], [3, 0]);
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
    let found = -1;
    while (back < data.length && found < 0) {
      sent += send(outstanding, data.subarray(sent, sent + random(limit + 1)));
      assert(outstanding.length <= limit);
      const n = random(sent - back + 1);
      const right = outstanding.take(came.subarray(back, back + n));
      if (right < n) found = back + right;
      back += n;
    }
    assertEquals(found, flipped, `round ${round}, limit ${limit}`);
    assertEquals(outstanding.back, flipped < 0 ? data.length : flipped);
  }
});

/** What is said when this comes back of `sent`, whose first `on` bytes were sent before the first wrong one came. */
function verdict(sent: Uint8Array, came: Uint8Array, on = sent.length): string {
  let offset = 0;
  while (offset < Math.min(sent.length, came.length, on) && sent[offset] === came[offset]) offset++;
  const { kind, text } = diagnose({
    offset,
    asked: on - offset,
    before: sent.subarray(Math.max(0, offset - BEFORE), offset),
    after: sent.subarray(offset, Math.min(on, offset + AFTER)),
    next: sent.subarray(on),
    came: came.subarray(offset),
  });
  return `${kind}: ${text}`;
}

Deno.test("short messages and equal bytes: no more is said than is known", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const table: [sent: string, came: string, says: string][] = [
    ["a\n", "b\n", "corrupted: byte 0 came back changed: sent 0x61, received 0x62"],
    ["abcd", "abdd", "corrupted: byte 2 came back changed: sent 0x63, received 0x64"],
    ["abcd", "abd", "corrupted: 1 byte is missing at byte 2"],
    ["abcd", "abbcd", "corrupted: byte 1 came back twice"],
    ["abcd", "abxcd", "corrupted: 1 byte that was never sent stands before byte 2: 0x78"],
    ["abcd", "abcdx", "surplus: 1 byte came that nobody had sent, at byte 4: 0x78"],
    ["abcd", "abcdabcd", "corrupted: bytes 0 to 3 came back twice"],
    ["aaaa\n", "aaa\n", "corrupted: 1 byte is missing at one of bytes 0 to 3"],
    ["aaaa\n", "aaaaa\n", "corrupted: one of bytes 0 to 3 came back twice"],
    ["aaaa", "aaaaa", "corrupted: one of bytes 0 to 3 came back twice"],
    ["abab\n", "ababab\n", "corrupted: 2 bytes came back twice, from one of bytes 0 to 2 on"],
    ["abcdefgh", "ax", "corrupted: at byte 1 came 0x78 instead of 0x62"],
  ];
  for (const [sent, came, says] of table) assertEquals(verdict(bytes(sent), bytes(came)), says);
});

Deno.test("a server of another protocol is no echo server, and what it says is shown escaped", () => {
  const bytes = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
  const message = noise(64, 3);
  const table: [came: string, on: number, says: string][] = [
    ["SSH-2.0-OpenSSH_9.6\r\n", 0, 'it says "SSH-2.0-OpenSSH_9.6"'],
    ["SSH-2.0-OpenSSH_9.6\r\n", 64, 'it says "SSH-2.0-OpenSSH_9.6"'],
    ["HTTP/1.1 400 Bad Request\r\nServer: x\r\n", 64, 'it says "HTTP/1.1 400 Bad Request"'],
    ["220 \x1b[2Jhello\r\n", 0, 'it says "220 \\x1b[2Jhello"'],
  ];
  for (const [came, on, says] of table) {
    assertEquals(verdict(message, bytes(came), on), `corrupted: this is no echo server: ${says}`);
  }
  const alert = bytes("\x15\x03\x03\x00\x02\x02\x32");
  const hint = "the other end speaks TLS: try tls:// in front of the address";
  assertEquals(verdict(message, alert), `corrupted: ${hint}`);
});

Deno.test("a datagram that came back changed is told by itself, with its place in all that was sent", () => {
  const sent = noise(100, 9);
  const flipped = sent.with(10, sent[10]! ^ 0xff);
  assertMatch(diagnoseDatagram(sent, flipped, 500), /^byte 510 came back changed: sent 0x/);
  assertEquals(diagnoseDatagram(sent, sent.subarray(0, 99)), "it ends after 99 of 100 bytes");
  assertEquals(diagnoseDatagram(sent, new Uint8Array([...sent, 7])), "1 byte came after its end");
});

/** An edit of one kind, at a place and of a size by chance, and how the verdict on it begins and ends. */
function plant(kind: string, sent: Uint8Array, random: (n: number) => number) {
  const at = random(sent.length - 1);
  const n = Math.min(1 + random(random(4) === 0 ? 200 : 4), sent.length - at - 1);
  const [head, block, tail] = [sent.subarray(0, at), sent.subarray(at, at + n), sent.subarray(at + n)];
  const join = (...parts: Uint8Array[]) => new Uint8Array(parts.flatMap((part) => [...part]));
  switch (kind) {
    case "flip":
      return {
        at,
        n,
        came: join(head, block.map((byte) => byte ^ (1 + random(255))), tail),
        says: / came back changed: /,
      };
    case "drop":
      return { at, n, came: join(head, tail), says: new RegExp(`^${n} bytes? (is|are) missing at `) };
    case "double":
      return { at, n, came: join(head, block, block, tail), says: / came back twice/ };
    default: {
      // None like its neighbours: one of those would be a doubled byte.
      const others = Array.from({ length: 256 }, (_, byte) => byte)
        .filter((byte) => byte !== sent[at - 1] && byte !== sent[at]);
      const foreign = Uint8Array.from({ length: n }, () => others[random(others.length)]!);
      const says = / never sent stands? before /;
      return { at, n, came: join(head, foreign, block, tail), says };
    }
  }
}

Deno.test("any edit by chance of random bytes is named, with its place", () => {
  const random = numbers(862);
  for (let round = 0; round < 4000; round++) {
    const kind = ["flip", "drop", "double", "insert"][round % 4]!;
    const sent = noise(300 + random(3000), round + 1);
    const { at, n, came, says } = plant(kind, sent, random);
    const text = verdict(sent, came).replace(/^corrupted: /, "");
    assertMatch(text, says, `round ${round}: ${kind} of ${n} at ${at}`);
    // "bytes 3 to 5" is the block that came twice or changed, "one of bytes 3 to 5" where the edit may have been.
    const [, first, last] = /bytes? (\d+)(?: to (\d+))?/.exec(text.replace(/^\d+ bytes? /, ""))!;
    const near = Number(first) <= at && at <= Number(last ?? first);
    assert(near, `round ${round}: ${kind} of ${n} at ${at}: ${text}`);
  }
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
