/** When ping sends, and when it and bench end: by the clock. */

import { assert, assertEquals } from "@std/assert";
import { mangled, pingJson } from "../support/client_process.ts";
import { peer, run, writeAll } from "../support/helpers.ts";

Deno.test("ping sends nothing at the deadline, and calls nothing lost that is still on the way", async () => {
  using server = peer(mangled((piece) => piece));
  const runs = await Promise.all(
    Array.from({ length: 6 }, () => pingJson(`:${server.port} -w 400ms -i 200ms`)),
  );
  assertEquals(runs.map(({ end }) => [end.transmitted, end.received, end.lost]), Array(6).fill([2, 2, 0]));
  // Each reply takes 150 ms: those of the last three messages come after the deadline.
  const over = Promise.withResolvers<void>();
  using slow = peer(async (conn) => {
    const bytes = new Uint8Array(64);
    const pending: Promise<void>[] = [];
    while (await conn.read(bytes) !== null) {
      const reply = bytes.slice();
      const later = new Promise((resolve) => setTimeout(resolve, 150)).then(() => writeAll(conn, reply));
      pending.push(later.catch(() => {})); // ping has ended by then
    }
    await Promise.all(pending);
    over.resolve();
  });
  const { end } = await pingJson(`:${slow.port} -w 500ms -i 60ms`);
  await over.promise;
  assertEquals([end.lost, end.loss_percent, end.errors], [0, 0, {}]);
  assertEquals(end.received + end.unfinished, end.transmitted);
  assert(end.unfinished >= 2 && end.received >= 2, JSON.stringify(end));
});

Deno.test("ping keeps the pace of a short interval", async () => {
  using server = peer(mangled((piece) => piece));
  const { end } = await pingJson(`:${server.port} -c 500 -i 1ms`);
  assertEquals(end.received, 500);
  assert(end.duration_seconds < 0.75, `499 intervals of 1 ms took ${end.duration_seconds} s`);
});

Deno.test("a server that never closes does not hold up the end of ping and bench", async () => {
  const end = Promise.withResolvers<void>();
  using server = peer(async (conn) => {
    for (const bytes = new Uint8Array(64); await conn.read(bytes) !== null;) await writeAll(conn, bytes);
    await end.promise;
  });
  const [ping, bench] = await Promise.all([
    run(["ping", `:${server.port}`, "-c", "1"]),
    run(["bench", `:${server.port}`, "-n", "20", "-c", "20"]),
  ]);
  end.resolve();
  assertEquals([ping.code, bench.code], [0, 0]);
  assert(ping.took < 1500 && bench.took < 2000, `${ping.took}, ${bench.took} ms`);
});
