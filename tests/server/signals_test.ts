/** What each signal does to a server. */

import { assertEquals, assertLess, assertMatch } from "@std/assert";
import { pause } from "../../base/time.ts";
import { roundTrip, run, ServerProcess, until, within } from "../support/helpers.ts";
import { closeAll, many, readToEnd } from "../support/conns.ts";
import { listeners } from "../support/proc.ts";

Deno.test("fault 13: a second signal ends it at once, with 130", async () => {
  await using server = await ServerProcess.start(["--drain", "1m"]);
  using conn = await server.connect();
  assertEquals(await roundTrip(conn, "hello"), "hello");
  server.kill("SIGTERM");
  await server.log.with('"stopping"');
  assertEquals((await readToEnd(conn)).error, "", "it is told to finish, and does not");
  await pause(600); // sooner, it would count as the same wish
  const begin = performance.now();
  server.kill("SIGINT");
  assertEquals((await within(2000, "its end", server.status)).code, 130);
  assertLess(performance.now() - begin, 500);
});

for (const [first, second] of [["SIGINT", "SIGINT"], ["SIGTERM", "SIGHUP"]] as const) {
  Deno.test(`fault 13: ${first} with ${second} close behind it is one wish: the drain is not skipped`, async () => {
    await using server = await ServerProcess.start();
    using conn = await server.connect();
    assertEquals(await roundTrip(conn, "hello"), "hello");
    server.kill(first);
    await server.log.with('"stopping"');
    server.kill(second);
    assertEquals(await readToEnd(conn), { bytes: new Uint8Array(), error: "" });
    conn.close();
    assertEquals((await within(3000, "its end", server.status)).code, 0);
    await server.log.ended;
    assertEquals(server.log.events("stopped").length, 1);
  });
}

for (const signal of ["SIGHUP", "SIGQUIT", "SIGINT"] as const) {
  Deno.test(`of the trade: ${signal} stops it as SIGTERM does, as --help says`, async () => {
    assertMatch(
      new TextDecoder().decode((await run(["serve", "--help"])).stdout),
      /Signals: INT, TERM, HUP and QUIT stop it \(a second one at once, with 130\)/,
    );
    await using server = await ServerProcess.start();
    using conn = await server.connect();
    assertEquals(await roundTrip(conn, "hello"), "hello");
    server.kill(signal);
    assertEquals(await readToEnd(conn), { bytes: new Uint8Array(), error: "" });
    conn.close();
    assertEquals((await within(3000, "its end", server.status)).code, 0);
    await server.log.ended;
    assertEquals(server.log.events("stopping")[0]!["reason"], signal);
  });
}

Deno.test("of the trade: SIGUSR2 logs the state, and opens nothing", async () => {
  const help = new TextDecoder().decode((await run(["serve", "--help"])).stdout);
  assertMatch(
    help.replaceAll(/\s+/g, " "),
    /USR2, which Windows lacks, logs the present state, and reads the files/,
  );
  await using server = await ServerProcess.start();
  using conn = await server.connect();
  assertEquals(await roundTrip(conn, "hello"), "hello");
  for (let i = 1; i <= 2; i++) {
    server.kill("SIGUSR2");
    await until(`state line ${i}`, () => server.log.events("state").length === i);
    const { open, served, bytes, refused, failed } = server.log.events("state")[i - 1]!;
    assertEquals([open, served, bytes, refused, failed], [1, 1, 5, 0, 0]);
    assertEquals(listeners(server.pid), 1, "its own port alone");
  }
  const lines = server.log.all.length;
  assertEquals(await roundTrip(conn, "again"), "again");
  await server.log.with('"again');
  assertEquals(server.log.all.length, lines + 1, "the message alone");
  conn.close();
  assertEquals(await server.stop(), 0);
});

Deno.test("of the trade: SIGUSR1 ends it at once, before Deno says that its debugger is open", async () => {
  await using server = await ServerProcess.start();
  const conns = await many(150, () => server.connect());
  let busy = true;
  const load = Promise.allSettled(conns.map(async (conn) => {
    while (busy) await roundTrip(conn, "load");
  }));
  try {
    await pause(700); // Deno starts to listen for SIGUSR1 itself half a second after its start
    server.kill("SIGUSR1");
    assertEquals((await within(2000, "its end", server.status)).code, 138);
    await server.log.ended;
    assertEquals(
      server.log.all.filter((line) => line.startsWith("Debugger") || line.startsWith("Visit")),
      [],
    );
  } finally {
    busy = false;
    await load;
    closeAll(conns);
  }
});
