/** Among very many busy clients each gets its share. */

import { assert, assertEquals, assertLess } from "@std/assert";
import { has, holds, noise, ROOT, ServerProcess, until, within, writeAll } from "../support/helpers.ts";
import { startSilent } from "../support/silent_server.ts";

/** What tests/support/crowd.c prints. */
interface Crowd {
  readonly none: number;
  readonly cut: number;
  readonly least: number;
  readonly median: number;
}

/** Runs tests/support/crowd.c on one core with a quiet server, which makes a turn of the server's event loop long. */
async function crowd(...words: number[]): Promise<Crowd> {
  const core = /Cpus_allowed_list:\s+(\d+)/.exec(Deno.readTextFileSync("/proc/self/status"))![1]!;
  const program = await Deno.makeTempFile({ prefix: "echo-crowd-" });
  try {
    const gcc = new Deno.Command("gcc", { args: ["-O2", "-o", program, `${ROOT}tests/support/crowd.c`] });
    assert((await gcc.output()).success, "gcc tests/support/crowd.c");
    const flags = ["-q", "--write-timeout", "100ms"]; // the wait for a turn, which is longer, is none for a client
    await using server = await startSilent(flags, { under: ["taskset", "-c", core] });
    const args = ["-c", core, program, String(server.port), ...words.map(String)];
    const { stdout, stderr } = await within(
      30_000,
      "the end of the crowd",
      new Deno.Command("taskset", { args }).output(),
    );
    const text = new TextDecoder().decode(stdout);
    assert(text !== "", new TextDecoder().decode(stderr));
    return JSON.parse(text);
  } finally {
    await Deno.remove(program);
  }
}

const HAS_CROWD = has("gcc", "taskset");
const MOST_FILES = Number(/^Max open files +(\d+)/m.exec(Deno.readTextFileSync("/proc/self/limits"))?.[1]);

for (const clients of [3000, 9000]) {
  Deno.test({
    name: `of the trade: of ${clients} busy clients none starves: each gets its share`,
    ignore: !HAS_CROWD || MOST_FILES < clients + 100,
    async fn() {
      const { none, cut, least, median } = await crowd(clients, 2500);
      assertEquals([none, cut], [0, 0], "none is without a reply, none is cut off");
      assert(least >= median / 2, `the least has ${least} replies, the median ${median}`);
    },
  });
}

Deno.test({
  name: "of the trade: a client that goes on is not held up by 300 that have become quiet",
  ignore: !HAS_CROWD,
  async fn() {
    const bursts = 75;
    const { median } = await crowd(1, bursts * 20, 300, 20);
    assert(median > 2 * bursts, `${median} round trips beside ${bursts} bursts of the others`);
  },
});

Deno.test("SIGUSR2 is answered within 50 ms while 16 clients send all that they can", async () => {
  // A new server each time: whatever else this machine does then holds up no second one.
  await holds(async () => assertLess(await quickAnswer(), 50, "the third quickest of nine, in ms"));
});

/**
 * How many milliseconds a server that has all that it can do takes to answer SIGUSR2: the third quickest of nine times.
 * The load is in this process, and holds up its own clock; a server that is slow is so each time.
 */
async function quickAnswer(): Promise<number> {
  await using server = await ServerProcess.start(["-q"]);
  const conns = await Promise.all(Array.from({ length: 16 }, () => server.connect()));
  const bulk = noise(1 << 20);
  let busy = true;
  const load = Promise.allSettled(conns.flatMap((conn) => [
    (async () => {
      while (busy) await writeAll(conn, bulk);
      await conn.closeWrite();
    })(),
    (async () => {
      const into = new Uint8Array(256 << 10);
      while (await conn.read(into) !== null);
    })(),
  ]));
  const took: number[] = [];
  try {
    for (let i = 0; i < 9; i++) {
      const seen = server.log.events("state").length;
      const begin = performance.now();
      server.kill("SIGUSR2");
      await until("its answer", () => server.log.events("state").length > seen, 10_000, 1);
      took.push(performance.now() - begin);
    }
  } finally {
    busy = false;
    await load;
    for (const conn of conns) conn.close();
  }
  assertEquals(await server.stop(), 0);
  return took.sort((a, b) => a - b)[2]!;
}
