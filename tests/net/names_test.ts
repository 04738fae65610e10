/** A name with several addresses: each is tried, and an error says which were. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { has, peer, readUpTo, run, type RunResult, ServerProcess, writeAll } from "../support/helpers.ts";

/** Whether a program may see another /etc/hosts here. */
const MAY_MOUNT = has("unshare") && await mayMount();
/** A name with an address of each family, and one with one. */
const HOSTS = "::1 both.test\n127.0.0.1 both.test\n127.0.0.1 one.test\n";

async function mayMount(): Promise<boolean> {
  const { success } = await new Deno.Command("unshare", { args: ["--mount", "true"], stderr: "null" })
    .output();
  return success;
}

/** Runs `echo WORDS` where /etc/hosts is ours. */
async function runNamed(words: readonly string[]): Promise<RunResult> {
  const hosts = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(hosts, HOSTS);
    const script = `mount --bind ${hosts} /etc/hosts && exec "$@"`;
    return await run(words, { under: ["unshare", "--mount", "sh", "-c", script, "sh"] });
  } finally {
    await Deno.remove(hosts);
  }
}

/** A port that is free on ::1 and on 127.0.0.1. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "::", port: 0 });
  return listener.addr.port;
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

Deno.test({
  name: "a name whose first address refuses is reached at its second, by every command",
  ignore: !MAY_MOUNT,
  async fn() {
    await using server = await ServerProcess.start();
    const where = `both.test:${server.port}`;
    const connected = await runNamed(["connect", where, "hello"]);
    assertEquals([connected.code, text(connected.stdout)], [0, "hello\n"], connected.stderr);
    const ping = await runNamed(["ping", "-c", "1", where]);
    assertEquals(ping.code, 0, ping.stderr);
    const bench = await runNamed(["bench", "-n", "10", where]);
    assertEquals(bench.code, 0, bench.stderr);
    const told = `tcp://${where} (127.0.0.1)`;
    assertStringIncludes(
      (await runNamed(["connect", "-v", where, "hello"])).stderr,
      `connected to ${told} in`,
    );
    assertStringIncludes(text(ping.stdout), `ping ${told}: 64 bytes a message, engine`);
    assertStringIncludes(text(ping.stdout), `64 bytes from ${where} (127.0.0.1): seq=1`);
    assertStringIncludes(text(bench.stdout), `${told}: 1 connection`);
    const json = await runNamed(["bench", "-n", "10", "--json", where]);
    assertEquals(JSON.parse(text(json.stdout)).peers, [`127.0.0.1:${server.port}`]);
  },
});

Deno.test({
  name: "-4 and -6 take the addresses of their family alone, and say so where there is none",
  ignore: !MAY_MOUNT,
  async fn() {
    await using server = await ServerProcess.start([":0"]);
    for (const [flag, ip] of [["-4", "127.0.0.1"], ["-6", "::1"]] as const) {
      for (const command of [["connect", "-v"], ["ping", "-c", "1"], ["bench", "-n", "1"]]) {
        const { code, stdout, stderr } = await runNamed([...command, flag, `both.test:${server.port}`, "x"]
          .slice(0, command[0] === "connect" ? undefined : -1));
        assertEquals(code, 0, stderr);
        assertStringIncludes(text(stdout) + stderr, `tcp://both.test:${server.port} (${ip})`);
      }
    }
    const { code, stderr } = await runNamed(["connect", "-6", "one.test", "x"]);
    assertEquals([code, stderr], [
      1,
      "echo: cannot connect to tcp://one.test:8890: the name has no IPv6 address, only 127.0.0.1\n",
    ]);
  },
});

Deno.test("--source is where a connection and a datagram come from, for every command", async () => {
  const seen: string[] = [];
  using server = peer(async (conn) => {
    seen.push(conn.remoteAddr.hostname);
    for (let got; (got = await readUpTo(conn, 2)).length > 0;) await writeAll(conn, got);
  });
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  (async () => {
    for await (const [datagram, from] of socket) {
      seen.push((from as Deno.NetAddr).hostname);
      await socket.send(datagram, from);
    }
  })().catch(() => {}); // closed
  const { port } = socket.addr as Deno.NetAddr;
  for (const address of [`127.0.0.1:${server.port}`, `udp://127.0.0.1:${port}`]) {
    const way = ["--source", "127.0.0.9", address];
    for (const words of [["connect", ...way, "x"], ["ping", "-c1", ...way], ["bench", "-n1", ...way]]) {
      const { code, stderr } = await run(words);
      assertEquals([code, seen.splice(0)], [0, ["127.0.0.9"]], stderr);
    }
    const { code, stderr } = await run(["connect", "--source", "192.0.2.7", address, "x"]);
    assertEquals(code, 1);
    assertStringIncludes(stderr, "this machine has no address 192.0.2.7; see --source");
  }
  socket.close();
});

Deno.test({
  name: "over TLS too",
  ignore: !MAY_MOUNT,
  async fn() {
    await using server = await ServerProcess.start(["tls://127.0.0.1:0"]);
    const { stderr } = await runNamed(["connect", `tls://both.test:${server.port}`, "hello"]);
    assertMatch(stderr, /TLS: .*certificate/); // that is, somebody answered
  },
});

Deno.test({
  name: "an error names every address that was tried, and what it said",
  ignore: !MAY_MOUNT,
  async fn() {
    const port = freePort();
    const rows: [host: string, why: string][] = [
      [
        "both.test",
        "connection refused at ::1 and 127.0.0.1; nothing listens there, or a firewall rejects it",
      ],
      ["one.test", "connection refused at 127.0.0.1; nothing listens there, or a firewall rejects it"],
      ["127.0.0.1", "connection refused; nothing listens there, or a firewall rejects it"],
    ];
    for (const [host, why] of rows) {
      const { code, stderr } = await runNamed(["connect", `${host}:${port}`, "hello"]);
      assertEquals([code, stderr], [1, `echo: cannot connect to tcp://${host}:${port}: ${why}\n`]);
    }
    const { stdout } = await runNamed(["ping", "-c", "1", `both.test:${port}`]);
    assertStringIncludes(text(stdout), "connection refused at ::1 and 127.0.0.1");
  },
});

/** An address where the system answers no more connects: its backlog is full and nobody accepts. */
async function silence(hostname: string, port: number): Promise<Disposable> {
  const listener = Deno.listen({ hostname, port, tcpBacklog: 1 });
  const open: Deno.Conn[] = [];
  for (let full = false; !full;) {
    const pending = Deno.connect({ hostname, port, signal: AbortSignal.timeout(300) });
    await pending.then((conn) => open.push(conn), () => full = true);
  }
  return {
    [Symbol.dispose]() {
      for (const conn of open) conn.close();
      listener.close();
    },
  };
}

Deno.test({
  name: "a first address that is silent holds up the second by a quarter of a second, and not by --timeout",
  ignore: !MAY_MOUNT,
  async fn() {
    using server = peer(async (conn) => {
      await writeAll(conn, await readUpTo(conn, 2));
      await readUpTo(conn, 1);
    });
    using _silence = await silence("::1", server.port);
    const { took: start } = await runNamed(["--version"]);
    const { code, stderr, took } = await runNamed([
      "connect",
      "--timeout",
      "20s",
      `both.test:${server.port}`,
      "x",
    ]);
    assertEquals(code, 0, stderr);
    assert(took > 250 && took - start < 5000, `${took} ms, of which ${start} ms is the start`);
  },
});

Deno.test({
  name: "where all are silent, or one is and one refuses, the error says which",
  ignore: !MAY_MOUNT,
  async fn() {
    const port = freePort();
    using _six = await silence("::1", port);
    const words = ["connect", "--timeout", "700ms", `both.test:${port}`, "x"];
    assertStringIncludes(
      (await runNamed(words)).stderr,
      "connection refused at 127.0.0.1, no answer at ::1 within 700 ms; a firewall drops it",
    );
    using _four = await silence("127.0.0.1", port);
    const measures = ["--timeout", "400ms", `both.test:${port}`];
    const [ping, bench] = await Promise.all([
      runNamed(["ping", "-c", "1", ...measures]),
      runNamed(["bench", "-n", "1", ...measures]),
    ]);
    assertStringIncludes(text(ping.stdout), "no answer at ::1 and 127.0.0.1 within 400 ms");
    assertStringIncludes(bench.stderr, "no answer at ::1 and 127.0.0.1 within 400 ms");
    assertStringIncludes(
      (await runNamed(words)).stderr,
      "no answer at ::1 and 127.0.0.1 within 700 ms; a firewall drops it",
    );
  },
});

for (
  const [error, said] of [
    ["EADDRNOTAVAIL", "this machine has no port free for it"],
    ["EACCES", "not permitted by the system; a firewall rule forbids it"],
  ] as const
) {
  Deno.test({
    name: `${error} means for who connects what it does not mean for who listens`,
    ignore: !has("strace"),
    async fn() {
      const strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=connect"];
      const under = [...strace, "-e", `inject=connect:error=${error}`];
      const { code, stderr } = await run(["connect", "127.0.0.1:1", "hi"], { under });
      assertStringIncludes(stderr, `echo: cannot connect to tcp://127.0.0.1:1: ${said}`);
      assertEquals(code, 1);
    },
  });
}
