/** What Windows and macOS lack is not reached, and said: by Deno made to behave as there. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { platformOf } from "../../base/platform.ts";
import { ROOT, run, ServerProcess } from "../support/helpers.ts";

/** A compiled program loads nothing before itself. */
const ignore = Deno.env.get("ECHO_BIN") !== undefined;
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

Deno.test({
  name: "as on Windows: serve listens on IPv6 and on IPv4, echoes, and stops by Ctrl-C",
  ignore,
  async fn() {
    const addresses = [":0", "udp://:0"];
    await using server = await ServerProcess.start(addresses, { as: "windows" });
    await server.log.with("udp://0.0.0.0");
    const listening = server.log.events("listening").map(({ address }) => String(address));
    assertMatch(
      listening.join(" "),
      /^tcp:\/\/\[::\]:(\d+) tcp:\/\/0\.0\.0\.0:\1 udp:\/\/\[::\]:(\d+) udp:\/\/0\.0\.0\.0:\2$/,
    );
    for (const address of listening) {
      const target = address.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]");
      const { code, stdout, stderr } = await run(["connect", target, "hi"], { as: "windows" });
      assertEquals([code, text(stdout)], [0, "hi\n"], stderr);
    }
    assertEquals(await server.stop("SIGINT"), 0);
    assertEquals(server.log.events("accept_failed"), [], "that a datagram did not get there is no failure");
  },
});

Deno.test({
  name: "as on Windows: Ctrl-Break stops it as Ctrl-C does, and the log says which it was",
  ignore,
  async fn() {
    await using server = await ServerProcess.start([], { as: "windows" });
    assertEquals(await server.stop("SIGQUIT"), 0);
    assertEquals(server.log.events("stopping").map(({ reason }) => reason), ["SIGBREAK"]);
  },
});

Deno.test({
  name: "as on Windows: ping over UDP is told of datagrams that did not get there, and goes on",
  ignore,
  async fn() {
    await using server = await ServerProcess.start(["udp://127.0.0.1:0"]);
    const { code, stdout } = await run(["ping", "-c", "3", "-i", "10ms", `udp://127.0.0.1:${server.port}`], {
      as: "windows",
    });
    assertStringIncludes(text(stdout), "3 transmitted, 3 received, 0% loss");
    assertEquals(code, 0);
  },
});

for (
  const [words, said] of [
    [["serve", "--workers", "2"], /--workers 2 takes a port that threads share .* this is Windows/],
    [["serve", "--workers", "auto"], /--workers auto takes/],
    [["serve", "unix:C:\\echo.sock"], /Deno has no Unix sockets on Windows/],
    [["connect", "unix:/run/echo.sock", "hi"], /Deno has no Unix sockets on Windows/],
  ] as const
) {
  Deno.test({
    name: `as on Windows: ${words.join(" ")} says what is not there, with exit code 2`,
    ignore,
    async fn() {
      const { code, stderr } = await run(words, { as: "windows" });
      assertMatch(stderr, said);
      assertEquals([code, stderr.trimEnd().split("\n").length], [2, 1]);
    },
  });
}

Deno.test("each system has what it has: signals by their numbers, paths of sockets, words for errors", () => {
  const [linux, macos, windows] = (["linux", "darwin", "windows"] as const).map(platformOf);
  assertEquals([linux?.usr1, macos?.usr1, windows?.usr1], [10, 30, undefined]);
  assertEquals([linux?.socketPath, macos?.socketPath], [107, 103]);
  assertEquals([linux?.sharedPorts, macos?.sharedPorts, windows?.sharedPorts], [true, false, false]);
  assertEquals([macos?.dualStack, windows?.dualStack], [true, false]);
  for (const row of [macos, windows]) assert(!/CAP_NET|ulimit/.test(JSON.stringify(row?.reasons)));
  assertEquals(platformOf("freebsd"), macos);
});

Deno.test("one file asks which system it is, and one listens to signals", () => {
  const rooms = ["", "commands/", "server/", "client/", "threads/", "net/", "net/tls/", "net/proxy/"]
    .concat("probe/", "load/", "measure/", "report/", "cli/", "base/");
  const files = rooms.flatMap((room) =>
    [...Deno.readDirSync(ROOT + room)].filter(({ name }) => name.endsWith(".ts")).map(({ name }) =>
      room + name
    )
  );
  const naming = (what: RegExp) => files.filter((file) => what.test(Deno.readTextFileSync(ROOT + file)));
  assertEquals(naming(/build\.os|process\.platform|"\/dev\/null"/), ["base/platform.ts"]);
  // That of SIGCONT is taken off again.
  assertEquals(naming(/addSignalListener/).sort(), ["cli/signals.ts", "cli/terminal.ts"]);
});
