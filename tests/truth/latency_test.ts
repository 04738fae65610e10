/** What bench reports, beside truths that are known beforehand: delays of a server, and a client in C. */

import { assert, assertEquals } from "@std/assert";
import type { Result } from "../../measure/result.ts";
import { epollObstacle } from "../../net/engine.ts";
import { CProgram } from "../support/c_program.ts";
import { has, holds, run } from "../support/helpers.ts";

async function bench(words: string): Promise<Result> {
  const { stdout, stderr } = await run(["bench", ...words.split(" "), "--json"]);
  if (stdout.length === 0) throw new Error(stderr);
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Within a tenth of the truth, or 0.3 ms; `noise` more, where this machine was seen to be so much late. */
function assertNear(figure: number | null, truth: number, what: string, noise = 0): void {
  const off = Math.abs(figure! - truth);
  assert(
    figure !== null && off <= Math.max(truth / 10, 0.3) + noise,
    `${what}: ${figure} ms, in truth ${truth} ms; the machine was up to ${noise} ms late`,
  );
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
        const { latency_ms: { p50 }, send_delay_ms } = await bench(words);
        const [truth] = await client.figures(scheme, quick.port, 50, rate, 0.4);
        assert(
          Math.abs(p50! - truth!) <= Math.max(0.1, 0.3 * truth!) + send_delay_ms!.p50!,
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
    using client = await CProgram.build("open_loop");
    const check = (scheme: string, ms: number, shape: string, { rate = 0, connections = 1 } = {}) =>
      holds(async () => {
        await using server = await program.serve(scheme, "delay", ms);
        const words = `${shape} -c ${connections}${rate > 0 ? ` --rate ${rate}` : ""} --warmup 200ms`;
        const { latency_ms, send_delay_ms, errors } = await bench(
          `${scheme}://127.0.0.1:${server.port} ${words}`,
        );
        assertEquals(errors, {});
        // The system holds up any client now and then: one in C, in the same load, shows by how much.
        const perSecond = rate === 0 ? connections * 1000 / ms : rate;
        const [c50, c99] = await client.figures(scheme, server.port, connections, perSecond, 0.4);
        const [p50, p99] = await server.end();
        const late = c50! - p50! + (send_delay_ms?.p50 ?? 0);
        assertNear(latency_ms.p50, p50!, `${scheme} ${words}: p50`, late);
        if (latency_ms.p99 !== null) {
          assertNear(latency_ms.p99, ms, `${scheme} ${words}: p99`, p99! - ms + c99! - ms);
        }
      });
    await check("tcp", 5, "-d 500ms --workers 2", { connections: 10 });
    await check("udp", 5, "-d 400ms", { connections: 4 });
    // These two leave the machine idle.
    await Promise.all([
      check("tcp", 150, "-d 800ms", { connections: 20 }),
      check("tcp", 5, "-d 800ms", { rate: 50 }),
    ]);
    for (const scheme of ["tcp", "udp"]) await check(scheme, 5, "-d 400ms", { rate: 1000, connections: 10 });
    await check("tcp", 5, "-d 400ms --workers 2", { rate: 5000, connections: 50 });
    await check("tcp", 150, "-d 400ms", { rate: 500, connections: 5 });
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
        await using server = await program.serve(scheme, "stall", 500, 100);
        const words = "-c 4 --rate 1200 -d 1s --warmup 200ms";
        const { latency_ms } = await bench(`${scheme}://127.0.0.1:${server.port} ${words}`);
        const [, , , deaf] = await server.end();
        // What was due x ms before the stall's end waits for x ms: of 1 s, a share 1 - q waits for longer than this.
        const longest = (share: number) => deaf! - (1 - share) * 1000;
        assertNear(latency_ms.p99, longest(0.99), `${scheme}: p99`);
        assertNear(latency_ms.p99_9, longest(0.999), `${scheme}: p99.9`);
        assertNear(latency_ms.max, deaf!, `${scheme}: max`);
        assert(latency_ms.p50! < 5, `${scheme}: p50 ${latency_ms.p50} ms`);
      });
    }
  },
});

Deno.test({
  name: "truth: on epoll, ping sees the round trip that a program in C sees",
  ignore: tool.ignore || !has("taskset") || epollObstacle() !== undefined,
  async fn() {
    // To wake a process on another core takes longer than all else here, and which one it is chance decides.
    const oneCore = [
      "taskset",
      "-c",
      /^Cpus_allowed_list:\s+(\d+)/m.exec(Deno.readTextFileSync("/proc/self/status"))![1]!,
    ];
    using program = await CProgram.build("delay_server", oneCore);
    using client = await CProgram.build("ping_pong", oneCore);
    await using server = await program.serve("tcp", "delay", 0);
    await holds(async () => {
      const words = `-c 1000 -i 0 -q --json --engine epoll 127.0.0.1:${server.port}`;
      const { stdout } = await run(["ping", ...words.split(" ")], { under: oneCore });
      const { latency_ms: { p50 } } = JSON.parse(new TextDecoder().decode(stdout));
      const [truth] = await client.figures(server.port, 1000, 0);
      assert(p50 <= 1.15 * truth! + 0.01 && p50 >= truth! / 2, `p50 ${p50} ms; in C ${truth} ms`);
    });
  },
});
