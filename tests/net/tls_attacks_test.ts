/** Attacks on the server before a client is let in: handshakes that fail, or never end, and want of descriptors. */

import { assert, assertEquals, assertLess, assertMatch, assertRejects } from "@std/assert";
import { connect as connectTcp } from "node:net";
import { connect as connectTls } from "node:tls";
import { has, readUpTo, roundTrip, run, ServerProcess, until, within, writeAll } from "../support/helpers.ts";
import { descriptors, residentMB } from "../support/proc.ts";

/** Deno 2.7, of which the compiled program is made, cannot close a connection whose TLS handshake goes on. */
const OLD = Deno.version.deno.startsWith("2.7.");
const encoder = new TextEncoder();
const decoder = new TextDecoder();

const start = (words: string[] = [], under: string[] = []) =>
  ServerProcess.start(["tls://127.0.0.1:0", "tcp://127.0.0.1:0", ...words], { under });

const portOf = (server: ServerProcess, scheme: string) => {
  const addresses = server.log.events("listening").map(({ address }) => String(address));
  return Number(
    addresses.find((address) => scheme === "tls" === address.startsWith("tls:"))!.replace(/.*:/, ""),
  );
};

/** Connections that say nothing, where they are accepted; closed when the test leaves the block. */
async function silent(port: number, n: number): Promise<Disposable & { readonly conns: Deno.TcpConn[] }> {
  const conns: Deno.TcpConn[] = [];
  while (conns.length < n) {
    const some = Array.from(
      { length: Math.min(100, n - conns.length) },
      () => Deno.connect({ hostname: "127.0.0.1", port }),
    );
    const made = await Promise.allSettled(some);
    conns.push(...made.filter((one) => one.status === "fulfilled").map(({ value }) => value));
    if (made.some(({ status }) => status === "rejected")) break; // the port is shut
  }
  return {
    conns,
    [Symbol.dispose]() {
      for (const conn of conns) conn.close();
    },
  };
}

/** A client of TLS that trusts the file, or whatever the server shows; its byte comes back, or the promise rejects. */
async function honest(port: number, ca?: string): Promise<void> {
  const trust = ca === undefined ? ["--insecure"] : ["--ca", ca];
  const { code, stderr } = await run(["connect", `tls://127.0.0.1:${port}`, "hello", ...trust]);
  assertEquals(code, 0, stderr);
}

/** What the server answers to SIGUSR2, as soon as `isSo`. */
async function state(
  server: ServerProcess,
  isSo: (state: Record<string, unknown>) => boolean,
): Promise<void> {
  let last: Record<string, unknown> = {};
  const deadline = performance.now() + 15_000;
  do {
    if (performance.now() > deadline) throw new Error(`this is still the state: ${JSON.stringify(last)}`);
    const before = server.log.events("state").length;
    server.kill("SIGUSR2");
    await until("it tells its state", () => server.log.events("state").length > before);
    last = server.log.events("state").at(-1)!;
  } while (!isSo(last));
}

/** A ClientHello of 65,520 bytes (RFC 8446, section 4) that is cut off after 48 KB. */
function halfHello(): Uint8Array {
  const record = 5 + (16 << 10);
  const bytes = new Uint8Array(3 * record);
  for (let at = 0; at < bytes.length; at += record) bytes.set([22, 3, 1, 64, 0], at);
  bytes.set([1, 0, 255, 240], 5);
  return bytes;
}

Deno.test("handshakes that fail are forgotten at once: 3,000 of them leave no more than 100 MB and no descriptor", async () => {
  await using server = await start();
  const bytes = halfHello();
  const attack = async () => {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: portOf(server, "tls") });
    try {
      await writeAll(conn, bytes);
      await conn.closeWrite();
      await readUpTo(conn, 4096);
    } catch { /* reset: it is turned away in any case */ }
    conn.close();
  };
  const some = async (n: number) => {
    for (let i = 0; i < n; i += 50) await Promise.all(Array.from({ length: 50 }, attack));
  };
  await some(3000); // what any load costs once
  const [memory, before] = [residentMB(server.pid, "VmRSS"), descriptors(server.pid)];
  await some(3000);
  assertLess(residentMB(server.pid, "VmRSS") - memory, 100, "MB more than before");
  await until("no descriptor is left over", () => descriptors(server.pid) <= before);
  assertEquals(await server.stop(), 0);
  assertEquals(server.log.events("stopped")[0]!["failed"], 6000);
});

Deno.test({
  name: "silent handshakes take no slot of --max-clients; above 2,000 the oldest gives way",
  ignore: OLD,
  async fn() {
    await using server = await start(["--max-clients", "2"]);
    const port = portOf(server, "tls");
    using attack = await silent(port, 100);
    await honest(port);
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: portOf(server, "tcp") });
    assertEquals(await roundTrip(conn, "and by TCP"), "and by TCP");
    using more = await silent(port, 2000);
    const [oldest] = attack.conns;
    assertEquals(
      await within(5000, "the oldest gives way", oldest!.read(new Uint8Array(1)).catch(() => null)),
      null,
    );
    await honest(port);
    assertEquals(more.conns.length, 2000);
    assertMatch(await server.log.with('"refused"'), /the oldest handshake gives way: 2000 others arrive/);
  },
});

Deno.test({
  name: "with few descriptors and silent handshakes, clients of TLS and of TCP are let in",
  ignore: OLD || !has("prlimit"),
  async fn() {
    await using server = await start([], ["prlimit", "--nofile=80"]);
    const [tls, tcp] = [portOf(server, "tls"), portOf(server, "tcp")];
    using _attack = await silent(tls, 200);
    for (let i = 0; i < 3; i++) {
      using conn = await Deno.connect({ hostname: "127.0.0.1", port: tcp });
      assertEquals(await within(2000, "a client of TCP", roundTrip(conn, "?")), "?");
      await within(5000, "a client of TLS", honest(tls));
    }
  },
});

Deno.test({
  name: "with few descriptors and a burst of 1,500 that speak no TLS, a client is let in within 5 s after it",
  ignore: OLD || !has("prlimit"),
  async fn() {
    await using server = await start([], ["prlimit", "--nofile=64"]);
    const port = portOf(server, "tls");
    using burst = await silent(port, 1500);
    const garbage = encoder.encode("GET / HTTP/1.0\r\n\r\n");
    await Promise.allSettled(burst.conns.map((conn) => writeAll(conn, garbage)));
    for (const conn of burst.conns) conn.closeWrite().catch(() => {}); // it may be turned away by now
    await within(5000, "a client of TLS", honest(port));
  },
});

Deno.test({
  name: "out of descriptors, newcomers of TLS and of TCP are told so, and do not wait",
  ignore: !has("prlimit"),
  async fn() {
    await using server = await start([], ["prlimit", "--nofile=80"]);
    const [tls, tcp] = [portOf(server, "tls"), portOf(server, "tcp")];
    using full = await silent(tcp, 100);
    for (let i = 0; i < 3; i++) {
      for (const port of [tcp, tls]) {
        using newcomer = await Deno.connect({ hostname: "127.0.0.1", port }).catch(() => undefined);
        if (OLD && newcomer === undefined && port === tls) continue; // the port is shut
        await writeAll(newcomer!, encoder.encode("?")).catch(() => {}); // it may be reset by now
        const told = newcomer!.read(new Uint8Array(1)).catch(() => null); // of TLS: it may be an alert
        const byte = await within(3000, `the newcomer on ${port} is told`, told);
        if (port === tcp) assertEquals(byte, null);
      }
    }
    assertEquals(full.conns.length, 100);
  },
});

Deno.test({
  name:
    "a client that was closed and has not left counts as closing, and holds no slot; so does a late handshake",
  ignore: !OLD,
  async fn() {
    const ca = await Deno.makeTempFile();
    await using server = await start(["--save-cert", ca, "--idle-timeout", "200ms", "--max-clients", "1"]);
    const port = portOf(server, "tls");
    const caCerts = [await Deno.readTextFile(ca)];
    const before = descriptors(server.pid);
    const idle = await Deno.connectTls({ hostname: "localhost", port, caCerts });
    assertEquals(await roundTrip(idle, "hello"), "hello");
    await server.log.with(/idle for/);
    const attack = await silent(port, 50);
    await state(server, ({ open, closing }) => open === 0 && closing === 51); // after the 10 s of a handshake
    assertEquals(descriptors(server.pid), before + 51);
    await honest(port, ca);
    attack[Symbol.dispose]();
    idle.close();
    await state(server, ({ open, closing }) => open === 0 && closing === 0);
    assertEquals(descriptors(server.pid), before);
    assertEquals(await server.stop(), 0);
    await Deno.remove(ca);
  },
});

Deno.test({
  name:
    "where silent handshakes hold every descriptor, newcomers are refused, and let in once the silent have left",
  ignore: !OLD || !has("prlimit"),
  async fn() {
    const ca = await Deno.makeTempFile();
    await using server = await start(["--save-cert", ca], ["prlimit", "--nofile=80"]);
    const [tls, tcp] = [portOf(server, "tls"), portOf(server, "tcp")];
    using attack = await silent(tls, 75);
    await server.log.with(/file descriptors/);
    for (let i = 0; i < 3; i++) {
      await assertRejects(
        () => within(5000, "a client of TLS is refused", honest(tls, ca)),
        Error,
        "cannot connect to",
      );
      using conn = await Deno.connect({ hostname: "127.0.0.1", port: tcp });
      const told = conn.read(new Uint8Array(1)).catch(() => null);
      assertEquals(await within(3000, "a client of TCP is refused", told), null);
    }
    for (const conn of attack.conns.splice(0)) conn.close();
    await until("their descriptors are free", () => descriptors(server.pid) < 40);
    // The port is shut for a moment more.
    await until("a client of TLS is let in", () => honest(tls, ca).then(() => true, () => false));
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: tcp });
    assertEquals(await within(2000, "a client of TCP", roundTrip(conn, "?")), "?");
    assertEquals(server.log.all.some((line) => line.includes("gives way")), false);
    await Deno.remove(ca);
  },
});

for (const error of ["ENOBUFS", "ENOMEM", "EPERM"]) {
  Deno.test({
    name: `accept4 fails with ${error} again and again: it rests in between, says so, and goes on`,
    ignore: !has("strace"),
    async fn() {
      const file = await Deno.makeTempFile();
      const strace = ["strace", "-D", "-f", "-qq", "-o", file, "-e", "trace=accept4"];
      await using server = await ServerProcess.start([], {
        under: [...strace, "-e", `inject=accept4:error=${error}:when=1..8`],
      });
      using conn = await server.connect();
      assertMatch(await server.log.with('"accept_failed"'), /out of memory|not permitted/);
      const begin = performance.now();
      assertEquals(await within(5000, "it is let in", roundTrip(conn, "hello")), "hello");
      assert(performance.now() - begin > 500, "between 8 failures it rests");
      await Deno.remove(file);
    },
  });
}

/** A client that trusts anyone, says hello, hears it, and resets the connection. */
function resetAfterHello(port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const raw = connectTcp({ host: "127.0.0.1", port });
  const socket = connectTls({ socket: raw, rejectUnauthorized: false });
  socket.on("error", reject);
  socket.on("secureConnect", () => socket.write("hello"));
  socket.on("data", () => {
    raw.resetAndDestroy();
    resolve();
  });
  return promise;
}

Deno.test({
  name: "a client of TLS that resets the connection has failed, and is no client that closed",
  ignore: OLD,
  async fn() {
    await using server = await start();
    await resetAfterHello(portOf(server, "tls"));
    assertMatch(await server.log.with('"disconnected"'), /reset by the other end/);
    await honest(portOf(server, "tls"));
    assertEquals(await server.stop(), 0);
    assertEquals(server.log.events("disconnected").map(({ reason }) => reason), [
      "connection reset by the other end",
      "closed by the client",
    ]);
    assertEquals(server.log.events("stopped")[0]!["failed"], 1);
  },
});

/** Perl, as neither Deno nor a shell can make a connection reset when it is closed (SO_LINGER of 0). */
const RESETS = `use Socket; for (1 .. $ARGV[1]) {
  socket(my $s, PF_INET, SOCK_STREAM, 0) or die; setsockopt($s, SOL_SOCKET, SO_LINGER, pack("ii", 1, 0)) or die;
  connect($s, sockaddr_in($ARGV[0], INADDR_LOOPBACK)) or die "connect: $!"; close $s }`;

Deno.test({
  name: "connections that are reset before they are accepted are counted",
  ignore: !has("perl"),
  async fn() {
    await using server = await start();
    server.kill("SIGSTOP");
    const args = ["-e", RESETS, String(portOf(server, "tls")), "20"];
    const { success, stderr } = await new Deno.Command("perl", { args }).output();
    assert(success, decoder.decode(stderr));
    server.kill("SIGCONT");
    const told = () =>
      server.log.events("aborted").reduce((sum, { count }) => sum + Number(count), 0) +
      server.log.events("rejected").length;
    await until("20 are told", () => told() === 20);
    assertEquals(await server.stop(), 0);
  },
});
