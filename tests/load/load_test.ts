/** What bench counts: messages, errors and time, in the warm-up, at the end, and when it is stopped. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { pause } from "../../base/time.ts";
import type { Result } from "../../measure/result.ts";
import { at, ClientProcess, mangled } from "../support/client_process.ts";
import { peer, readUpTo, run, ServerProcess, within, writeAll } from "../support/helpers.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const echo = mangled((piece) => piece);

async function bench(port: number | string, words: string): Promise<{ code: number; result: Result }> {
  const { code, stdout, stderr } = await run([
    "bench",
    typeof port === "number" ? `127.0.0.1:${port}` : port,
    ...words.split(" "),
    "--json",
  ]);
  if (stdout.length === 0) throw new Error(stderr);
  const result = JSON.parse(text(stdout));
  assertAddsUp(result);
  return { code, result };
}

/** What holds of every result, however the run went. */
function assertAddsUp(result: Result): void {
  const { sent, received, lost, unfinished, due, messages, duration_seconds, errors, timeline } = result;
  assertEquals(sent, received + lost + unfinished);
  assertEquals(received, messages);
  assert(due === null || due >= sent, `${sent} sent, ${due} due`);
  const close = (a: number, b: number, what: string) =>
    assert(Math.abs(a - b) <= 1e-3 * Math.max(a, b) + 0.5, `${what}: ${a} and ${b}`);
  close(result.messages_per_second * duration_seconds, messages, "rate times time, and messages");
  let begin = 0;
  let inTimeline = 0;
  for (const { at_seconds, messages_per_second } of timeline) {
    inTimeline += messages_per_second * (at_seconds - begin);
    begin = at_seconds;
  }
  close(inTimeline, messages, "messages of the timeline, and of all");
  const inErrors = Object.values(errors).reduce((sum, n) => sum + n, 0);
  assertEquals(timeline.reduce((sum, second) => sum + second.errors, 0) + result.warmup_errors, inErrors);
}

Deno.test("bench -n with a longer -d divides by the time that the messages took", async () => {
  using server = peer(echo);
  const { result } = await bench(server.port, "-n 500 -d 20s --warmup 0");
  assertEquals(result.messages, 500);
  assert(result.duration_seconds < 10, `500 messages in ${result.duration_seconds} s`);
});

Deno.test("bench -n counts messages of the measurement; those of the warm-up come on top", async () => {
  let bytes = 0;
  using server = peer(mangled((piece) => {
    bytes += piece.length;
    return piece;
  }));
  for (const shape of ["-n 300 --warmup 200ms", "-n 300 --warmup 200ms --rate 3000 -c 3 --workers 2"]) {
    bytes = 0;
    const { code, result } = await bench(server.port, shape);
    assertEquals([code, result.messages, result.sent], [0, 300, 300], shape);
    assert(bytes / 64 > 400, `${shape}: the server saw ${bytes / 64} messages`);
  }
});

Deno.test("bench: a fault in the warm-up counts, is named, and is not in the timeline", async () => {
  const flipped = mangled(at(640, (byte) => [byte ^ 1]));
  let connections = 0;
  using server = peer((conn) => ++connections === 1 ? flipped(conn) : echo(conn));
  for (const shape of ["-d 300ms --warmup 300ms", "-d 300ms --warmup 300ms --rate 1000"]) {
    connections = 0;
    const { code, result } = await bench(server.port, shape);
    assertEquals([code, result.errors, result.warmup_errors], [1, { corrupted: 1 }, 1], shape);
    assert(result.messages > 0, shape);
  }
  connections = 0;
  const { stdout } = await run(["bench", `:${server.port}`, "-d", "300ms", "--warmup", "300ms"]);
  assertMatch(text(stdout), /the first corrupted, in the warm-up: .*640/);
});

Deno.test("bench over UDP: what is lost in the warm-up and falls due in the measurement is of the warm-up", async () => {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  let i = 0;
  (async () => {
    // The 2nd is of the warm-up, 5 are of the measurement.
    for await (const [bytes, from] of socket) {
      if (++i !== 2 && (i < 40 || i >= 45)) await socket.send(bytes, from);
    }
  })().catch(() => {}); // it is closed at the end of the test
  const { port } = socket.addr as Deno.NetAddr;
  const words = "--rate 100 -d 400ms --warmup 200ms --timeout 250ms";
  const { code, result } = await bench(`udp://127.0.0.1:${port}`, words);
  socket.close();
  assertEquals([code, result.errors, result.warmup_errors], [1, { timeout: 6 }, 1]);
  assertEquals([result.due, result.sent, result.received, result.lost], [40, 40, 35, 5]);
});

Deno.test("bench: one fault is one error, and the messages that went down with it are lost", async () => {
  const flipped = mangled(at(64 * 100, (byte) => [byte ^ 1]));
  for (const shape of ["-n 400 --pipeline 10", "--rate 2000 -n 400"]) {
    let connections = 0;
    using server = peer((conn) => ++connections === 1 ? flipped(conn) : echo(conn));
    const { code, result } = await bench(server.port, shape);
    assertEquals([code, result.errors, result.sent], [1, { corrupted: 1 }, 400], shape);
    assert(result.lost >= 1 && result.unfinished === 0, `${shape}: ${result.lost} lost`);
  }
  // In the last message, and at the end of the run.
  using last = peer(mangled(at(64 * 50 - 1, (byte) => [byte ^ 1])));
  const { result } = await bench(last.port, "-n 50 --pipeline 5");
  assertEquals([result.errors, result.sent, result.received, result.lost], [{ corrupted: 1 }, 50, 49, 1]);
});

Deno.test("bench: a server that falls silent is one timeout a connection", async () => {
  using server = peer(async (conn) => {
    await writeAll(conn, await readUpTo(conn, 64 * 20));
    await readUpTo(conn, 1 << 30);
  });
  const { code, result } = await bench(server.port, "--rate 500 -c 2 -d 200ms --warmup 0 --timeout 400ms");
  assertEquals([code, result.errors, result.due], [1, { timeout: 2 }, 100]);
  assertEquals([result.sent, result.received, result.lost], [100, 40, 60]);
});

Deno.test("bench --rate says that the rate was not reached when it was not, and not when replies are slow", async () => {
  const slow = (ms: number) =>
    peer(async (conn) => {
      const buffer = new Uint8Array(64 << 10);
      for (;;) {
        const n = await conn.read(buffer);
        if (n === null) return;
        const bytes = buffer.slice(0, n);
        setTimeout(() => writeAll(conn, bytes).catch(() => {}), ms);
      }
    });
  using late = slow(150);
  const steady = await bench(late.port, "--rate 200 -d 500ms --warmup 0");
  assertEquals(steady.result.warnings.filter((warning) => /rate asked|keep up/.test(warning)), []);
  // Half of what is asked for: a message each 2 ms.
  using overloaded = peer(async (conn) => {
    for (let next = 0;;) {
      const message = await readUpTo(conn, 64);
      if (message.length < 64) return;
      const wait = next - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      await writeAll(conn, message);
      next = Math.max(next, performance.now() - 2) + 2;
    }
  });
  const { result } = await bench(overloaded.port, "--rate 1000 -d 600ms --warmup 0");
  assertMatch(result.warnings.join("\n"), /the replies did not keep up with the rate/);
});

Deno.test("bench says that it was held up itself: each message that was sent late counts", async () => {
  await using server = await ServerProcess.start();
  const words = ["--rate", "1000", "-d", "1s", "--warmup", "0", "--json"];
  await using client = new ClientProcess("bench", `:${server.port}`, ...words);
  await server.log.with('"event":"message"');
  client.kill("SIGSTOP");
  await new Promise((resolve) => setTimeout(resolve, 300)); // the time of the test itself
  client.kill("SIGCONT");
  await client.ended();
  const result: Result = JSON.parse(client.out.all[0]!);
  assertAddsUp(result);
  assertEquals(result.due, 1000);
  const { p99, max } = result.send_delay_ms!;
  assert(p99! > 250 && max! >= 290, `sent up to ${max} ms late, p99 ${p99} ms`);
  assert(
    Math.abs(p99! - result.latency_ms.p99!) < 0.1 * p99! + 5,
    `delay ${p99}, latency ${result.latency_ms.p99} ms`,
  );
  const percent = Number(
    /(\d+) % of the messages were sent more than 1 ms late/.exec(result.warnings.join())?.[1],
  );
  assert(percent >= 29, `${percent} % were late: ${result.warnings}`);
});

/** Stops the client for `stop` ms and lets it go on for `go` ms, again and again until it has ended. */
async function holdUp(client: ClientProcess, stop: number, go: number): Promise<void> {
  const over = new AbortController();
  const ended = client.ended().finally(() => over.abort());
  while (!over.signal.aborted) {
    for (const [signal, ms] of [["SIGSTOP", stop], ["SIGCONT", go]] as const) {
      try {
        client.kill(signal);
      } catch { /* it has ended */ }
      await pause(ms, over.signal);
    }
  }
  await ended;
}

Deno.test("bench: a client that runs half of the time says so", async () => {
  await using server = await ServerProcess.start();
  const words = ["--rate", "500", "-d", "600ms", "--warmup", "0", "--json"];
  await using client = new ClientProcess("bench", `:${server.port}`, ...words);
  await server.log.with('"event":"message"');
  await holdUp(client, 25, 25);
  const result: Result = JSON.parse(client.out.all[0]!);
  assertMatch(result.warnings.join(), /\d\d % of the messages were sent more than 1 ms late/);
  assert(result.send_delay_ms!.p99! > 10, JSON.stringify(result.send_delay_ms));
});

for (
  const [what, stop, go, least] of [
    ["is stopped for 0.5 s", 500, 10_000, 0.4],
    ["runs half of the time", 25, 25, 0.2],
  ] as const
) {
  Deno.test(`bench: a closed loop that ${what} says that it stood still`, async () => {
    await using server = await ServerProcess.start();
    await using client = new ClientProcess("bench", `:${server.port}`, "-d", "1s", "--warmup", "0", "--json");
    await server.log.with('"event":"message"');
    await holdUp(client, stop, go);
    const { warnings }: Result = JSON.parse(client.out.all[0]!);
    const [, seconds] = /bench itself stood still for ([\d.]+) s of /.exec(warnings.join("\n")) ?? [];
    assert(Number(seconds) >= least, `${seconds} s: ${warnings}`);
  });
}

Deno.test("bench: SIGINT while it connects ends it at once", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = listener.accept();
  // Over TLS, with a server that never answers the handshake: it is connecting for sure.
  await using client = new ClientProcess(
    "bench",
    `tls://127.0.0.1:${listener.addr.port}`,
    "--timeout",
    "60s",
  );
  using _conn = await accepted;
  client.kill("SIGINT");
  assertEquals(await client.ended(10_000), 1);
  assertEquals(client.err.all, ["echo: stopped before all connections were made"]);
});

Deno.test("bench: stopped in the warm-up, in the measurement or while it waits for replies, it adds up", async () => {
  using silent = peer(async (conn) => {
    await writeAll(conn, await readUpTo(conn, 64 * 30));
    started.resolve();
    await readUpTo(conn, 1 << 30);
  });
  let started = Promise.withResolvers<void>();
  for (
    const [words, check] of [
      ["--rate 200 -d 10s --warmup 10s", ({ due, sent }: Result) => due === 0 && sent === 0],
      [
        "--rate 200 -d 10s --warmup 0",
        ({ received, unfinished }: Result) => received === 30 && unfinished > 0,
      ],
      ["-n 40 --pipeline 40", ({ received, unfinished }: Result) => received === 30 && unfinished === 10],
    ] as const
  ) {
    started = Promise.withResolvers();
    await using client = new ClientProcess(
      "bench",
      `:${silent.port}`,
      ...words.split(" "),
      "--timeout",
      "60s",
      "--json",
    );
    await within(10_000, "30 messages", started.promise);
    await new Promise((resolve) => setTimeout(resolve, 100)); // so that the replies are read
    client.kill("SIGINT");
    assertEquals(await client.ended(), words.includes("10s --warmup 10s") ? 1 : 0);
    const result: Result = JSON.parse(client.out.all[0]!);
    assertAddsUp(result);
    assert(check(result), `${words}: ${JSON.stringify({ ...result, latency_distribution: 0 })}`);
    assertEquals(result.lost, 0);
  }
});

Deno.test("bench --proxy-protocol sends a header on each connection", async () => {
  let headers = 0;
  using server = peer(async (conn) => {
    const header = text(await readUpTo(conn, 6));
    while (!header.endsWith("\n") && text(await readUpTo(conn, 1)) !== "\n");
    assertStringIncludes(header, "PROXY ");
    headers++;
    await echo(conn);
  });
  const { code, result } = await bench(server.port, "--proxy-protocol v1 -n 100 -c 4 --workers 2");
  assertEquals([code, result.messages, headers], [0, 100, 4]);
});

Deno.test("bench's CPU warning needs a run that is long enough to tell", async () => {
  using server = peer(echo);
  const { result } = await bench(server.port, "-n 1");
  assertEquals(result.warnings.filter((warning) => warning.includes("CPU")), []);
  assertEquals([result.due, result.send_delay_ms], [null, null]);
  assert(result.client_cpu_percent > 0);
});
