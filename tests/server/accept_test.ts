/** Clients that come: many at once, some that fail, more than there are descriptors or slots for. */

import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { pause } from "../../base/time.ts";
import {
  ENGINE,
  has,
  readUpTo,
  roundTrip,
  ServerProcess,
  until,
  within,
  writeAll,
} from "../support/helpers.ts";
import { closeAll, isServed, many, readToEnd } from "../support/conns.ts";
import { cpuSeconds, descriptors, isStopped } from "../support/proc.ts";

/** strace that lets the process keep its id (-D) and writes nothing of its own. */
const inject = (what: string) => [
  ...["strace", "-D", "-f", "-qq", "-o", "/dev/null"],
  ...["-e", `trace=${what.split(":")[0]}`, "-e", `inject=${what}`],
];

Deno.test({
  name: "fault 2: a client that cannot be set up is closed, not left hanging, and the next is served",
  ignore: !has("strace"),
  async fn() {
    await using server = await ServerProcess.start();
    const call = ENGINE.includes("epoll") ? "epoll_ctl" : "setsockopt";
    const strace = new Deno.Command("strace", {
      args: [
        "-f",
        "-p",
        String(server.pid),
        "-e",
        `trace=${call}`,
        "-e",
        `inject=${call}:error=EINVAL:when=1`,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const output = strace.stderr.pipeThrough(new TextDecoderStream()).getReader();
    for (let seen = ""; !seen.includes("attached");) {
      const { value, done } = await within(5000, "strace attaches", output.read());
      assert(!done, `strace cannot attach: ${seen}`);
      seen += value;
    }
    const rest = (async () => {
      while (!(await output.read()).done);
    })();
    const before = descriptors(server.pid);
    using unlucky = await server.connect();
    assertEquals((await within(2000, "the end", readToEnd(unlucky))).bytes.length, 0);
    strace.kill("SIGINT");
    await Promise.all([strace.status, rest]);
    await server.log.with('"accept_failed"');
    assertEquals(descriptors(server.pid), before, "its descriptor is free again");
    using next = await server.connect();
    assertEquals(await roundTrip(next, "next"), "next");
    closeAll([unlucky, next]);
    assertEquals(await server.stop(), 0);
  },
});

Deno.test({
  name: "fault 7: out of file descriptors, it turns newcomers away, rests, and recovers",
  ignore: !has("prlimit"),
  async fn() {
    await using server = await ServerProcess.start([], { under: ["prlimit", "--nofile=256"] });
    const conns = await many(400, () => server.connect());
    try {
      const served = await within(5000, "each is served or closed", Promise.all(conns.map(isServed)));
      const lucky = conns.filter((_, i) => served[i]);
      assert(lucky.length > 150 && lucky.length < 256, `${lucky.length} were served`);

      const cpu = cpuSeconds(server.pid);
      const begin = performance.now();
      for (let i = 0; i < 5; i++) {
        using newcomer = await server.connect();
        assertEquals(await within(1000, "a newcomer is told", isServed(newcomer)), false);
        await pause(500); // how much it does in that time: that is the case
      }
      const seconds = (performance.now() - begin) / 1000;
      assertLess(cpuSeconds(server.pid) - cpu, 0.1 * seconds, "processor time");
      const lines = ["refused", "accept_failed"].flatMap((event) => server.log.events(event));
      assertLess(lines.length, seconds + 3, "one line a second");

      closeAll(lucky.splice(0, 50));
      await until("50 have left", () => server.log.events("disconnected").length === 50);
      const next = await many(20, () => server.connect());
      conns.push(...next);
      assertEquals(await Promise.all(next.map(isServed)), next.map(() => true), "there is room again");
      assertEquals(await isServed(lucky[0]!), true, "and nobody else was hurt");
    } finally {
      closeAll(conns);
    }
    assertEquals(await server.stop(), 0);
  },
});

Deno.test({
  name: "fault 7: a connection aborted before it was accepted does not end the server",
  ignore: !has("strace"),
  async fn() {
    await using server = await ServerProcess.start([], {
      under: inject("accept4:error=ECONNABORTED:when=3"),
    });
    for (let i = 0; i < 6; i++) {
      using conn = await server.connect();
      assertEquals(await within(2000, `round trip ${i}`, roundTrip(conn, `number ${i}`)), `number ${i}`);
    }
    assertMatch(await server.log.with('"aborted"'), /connection aborted before it was accepted/);
  },
});

/** Perl, as neither Deno nor a shell can make a connection reset when it is closed (SO_LINGER of 0). */
const RESETS = `use Socket; for (1 .. $ARGV[1]) {
  socket(my $s, PF_INET, SOCK_STREAM, 0) or die; setsockopt($s, SOL_SOCKET, SO_LINGER, pack("ii", 1, 0)) or die;
  connect($s, sockaddr_in($ARGV[0], INADDR_LOOPBACK)) or die "connect: $!"; close $s }`;

Deno.test({
  name: "fault 7: 5,000 times connect and reset hold up nobody",
  ignore: !has("perl"),
  async fn() {
    await using server = await ServerProcess.start();
    const perl = new Deno.Command("perl", { args: ["-e", RESETS, String(server.port), "5000"] });
    const resets = perl.output();
    let slowest = 0;
    let over = false;
    resets.finally(() => over = true);
    do {
      const begin = performance.now();
      using conn = await server.connect();
      assertEquals(await roundTrip(conn, "me too"), "me too");
      slowest = Math.max(slowest, performance.now() - begin);
    } while (!over);
    const { success, stderr } = await resets;
    assert(success, new TextDecoder().decode(stderr));
    assertLess(slowest, 1000, "the slowest round trip meanwhile, in ms");
    assertEquals(await server.stop(), 0);
    assertLess(server.log.events("aborted").length, 20);
    assertEquals(server.log.events("accept_failed"), [], "it is no warning");
  },
});

Deno.test("fault 9: of L+5 clients exactly L are served; when one leaves, the next is let in", async () => {
  await using server = await ServerProcess.start(["--max-clients", "20"]);
  const conns = await many(25, () => server.connect());
  try {
    const served = await within(5000, "each is served or closed", Promise.all(conns.map(isServed)));
    assertEquals(served.filter(Boolean).length, 20);
    conns[served.indexOf(true)]!.close();
    await server.log.with('"disconnected"');
    const next = await server.connect();
    conns.push(next);
    assertEquals(await isServed(next), true);
    using surplus = await server.connect();
    assertEquals(await isServed(surplus), false);
  } finally {
    closeAll(conns);
  }
  assertEquals(await server.stop(), 0);
  const refused = server.log.events("refused");
  assertEquals(refused.reduce((sum, { count }) => sum + Number(count), 0), 6);
  assertLess(refused.length, 4, "at most one line a second");
  assertEquals(server.log.events("stopped")[0]!["refused"], 6);
});

Deno.test("fault 15: of 500 clients in one burst none waits more than a second", async () => {
  await using server = await ServerProcess.start();
  await many(500, async () => {
    const begin = performance.now();
    using conn = await server.connect();
    assertEquals(await roundTrip(conn, "hello"), "hello");
    assertLess(performance.now() - begin, 1000);
  });
});

Deno.test("fault 15: 500 clients can connect while the server is stopped, and are served when it goes on", async () => {
  await using server = await ServerProcess.start();
  server.kill("SIGSTOP");
  await until("it is stopped", () => isStopped(server.pid));
  const begin = performance.now();
  const conns = await within(5000, "all are in the queue", many(500, () => server.connect()));
  try {
    assertLess(performance.now() - begin, 1000, "none had to knock twice");
    server.kill("SIGCONT");
    const served = await within(2000, "all are served", Promise.all(conns.map(isServed)));
    assertEquals(served.filter(Boolean).length, 500);
  } finally {
    closeAll(conns);
  }
});

Deno.test("above --max-clients a client that comes through a proxy is counted once, as rejected", async () => {
  await using server = await ServerProcess.start([
    "127.0.0.1:0",
    "--proxy-protocol",
    "--trust",
    "127.0.0.1",
    "--max-clients",
    "1",
  ]);
  const arrive = async () => {
    const conn = await server.connect();
    await writeAll(conn, new TextEncoder().encode("PROXY TCP4 192.0.2.1 192.0.2.2 1000 2000\r\n"));
    return conn;
  };
  using first = await arrive();
  assertEquals(await roundTrip(first, "first"), "first");
  using second = await arrive();
  assertEquals((await readUpTo(second, 1)).length, 0);
  assertMatch(await server.log.with('"rejected"'), /1 clients are connected, the limit of --max-clients/);
  first.close();
  assertEquals(await server.stop(), 0);
  const { accepted, served, rejected, refused } = server.log.events("stopped")[0]!;
  assertEquals([accepted, served, rejected, refused], [2, 1, 1, 0]);
});
