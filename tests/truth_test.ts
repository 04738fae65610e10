/** What bench reports, beside truths that are known beforehand: delays of a server, and a client in C. */

import { assert, assertEquals } from "@std/assert";
import type { Result } from "../stats/result.ts";
import { CProgram } from "./c_program.ts";
import { has, run } from "./helpers.ts";

/** How often a figure may be spoilt by what else runs on this machine. One that is wrong is wrong each time. */
const ATTEMPTS = 4;

async function holds(check: () => Promise<void>): Promise<void> {
  for (let attempt = 1;; attempt++) {
    try {
      return await check();
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

async function bench(words: string): Promise<Result> {
  const { stdout, stderr } = await run(["bench", ...words.split(" "), "--json"]);
  if (stdout.length === 0) throw new Error(stderr);
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Within a tenth of the truth, or 0.3 ms. */
function assertNear(figure: number | null, truth: number, what: string): void {
  const off = Math.abs(figure! - truth);
  assert(figure !== null && off <= Math.max(truth / 10, 0.3), `${what}: ${figure} ms, in truth ${truth} ms`);
}

const tool = { ignore: !has("gcc") };

Deno.test({
  name: "truth: bench --rate reports the latency that a client in C sees, at low and at high rates",
  ...tool,
  async fn() {
    using server = await CProgram.build("delay_server");
    using client = await CProgram.build("open_loop");
    for (const [scheme, rate] of [["tcp", 1000], ["tcp", 5000], ["tcp", 20_000], ["udp", 5000]] as const) {
      await using quick = await server.serve(scheme, "delay", 0);
      await holds(async () => {
        const words = `${scheme}://127.0.0.1:${quick.port} -c 50 --rate ${rate} -d 400ms`;
        const { p50 } = (await bench(words)).latency_ms;
        const [truth] = await client.figures(scheme, quick.port, 50, rate, 0.4);
        assert(
          Math.abs(p50! - truth!) <= Math.max(0.1, 0.3 * truth!),
          `${scheme}, ${rate}/s: p50 ${p50} ms; the client in C sees ${truth} ms`,
        );
      });
    }
  },
});

Deno.test({
  name: "truth: a server's delay to each reply is the latency, in every shape of load",
  ...tool,
  async fn() {
    using program = await CProgram.build("delay_server");
    const check = (scheme: string, ms: number, shape: string, tail = true) =>
      holds(async () => {
        await using server = await program.serve(scheme, "delay", ms);
        const { latency_ms, errors } = await bench(
          `${scheme}://127.0.0.1:${server.port} ${shape} --warmup 200ms`,
        );
        assertEquals(errors, {});
        const [p50, p99] = await server.end();
        assertNear(latency_ms.p50, p50!, `${scheme} ${shape}: p50`);
        if (tail && latency_ms.p99 !== null) assertNear(latency_ms.p99, p99!, `${scheme} ${shape}: p99`);
      });
    // A closed loop leaves the machine idle: all of them at once.
    await Promise.all([
      check("tcp", 5, "-d 800ms"),
      check("tcp", 5, "-d 800ms -c 10 --workers 2"),
      check("udp", 5, "-d 800ms -c 4"),
      check("tcp", 150, "-d 800ms -c 20"),
      check("tcp", 5, "-d 800ms --rate 50"),
    ]);
    // By the clock it takes a core.
    await check("tcp", 5, "-d 400ms --rate 1000 -c 10");
    await check("udp", 5, "-d 400ms --rate 1000 -c 10");
    // Two workers take both cores of a small machine, and hold up its server.
    await check("tcp", 5, "-d 400ms --rate 5000 -c 50 --workers 2", false);
    await check("tcp", 150, "-d 400ms --rate 500 -c 5");
  },
});

Deno.test({
  name: "truth: 2 % of slow replies are p99 and not p90, in a closed loop and by the clock",
  ...tool,
  async fn() {
    using program = await CProgram.build("delay_server");
    for (const [scheme, shape] of [["tcp", "-c 50 -n 5000"], ["udp", "-c 4 --rate 2000 -d 500ms"]] as const) {
      await holds(async () => {
        await using server = await program.serve(scheme, "some", 50, 100);
        const { latency_ms } = await bench(`${scheme}://127.0.0.1:${server.port} ${shape}`);
        assertNear(latency_ms.p99, 100, `${shape}: p99`);
        assert(latency_ms.p90! < 10, `${shape}: p90 ${latency_ms.p90} ms`);
      });
    }
  },
});

Deno.test({
  name:
    "truth: of a stall of a tenth of the time, the open loop's p99, p99.9 and max are known by arithmetic",
  ...tool,
  async fn() {
    using program = await CProgram.build("delay_server");
    for (const scheme of ["tcp", "udp"]) {
      await holds(async () => {
        await using server = await program.serve(scheme, "stall", 700, 200);
        const words = "-c 4 --rate 1000 -d 2s --warmup 200ms";
        const { latency_ms } = await bench(`${scheme}://127.0.0.1:${server.port} ${words}`);
        const [, , , deaf] = await server.end();
        // What was due x ms before the stall's end waits for x ms: of 2 s, a share q - 1 waits for longer than this.
        const longest = (share: number) => deaf! - (1 - share) * 2000;
        assertNear(latency_ms.p99, longest(0.99), `${scheme}: p99`);
        assertNear(latency_ms.p99_9, longest(0.999), `${scheme}: p99.9`);
        assertNear(latency_ms.max, deaf!, `${scheme}: max`);
        assert(latency_ms.p50! < 5, `${scheme}: p50 ${latency_ms.p50} ms`);
      });
    }
  },
});
