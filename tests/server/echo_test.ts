/** Bytes go there and back whole, whatever the client does: reads late, stops, resets, half-closes. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { pause } from "../../base/time.ts";
import {
  loggedBytes,
  noise,
  readUpTo,
  roundTrip,
  ServerProcess,
  sha256,
  until,
  within,
  writeAll,
} from "../support/helpers.ts";
import { many, readToEnd } from "../support/conns.ts";
import { isStopped } from "../support/proc.ts";

const MB = 1 << 20;

Deno.test("fault 1: 64 clients at once each get their own bytes back", async () => {
  await using server = await ServerProcess.start();
  await many(64, async (i) => {
    using conn = await server.connect();
    for (let round = 0; round < 20; round++) {
      const text = `client ${i}, round ${round}: ${"x".repeat(i * 7 + round)}`;
      assertEquals(await roundTrip(conn, text), text);
    }
  });
  assertEquals(await server.stop(), 0);
});

// What the kernel buffers takes 3 MB; of 16 MB it takes a part, and writes come up short.
for (const size of [3, 16]) {
  Deno.test(`fault 5: ${size} MB come back whole to a client that starts to read late`, async () => {
    await using server = await ServerProcess.start();
    using conn = await server.connect();
    const bytes = noise(size * MB, 5);
    const sending = writeAll(conn, bytes).then(() => conn.closeWrite());
    await pause(700); // the client is late: that is the case
    const { bytes: back, error } = await within(10_000, "all of it", readToEnd(conn));
    await sending;
    assertEquals(error, "");
    assertEquals(back.length, bytes.length);
    assertEquals(await sha256(back), await sha256(bytes));
  });
}

Deno.test("fault 6: clients that reset in mid-echo do not end the server", async () => {
  await using server = await ServerProcess.start(["--write-timeout", "5s"]);
  using bystander = await server.connect();
  await many(30, async () => {
    const conn = await server.connect();
    await writeAll(conn, new Uint8Array(MB));
    await conn.read(new Uint8Array(1000)); // the echo has begun, and most of it is unread: closing sends RST
    conn.close();
  });
  await until("all 30 are gone", () => server.log.events("disconnected").length === 30);
  // Where the echo had not arrived yet at the close, the end of the stream comes first, and then the reset.
  const reasons = server.log.events("disconnected").map(({ reason }) => String(reason));
  assert(
    reasons.some((reason) => /reset by the other end|closed the connection/.test(reason)),
    `${reasons}`,
  );
  assertEquals(await roundTrip(bystander, "still here"), "still here");
  bystander.close();
  assertEquals(await server.stop(), 0);
});

Deno.test("fault 8: stopped and continued in mid-read, the stream is intact", async () => {
  await using server = await ServerProcess.start();
  using conn = await server.connect();
  const bytes = noise(12 * MB, 8);
  const sending = writeAll(conn, bytes);
  const back: Uint8Array[] = [];
  for (let stop = 0; stop < 3; stop++) {
    back.push(await readUpTo(conn, 3 * MB));
    server.kill("SIGSTOP");
    await until("it is stopped", () => isStopped(server.pid));
    await pause(50);
    server.kill("SIGCONT");
  }
  back.push(await within(10_000, "the rest", readUpTo(conn, 3 * MB)));
  await sending;
  const whole = new Uint8Array(await new Blob(back as BlobPart[]).arrayBuffer());
  assertEquals(await sha256(whole), await sha256(bytes));
  conn.close();
  assertEquals(await server.stop(), 0);
});

Deno.test("of the trade: 3 MB, a half close, read 2 s later: all bytes, then the end", async () => {
  await using server = await ServerProcess.start();
  using conn = await server.connect();
  const bytes = noise(3 * MB, 11);
  const sending = writeAll(conn, bytes).then(() => conn.closeWrite());
  await pause(2000); // as the case has it
  const { bytes: back, error } = await within(5000, "all of it", readToEnd(conn));
  await sending;
  assertEquals(error, "");
  assertEquals(await sha256(back), await sha256(bytes));
  assertMatch(await server.log.with('"disconnected"'), /closed by the client.*"bytes":3145728/);
});

for (
  const [when, words, gone] of [
    ["when it closes an idle client", ["--idle-timeout", "500ms"], '"disconnected"'],
    ["when it stops", ["--drain", "500ms"], '"stopped"'],
  ] as const
) {
  Deno.test(`of the trade: never a reset over bytes that the client has not read, ${when}`, async () => {
    await using server = await ServerProcess.start(words);
    using conn = await server.connect();
    const bytes = noise(100_000, 12);
    await writeAll(conn, bytes);
    await until("it has echoed all", () => loggedBytes(server) === bytes.length);
    if (gone === '"stopped"') server.kill("SIGTERM");
    await server.log.with(gone);
    if (gone === '"stopped"') await server.status;
    const { bytes: back, error } = await within(2000, "the end", readToEnd(conn));
    assertEquals(error, "");
    assertEquals(await sha256(back), await sha256(bytes));
  });
}

Deno.test("of the trade: a client that goes on sending after the stop still gets what was echoed, no reset", async () => {
  await using server = await ServerProcess.start();
  using conn = await server.connect();
  const before = noise(100_000, 13);
  await writeAll(conn, before);
  await until("it has echoed all", () => loggedBytes(server) === before.length);
  server.kill("SIGTERM");
  await server.log.with('"stopping"');
  for (let i = 0; i < 10; i++) {
    await writeAll(conn, new Uint8Array(10_000));
    await pause(30); // across the moment at which it half-closes
  }
  await conn.closeWrite();
  const { bytes: back, error } = await within(3000, "the end", readToEnd(conn));
  assertEquals(error, "");
  assertEquals(await sha256(back.subarray(0, before.length)), await sha256(before));
  assertEquals((await within(3000, "its end", server.status)).code, 0);
});
