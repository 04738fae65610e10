import { assert, assertEquals } from "@std/assert";
import type { EventName, Fields } from "../../server/events.ts";
import { LineWriter } from "../../server/line_writer.ts";
import { Totals } from "../../server/totals.ts";
import { ServerPool } from "../../threads/pool.ts";
import {
  ECHO,
  ENGINE,
  engineUnderTest,
  has,
  killed,
  Lines,
  readUpTo,
  ROOT,
  roundTrip,
  run,
  ServerProcess,
  within,
} from "../support/helpers.ts";

Deno.test("two workers share the connections of one port evenly, and no id is used twice", async () => {
  await using server = await ServerProcess.start(["--workers", "2"]);
  const conns = await Promise.all(Array.from({ length: 1000 }, () => server.connect()));
  for (const conn of conns) assertEquals(await roundTrip(conn, "hi"), "hi");
  server.kill("SIGUSR2");
  await server.log.with('"state"');
  const { open, served, bytes, threads } = server.log.events("state")[0] as unknown as Required<Fields>;
  assertEquals([open, served, bytes], [1000, 1000, 2000]);
  for (const share of threads) assert(Math.abs(share - 500) <= 100, `the shares are ${threads}`);
  assertEquals(new Set(server.log.events("connected").map(({ client }) => client)).size, 1000);
  for (const conn of conns) conn.close();
  assertEquals(await server.stop(), 0);
});

Deno.test("the limit of clients holds for all workers together", async () => {
  await using server = await ServerProcess.start(["--workers", "2", "--max-clients", "10"]);
  const conns = await Promise.all(Array.from({ length: 15 }, () => server.connect()));
  const served = await Promise.all(conns.map(async (conn) => {
    try {
      return await roundTrip(conn, "hi") === "hi";
    } catch {
      return false; // closed at once, which may be a reset
    }
  }));
  assertEquals(served.filter((yes) => yes).length, 10);
  for (const conn of conns) conn.close();
  assertEquals(await server.stop(), 0);
});

Deno.test("a stop drains the clients of all workers, and the summary counts them all", async () => {
  await using server = await ServerProcess.start(["--workers", "2"]);
  const conns = await Promise.all(Array.from({ length: 20 }, () => server.connect()));
  for (const conn of conns) assertEquals(await roundTrip(conn, "hello"), "hello");
  server.kill("SIGTERM");
  await Promise.all(conns.map(async (conn) => {
    assertEquals((await readUpTo(conn, 1)).length, 0); // half-closed by the server
    conn.close();
  }));
  const { code } = await within(10_000, "the end", server.status);
  assertEquals(code, 0);
  await server.log.ended;
  const { served, bytes, open, failed } = server.log.events("stopped")[0]!;
  assertEquals([served, bytes, open, failed], [20, 100, 0, 0]);
});

Deno.test("a worker that dies is logged, its clients are lost and counted, and it is started again", async () => {
  const events: [EventName, Fields][] = [];
  let died = Promise.withResolvers<Fields>();
  const log = {
    wants: () => true,
    write(event: EventName, fields: Fields) {
      events.push([event, fields]);
      if (event === "worker_died") died.resolve(fields);
    },
  };
  const totals = new Totals(Totals.memory(2));
  const options = {
    engine: engineUnderTest(),
    addresses: [{ scheme: "tcp", host: "127.0.0.1", port: 0 }] as const,
    listen: { shared: false, socketMode: undefined, tls: undefined },
    maxClients: 100,
    idleTimeout: Infinity,
    writeTimeout: 60_000,
    drain: 1000,
    trust: undefined,
  };
  const writer = new LineWriter({ write: (bytes) => Promise.resolve(bytes.length) });
  const module = new URL("../support/crashing_worker.ts", import.meta.url);
  const pool = new ServerPool(options, 2, totals, { log, writer, level: "warn", format: "json" }, module);
  const stop = new AbortController();
  const listening = Promise.withResolvers<string[]>();
  const ended = pool.run(stop.signal, { listening: listening.resolve, stopping() {} });
  const port = Number(/\d+$/.exec((await listening.promise)[0]!)![0]);
  const connect = () => Deno.connect({ hostname: "127.0.0.1", port });
  try {
    const conns = await Promise.all(Array.from({ length: 40 }, connect));
    for (const conn of conns) assertEquals(await roundTrip(conn, "hi"), "hi");
    const lost = totals.threads[1]!;
    totals.add("refused", 1);
    const { count, reason } = await within(5000, "the news of the death", died.promise);
    assertEquals([count, reason], [lost, "Uncaught Error: the test\\x1b[2J said\\nso"]);
    assertEquals([totals.get("open"), totals.get("failed")], [40 - lost, lost]);
    for (const conn of conns) conn.close();

    // Started again, it takes its share: with 20 connections at a time it cannot miss them for long.
    died = Promise.withResolvers();
    const share = async () => {
      while (totals.threads[1] === 0) {
        const more = await Promise.all(Array.from({ length: 20 }, connect));
        // The dead one's port is closed a moment after its death is told: who came to it is reset.
        const reset = (error: unknown) => assertEquals((error as Error).name, "ConnectionReset");
        for (const conn of more) assertEquals(await roundTrip(conn, "hi").catch(reset) ?? "hi", "hi");
        if (totals.threads[1] === 0) { for (const conn of more.splice(0)) conn.close(); }
        else for (const conn of more) conn.close();
      }
    };
    await within(10_000, "a connection of the new worker", share());
  } finally {
    stop.abort("the test");
    await ended;
  }
});

Deno.test("with --workers too, the port of a live server is refused, whether it has workers or not", async () => {
  for (const words of [[], ["--workers", "2"]]) {
    await using server = await ServerProcess.start(words);
    const { code, stderr } = await run(["serve", `127.0.0.1:${server.port}`, "--workers", "2"]);
    assertEquals(code, 1);
    assertEquals(
      stderr,
      `echo: cannot listen on tcp://127.0.0.1:${server.port}: ` +
        "the address is in use by a live server; stop it, or try another port\n",
    );
  }
});

Deno.test({
  name:
    "a worker that finds no descriptors is tried again, after twice the time each time, until there are some",
  ignore: !has("prlimit"),
  async fn() {
    const args = [
      "--nofile=200",
      Deno.execPath(),
      "run",
      "--no-prompt",
      "--allow-all",
      "tests/support/server_pool.ts",
    ];
    const child = new Deno.Command("prlimit", { args, cwd: ROOT, stdin: "null", stderr: "null" });
    const { code, stdout } = await within(20_000, "the end", child.output());
    assertEquals(code, 0);
    const events = new TextDecoder().decode(stdout).trimEnd().split("\n").map((line) => JSON.parse(line));
    assertEquals(events.map(({ event }) => event), [
      "worker_died",
      "restart_failed",
      "restart_failed",
      "serves again",
    ]);
    assertEquals(events.slice(1, 3).map(({ duration_ms }) => duration_ms), [500, 1000]);
    for (const { reason } of events.slice(1, 3)) {
      assertEquals(reason, "cannot start a worker: out of file descriptors; raise `ulimit -n`");
    }
  },
});

Deno.test("SIGINT is heard while many workers start", async () => {
  const [program = "", ...args] = [...ECHO, "serve", "127.0.0.1:0", "--workers", "48", ...ENGINE];
  const options = { args, cwd: ROOT, stdin: "null", stdout: "null", stderr: "piped" } as const;
  const child = new Deno.Command(program, options).spawn();
  const log = new Lines(child.stderr);
  try {
    const threads = () => [...Deno.readDirSync(`/proc/${child.pid}/task`)].length;
    while (threads() < 16) await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill("SIGINT");
    const most = threads() + 12; // those of which the start had begun come up, and no more
    let seen = 0;
    const ended = child.status.then(({ code }) => {
      seen = Infinity;
      return code;
    });
    while (seen !== Infinity) {
      try {
        seen = Math.max(seen, threads());
        assert(seen <= most, `${seen} threads`);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assertEquals(await ended, 0);
  } finally {
    await killed(child);
    await log.ended;
  }
  assertEquals(log.all.filter((line) => line.includes("listening")), []);
});
