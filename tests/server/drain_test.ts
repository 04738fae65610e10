/** The stop: what was sent before it comes back, and it has an end. */

import { assert, assertEquals, assertLess, assertMatch, assertRejects } from "@std/assert";
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
import { closeAll, flood, many, readToEnd } from "../support/conns.ts";

const MB = 1 << 20;

Deno.test("fault 13: SIGTERM with 10 clients: what was sent comes back, newcomers are refused, exit 0", async () => {
  await using server = await ServerProcess.start();
  const conns = await many(10, () => server.connect());
  try {
    await Promise.all(conns.map((conn) => roundTrip(conn, "active")));
    const sent = conns.map((_, i) => noise(64 << 10, i + 1));
    await Promise.all(conns.map((conn, i) => writeAll(conn, sent[i]!)));
    const begin = performance.now();
    server.kill("SIGTERM");
    await server.log.with('"stopping"');
    await assertRejects(() => server.connect(), Deno.errors.ConnectionRefused);
    for (const [i, conn] of conns.entries()) {
      const { bytes, error } = await within(3000, "the end of the stream", readToEnd(conn));
      assertEquals(error, "");
      assertEquals(bytes, sent[i]);
    }
    closeAll(conns);
    assertEquals((await within(5000, "its end", server.status)).code, 0);
    assertLess(performance.now() - begin, 2000, "the drain ends when the last client does");
  } finally {
    closeAll(conns);
  }
  await server.log.ended;
  const [stopped] = server.log.events("stopped");
  assertEquals([stopped!["served"], stopped!["failed"]], [10, 0]);
  assertEquals(stopped!["bytes"], 10 * ((64 << 10) + "active".length));
  assertEquals(server.log.events("disconnected").length, 10);
  assertEquals(JSON.parse(server.log.all.at(-1)!).event, "stopped");
});

Deno.test("fault 13: all that was sent before the stop comes back, to a client that is slow to read it, too", async () => {
  await using server = await ServerProcess.start(["--log-level", "info"]);
  using conn = await server.connect();
  const bytes = noise(8 * MB, 14);
  const sending = writeAll(conn, bytes);
  await until("the echo is stuck", async () => {
    const before = loggedBytes(server);
    await pause(300);
    return before > 0 && loggedBytes(server) === before;
  });
  server.kill("SIGTERM");
  await server.log.with('"stopping"');
  await pause(500); // it is slow: that is the case
  const back = await within(4000, "all of it", readUpTo(conn, bytes.length));
  assertEquals(await sha256(back), await sha256(bytes));
  await sending;
  assertEquals(await readToEnd(conn), { bytes: new Uint8Array(), error: "" });
  conn.close();
  assertEquals((await within(5000, "its end", server.status)).code, 0);
  await server.log.ended;
  assertEquals(server.log.events("stopped")[0]!["failed"], 0);
});

Deno.test("fault 13: a client that still sends is echoed on; the quiet one beside it is half-closed at once", async () => {
  await using server = await ServerProcess.start(["--drain", "10s"]);
  using sender = await server.connect();
  using quiet = await server.connect();
  assertEquals(await roundTrip(quiet, "hello"), "hello");
  let quietSawEnd = Infinity;
  const begin = performance.now();
  const end = readToEnd(quiet).then(() => quietSawEnd = performance.now() - begin);
  server.kill("SIGTERM");
  for (let i = 0; i < 40; i++) {
    assertEquals(await roundTrip(sender, `piece ${i}`), `piece ${i}`);
    await pause(30); // longer in all than the quiet one has
  }
  await end;
  assertLess(quietSawEnd, 800);
  await writeAll(sender, new TextEncoder().encode("the last"));
  await sender.closeWrite();
  const { bytes, error } = await within(3000, "the end", readToEnd(sender));
  assertEquals([new TextDecoder().decode(bytes), error], ["the last", ""]);
  closeAll([quiet]);
  assertEquals((await within(3000, "its end", server.status)).code, 0);
  await server.log.ended;
  const reasons = server.log.events("disconnected").map(({ reason }) => reason).sort();
  assertEquals(reasons, ["closed by the client", "the server stopped"]);
});

Deno.test("fault 13: clients that do not finish, or do not read, are cut off after --drain; exit 0", async () => {
  await using server = await ServerProcess.start(["--drain", "1s"]);
  using idle = await server.connect();
  assertEquals(await roundTrip(idle, "hello"), "hello");
  using stuck = await server.connect();
  const sending = flood(stuck);
  await until("its echo has begun", () => server.log.events("message").length > 5);
  const begin = performance.now();
  server.kill("SIGTERM");
  assertEquals((await within(4000, "its end", server.status)).code, 0);
  const took = performance.now() - begin;
  assert(took > 900 && took < 2000, `it took ${took} ms`);
  await within(2000, "the one that does not read is cut off", sending);
  await server.log.ended;
  const reasons = server.log.events("disconnected").map(({ reason }) => String(reason)).sort();
  assertEquals(reasons.length, 2);
  assertMatch(reasons[0]!, /^still open \S+ s after the stop$/);
  assertMatch(reasons[1]!, /^still open \S+ s after the stop, \d{3,} bytes read and not echoed$/);
  assertEquals(server.log.events("stopped")[0]!["failed"], 2);
});
