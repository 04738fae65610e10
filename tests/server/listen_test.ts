/** Where it listens, and what it says where it cannot. */

import { assertEquals, assertLess, assertMatch } from "@std/assert";
import { has, roundTrip, run, ServerProcess, until } from "../support/helpers.ts";
import { closeAll, many } from "../support/conns.ts";
import { freePort } from "../support/silent_server.ts";

const HAS_IPV6 = (() => {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
})();

Deno.test("fault 14: after Ctrl-C with clients connected it can be started again at once", async () => {
  await using first = await ServerProcess.start(["--drain", "100ms"]);
  const conns = await many(10, () => first.connect());
  try {
    await Promise.all(conns.map((conn) => roundTrip(conn, "hello")));
    assertEquals(await first.stop("SIGINT"), 0); // the server closes first: its side lingers in the kernel
    await using second = await ServerProcess.start([`127.0.0.1:${first.port}`]);
    using conn = await second.connect();
    assertEquals(await roundTrip(conn, "back"), "back");
  } finally {
    closeAll(conns);
  }
});

Deno.test("fault 14: a live server on the port is a clear error", async () => {
  await using server = await ServerProcess.start();
  const { code, stderr } = await run(["serve", `127.0.0.1:${server.port}`]);
  assertEquals(code, 1);
  assertEquals(
    stderr,
    `echo: cannot listen on tcp://127.0.0.1:${server.port}: ` +
      "the address is in use by a live server; stop it, or try another port\n",
  );
  using conn = await server.connect();
  assertEquals(await roundTrip(conn, "unharmed"), "unharmed");
});

Deno.test({
  name: "fault 16: it listens where it is told, on IPv6 too, on several addresses at once",
  ignore: !HAS_IPV6,
  async fn() {
    await using server = await ServerProcess.start(["[::1]:0", "127.0.0.1:0", "tcp://localhost:0"]);
    await until("three lines", () => server.log.events("listening").length === 3);
    const addresses = server.log.events("listening").map(({ address }) => String(address));
    assertMatch(addresses.join(" "), /^tcp:\/\/\[::1\]:\d+ tcp:\/\/127\.0\.0\.1:\d+ tcp:\/\/\S+:\d+$/);
    for (const address of addresses) {
      const [, hostname = "", port] = /^tcp:\/\/\[?(.*?)\]?:(\d+)$/.exec(address)!;
      using conn = await Deno.connect({ hostname, port: Number(port) });
      assertEquals(await roundTrip(conn, address), address);
    }
  },
});

Deno.test({
  name: "fault 16: with a port alone it serves every interface, IPv4 and IPv6, and shows IPv4 peers as such",
  ignore: !HAS_IPV6,
  async fn() {
    await using server = await ServerProcess.start([":0"]);
    for (const hostname of ["127.0.0.1", "127.0.0.2", "::1"]) {
      using conn = await Deno.connect({ hostname, port: server.port });
      assertEquals(await roundTrip(conn, hostname), hostname);
    }
    assertEquals(await server.stop(), 0);
    const peers = server.log.events("connected").map(({ peer }) => String(peer).replace(/:\d+$/, ""));
    assertEquals(peers, ["127.0.0.1", "127.0.0.1", "[::1]"]);
  },
});

/** How to try port 80 without the right to it; undefined where everybody has it. */
const WITHOUT_THE_RIGHT = (() => {
  try {
    if (Number(Deno.readTextFileSync("/proc/sys/net/ipv4/ip_unprivileged_port_start")) <= 80) {
      return undefined;
    }
  } catch {
    return undefined;
  }
  if (Deno.uid() !== 0) return [];
  if (!has("setpriv")) return undefined;
  return ["setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service"];
})();

for (
  const [what, address, reason, under = []] of [
    [
      "an address that is not on this machine",
      "203.0.113.1:8890",
      /^this machine has no such address; try :PORT/,
    ],
    ["a name that does not resolve", "no-such-host.invalid:8890", /^the name does not resolve; check/],
    [
      "port 80 without the right to it",
      "127.0.0.1:80",
      /^permission denied .* a higher port$/,
      WITHOUT_THE_RIGHT,
    ],
  ] as const
) {
  Deno.test({
    name: `fault 17: ${what}: one line that names the action and the address, exit 1`,
    ignore: address.endsWith(":80") && WITHOUT_THE_RIGHT === undefined,
    async fn() {
      const { code, stderr, stdout, took } = await run(["serve", "--log-format", "json", address], { under });
      assertEquals(code, 1, stderr);
      assertEquals(stdout.length, 0);
      const [, where, why] = /^echo: cannot listen on tcp:\/\/(\S+): (.+)\n$/.exec(stderr) ?? [];
      assertEquals(where, address, stderr);
      assertMatch(why!, reason);
      assertLess(took, 10_000);
    },
  });
}

Deno.test("fault 17: when one of two addresses fails, none is served", async () => {
  const port = freePort();
  const { code, stderr } = await run(["serve", `127.0.0.1:${port}`, "203.0.113.1:8890"]);
  assertEquals(code, 1);
  assertMatch(stderr, /^echo: cannot listen on tcp:\/\/203\.0\.113\.1:8890: [^\n]+\n$/);
});
