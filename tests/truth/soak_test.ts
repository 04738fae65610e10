/** A server under all that clients do, at once and for a time: what it holds afterwards is what it held before. */

import { assert, assertEquals } from "@std/assert";
import { pause } from "../../base/time.ts";
import {
  engineUnderTest,
  noise,
  readUpTo,
  roundTrip,
  ServerProcess,
  until,
  writeAll,
} from "../support/helpers.ts";

/** ECHO_SOAK=60 is the real one; a run of all tests has no minute for it. */
const SECONDS = Number(Deno.env.get("ECHO_SOAK") ?? 4);
const QUIET = 200;
/** What one crowd may leave behind that the one before has not. */
const SLACK = { deno: 96 << 20, epoll: 12 << 20 };

function descriptors(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}

function rss(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))![1]) * 1024;
}

/** All kinds of clients, until the time is over. */
async function crowd(server: ServerProcess, seconds: number): Promise<void> {
  const end = performance.now() + seconds * 1000;
  const forever = async (step: (i: number) => Promise<void>) => {
    for (let i = 0; performance.now() < end; i++) await step(i);
  };
  const quiet = await Promise.all(Array.from({ length: QUIET }, () => server.connect()));
  const bulk = noise(1 << 20);
  await Promise.all([
    forever(async () => {
      using conn = await server.connect();
      assertEquals(await roundTrip(conn, "hello"), "hello");
    }),
    forever(async () => {
      // Gone before their echo is back: the server's write meets a reset.
      const conn = await server.connect();
      await writeAll(conn, bulk.subarray(0, 100_000));
      conn.close();
    }),
    forever(async () => {
      using conn = await server.connect();
      const [back] = await Promise.all([readUpTo(conn, bulk.length), writeAll(conn, bulk)]);
      assertEquals(back.length, bulk.length);
    }),
    forever(async (i) => {
      const conn = quiet[i % QUIET]!;
      assertEquals(await roundTrip(conn, `quiet ${i}`), `quiet ${i}`);
      await pause(5);
    }),
  ]);
  for (const conn of quiet) conn.close();
}

Deno.test({
  name: "a crowd that connects, resets, floods and is quiet leaves no descriptor and no memory behind",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using server = await ServerProcess.start(["-q"]);
    const before = descriptors(server.pid);
    await crowd(server, SECONDS / 2);
    await until("all descriptors are free", () => descriptors(server.pid) <= before);
    const warm = rss(server.pid);
    await crowd(server, SECONDS);
    await until("all descriptors are free", () => descriptors(server.pid) <= before);
    const grown = rss(server.pid) - warm;
    assert(grown < SLACK[engineUnderTest()], `it has grown by ${grown} bytes`);
    assertEquals(await server.stop(), 0);
    assertEquals(server.log.events("fault"), []);
  },
});
