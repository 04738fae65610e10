/** A run as `echo bench` calls it: a plan becomes a measurement, and nothing is printed, read or written. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { Failure } from "../../base/errors.ts";
import type { Plan } from "../../load/plan.ts";
import { run } from "../../load/run.ts";

const OBSERVER = { begin() {}, record() {} };

function plan(port: number): Plan {
  return {
    version: "0",
    route: {
      address: { scheme: "tcp", host: "127.0.0.1", port },
      dial: {
        tls: {
          pair: undefined,
          ca: undefined,
          serverName: undefined,
          insecure: false,
          fingerprint: undefined,
        },
        preamble: undefined,
        engine: "deno",
        way: { family: undefined, source: undefined, device: undefined, ttl: undefined, tos: undefined },
      },
      size: 64,
    },
    workers: 2,
    connections: 3,
    first: 0,
    seed: 1,
    pace: { kind: "closed", pipeline: 1 },
    messagesPerConnection: Infinity,
    messages: 100,
    duration: Infinity,
    warmup: 0,
    timeout: 5000,
  };
}

Deno.test({
  name: "a run may write no file, and returns what its threads measured together",
  permissions: { net: true, read: true },
  async fn() {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const clients: Promise<void>[] = [];
    const accepting = (async () => {
      for await (const conn of listener) clients.push(conn.readable.pipeTo(conn.writable).catch(() => {}));
    })();
    let seen = 0;
    const observer = { begin() {}, record: (latencies: Float64Array) => void (seen += latencies.length) };
    const { result, intervals, notes } = await run(
      plan(listener.addr.port),
      new AbortController().signal,
      observer,
    );
    listener.close();
    await accepting;
    await Promise.all(clients);
    assertEquals([result.sent, result.received, result.errors, notes], [100, 100, {}, []]);
    assertEquals(intervals.reduce((sum, { messages }) => sum + messages, 0), 100);
    assertEquals(seen, 100);
    assert(result.duration_seconds > 0);
  },
});

Deno.test("a run that is stopped before it is connected throws, and leaves no thread behind", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await assertRejects(
    () => run(plan(listener.addr.port), AbortSignal.abort(), OBSERVER),
    Failure,
    "stopped before all connections were made",
  );
  listener.close();
});
