/** Clients that are silent, and clients that do not read. */

import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { pause } from "../../base/time.ts";
import { CANCELS_WRITES, has, roundTrip, ServerProcess, until, within } from "../support/helpers.ts";
import { flood, readToEnd } from "../support/conns.ts";
import { descriptors } from "../support/proc.ts";

Deno.test("fault 10: a silent client is closed at --idle-timeout, a busy one is not; without it, none", async () => {
  await using strict = await ServerProcess.start(["--idle-timeout", "1s"]);
  await using lenient = await ServerProcess.start();
  using silent = await strict.connect();
  using busy = await strict.connect();
  using patient = await lenient.connect();
  const begin = performance.now();
  let closedAfter = Infinity;
  const end = readToEnd(silent).then((end) => {
    closedAfter = performance.now() - begin;
    return end;
  });
  for (let i = 0; i < 9; i++) {
    await pause(200); // the time that passes is the case
    assertEquals(await roundTrip(busy, "busy"), "busy");
  }
  assert(closedAfter > 990 && closedAfter < 1500, `it was closed after ${closedAfter} ms`);
  assertEquals(await end, { bytes: new Uint8Array(), error: "" });
  assertMatch(String(strict.log.events("disconnected")[0]!["reason"]), /^idle for 1/);
  assertEquals(await roundTrip(patient, "patient"), "patient");
});

Deno.test("fault 10: 200 clients that never read hold up nobody, and are cut off at --write-timeout", async () => {
  await using server = await ServerProcess.start(["--write-timeout", "3s"]);
  using healthy = await server.connect();
  assertEquals(await roundTrip(healthy, "ready"), "ready");
  const before = descriptors(server.pid);
  // In a thread of their own: what 200 senders cost this process is not what is measured.
  const worker = new Worker(
    URL.createObjectURL(
      new Blob([`
        const conns = [];
        for (let i = 0; i < 200; i++) conns.push(await Deno.connect({ hostname: "127.0.0.1", port: ${server.port} }));
        const piece = new Uint8Array(64 << 10);
        let sent = 0;
        for (const conn of conns) {
          (async () => { for (;;) sent += await conn.write(piece); })().catch(() => {});
        }
        for (let last = -1; last !== sent;) {
          last = sent;
          await new Promise((resolve) => setTimeout(resolve, 500));
        }
        postMessage("stuck");
        onmessage = async () => {
          const ends = await Promise.all(conns.map(async (conn) => {
            const into = new Uint8Array(1 << 20);
            try { while (await conn.read(into) !== null); } catch { /* a reset is an end as well */ }
            conn.close();
          }));
          postMessage(ends.length);
        };`], { type: "text/javascript" }),
    ),
    { type: "module" },
  );
  try {
    const told = () => new Promise<unknown>((resolve) => worker.onmessage = ({ data }) => resolve(data));
    const stuck = told();
    // While they still send they get what any 200 busy clients get. What counts is when they are stuck.
    await within(15_000, "the senders are stuck", stuck);
    const trips: number[] = [];
    let seen = 0; // the log is long, and to parse all of it each time would be the slowest thing here
    for (let gone = 0; gone < 200;) {
      for (; seen < server.log.all.length; seen++) {
        if (server.log.all[seen]!.includes('"disconnected"')) gone++;
      }
      const begin = performance.now();
      assertEquals(await roundTrip(healthy, "healthy"), "healthy");
      trips.push(performance.now() - begin);
      await pause(20);
      assertLess(trips.length, 500, "they are cut off");
    }
    // The median, as a busy machine may hold up any single one.
    assertLess(trips.sort((a, b) => a - b)[trips.length >> 1]!, 50, `of ${trips.length} round trips, in ms`);
    for (const { reason } of server.log.events("disconnected")) {
      assertMatch(String(reason), /^did not read for 3/);
    }
    if (CANCELS_WRITES) {
      await until("their descriptors are free", () => descriptors(server.pid) <= before, 2000);
    }
    const ended = told();
    worker.postMessage("read");
    assertEquals(await within(5000, "each of the 200 sees an end", ended), 200);
  } finally {
    worker.terminate();
  }
});

Deno.test({
  name: "of the trade: the clock jumps by a day, both ways: nobody is disconnected",
  ignore: !has("faketime"),
  async fn() {
    // The wrapper would stand between us and the server, so only its library is taken.
    const wrapper = new Deno.Command("faketime", { args: ["-f", "+0", "printenv", "LD_PRELOAD"] });
    const LD_PRELOAD = new TextDecoder().decode((await wrapper.output()).stdout).trim();
    const offset = await Deno.makeTempFile();
    try {
      await Deno.writeTextFile(offset, "+0");
      const env = {
        LD_PRELOAD,
        FAKETIME_TIMESTAMP_FILE: offset,
        FAKETIME_NO_CACHE: "1",
        FAKETIME_DONT_FAKE_MONOTONIC: "1", // a clock that is set does not move the monotonic one
      };
      const limits = ["--idle-timeout", "10s", "--write-timeout", "10s"]; // swept twice a second
      await using server = await ServerProcess.start(limits, { env });
      using silent = await server.connect();
      using stuck = await server.connect();
      const sending = flood(stuck);
      await until("both are connected", () => server.log.events("connected").length === 2);
      for (const [jump, day] of [["+1d", 1], ["-1d", -1]] as const) {
        await Deno.writeTextFile(offset, jump);
        using witness = await server.connect();
        assertEquals(await roundTrip(witness, `jump ${jump}`), `jump ${jump}`);
        const { time } = JSON.parse(await server.log.with(`jump ${jump}`));
        const hours = (Date.parse(time) - Date.now()) / 3_600_000;
        assert(Math.abs(hours - 24 * day) < 1, `its clock is ${hours} hours off`);
        await pause(1200); // two sweeps
        assertEquals(server.log.events("disconnected").length, day === 1 ? 0 : 1, "the first witness alone");
      }
      assertEquals(await roundTrip(silent, "still here"), "still here");
      server.kill("SIGKILL"); // ends the write, which closing would not do in Deno 2.7
      await sending;
    } finally {
      await Deno.remove(offset);
    }
  },
});
