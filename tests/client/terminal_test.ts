/** `echo connect` as a person sees it: in a real terminal, which tmux provides. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  ECHO,
  has,
  onEngine,
  peer,
  readUpTo,
  roundTrip,
  ServerProcess,
  writeAll,
} from "../support/helpers.ts";
import { SCRIPT, Terminal } from "../support/terminal.ts";

const encoder = new TextEncoder();
const ignore = !has("tmux");

Deno.test({
  name: "a session: where to, prompt, lines with their round-trip times, history, and the summary",
  ignore,
  async fn() {
    await using server = await ServerProcess.start();
    await using terminal = await Terminal.connect(`:${server.port}`);
    const where = `connected to tcp://127.0.0.1:${server.port} in `;
    const start = await terminal.shows(/\n>$/);
    assertMatch(start, new RegExp(`^${where}[\\d.]+ ms; "exit" or Ctrl-D leaves\\n>$`));
    await terminal.type("hello world", "Enter");
    await terminal.shows(/^> hello world\n\d+\.\d{3} ms {2}hello world\n>$/m);
    await terminal.type("grüße, 世界", "Enter");
    await terminal.shows(/^\d+\.\d{3} ms {2}grüße, 世界\n>$/m);
    await terminal.type("", "Up", "Up");
    await terminal.shows(/\n> hello world$/);
    await terminal.type(" again", "Enter");
    await terminal.shows(/^\d+\.\d{3} ms {2}hello world again\n>$/m);
    await terminal.type("", "Enter");
    await terminal.shows(/^\d+\.\d{3} ms\n>$/m);
    await terminal.type("exit", "Enter");
    assertEquals(await terminal.exit(), 0);
    const figure = "[\\d.]+";
    const summary =
      `^4 lines, 47 bytes there and back; round trip min/avg/max = ${figure}/${figure}/${figure} ms$`;
    assertMatch(await terminal.screen(), new RegExp(summary, "m"));
    const left = await server.log.with('"disconnected"');
    assertStringIncludes(left, '"bytes":47');
    assertStringIncludes(left, "closed by the client");
  },
});

Deno.test({
  name: "fault 25: `exit` ends the session at the terminal and is not sent",
  ignore,
  async fn() {
    await using server = await ServerProcess.start();
    await using terminal = await Terminal.connect(`:${server.port}`);
    await terminal.shows(/\n>$/);
    await terminal.type("exit", "Enter");
    assertEquals(await terminal.exit(), 0);
    assertMatch(await terminal.screen(), /^0 lines, 0 bytes there and back$/m);
    assertStringIncludes(await server.log.with('"disconnected"'), '"bytes":0');
  },
});

for (const [name, key] of [["Ctrl-D", "C-d"], ["Ctrl-C", "C-c"]] as const) {
  Deno.test({
    name: `${name} leaves with the summary and exit 0`,
    ignore,
    async fn() {
      await using server = await ServerProcess.start();
      await using terminal = await Terminal.connect(`:${server.port}`);
      await terminal.shows(/\n>$/);
      await terminal.type("one", "Enter");
      await terminal.shows(/ms {2}one\n>$/);
      await terminal.type("", key);
      assertEquals(await terminal.exit(), 0);
      assertMatch(await terminal.screen(), /^1 line, 4 bytes there and back; round trip min\/avg\/max = /m);
    },
  });
}

Deno.test({
  name: "SIGTERM leaves a session as Ctrl-D does",
  ignore,
  async fn() {
    await using server = await ServerProcess.start();
    await using terminal = await Terminal.run(
      [...ECHO, ...onEngine(["connect", `:${server.port}`])],
      SCRIPT.replace('"$@"', () => 'sh -c \'echo "pid $$."; exec "$@"\' sh "$@"'),
    );
    const screen = await terminal.shows(/\n>$/);
    Deno.kill(Number(/pid (\d+)\./.exec(screen)![1]), "SIGTERM");
    assertEquals(await terminal.exit(), 0);
    assertStringIncludes(await terminal.screen(), "0 lines, 0 bytes there and back");
  },
});

Deno.test({
  name: "a second Ctrl-C, while a reply is awaited, ends a session at once with 130",
  ignore,
  async fn() {
    const received = Promise.withResolvers<void>();
    const end = Promise.withResolvers<void>();
    using server = peer(async (conn) => {
      await readUpTo(conn, 6);
      received.resolve();
      await end.promise;
    });
    await using terminal = await Terminal.connect("--timeout", "60s", `:${server.port}`);
    await terminal.shows(/\n>$/);
    await terminal.type("hello", "Enter");
    await received.promise;
    await terminal.type("", "C-c");
    await new Promise((resolve) => setTimeout(resolve, 600)); // sooner, it would count as the same wish
    await terminal.type("", "C-c");
    assertEquals(await terminal.exit(), 130);
    end.resolve();
  },
});

Deno.test({
  name: "one Ctrl-C, while a reply is awaited: the reply is shown, and the session ends in order",
  ignore,
  async fn() {
    await using server = await ServerProcess.start(["-q"]);
    await using terminal = await Terminal.connect("--timeout", "1m", `:${server.port}`);
    await terminal.shows(/^> *$/m);
    server.kill("SIGSTOP");
    await terminal.type("late", "Enter");
    await terminal.shows("> late");
    await terminal.type("", "C-c");
    await terminal.released();
    await terminal.type("typed on");
    await terminal.shows("typed on");
    server.kill("SIGCONT");
    assertEquals(await terminal.exit(), 0);
    assertMatch(await terminal.screen(), /ms {2}late\n1 line, 5 bytes there and back/);
  },
});

Deno.test({
  name: "after Ctrl-Z (and `fg`) the session goes on where it was",
  ignore,
  async fn() {
    await using server = await ServerProcess.start();
    // A shell at a terminal makes it sane when a job has stopped.
    const script = SCRIPT.replace('"$@"', () => 'set -m; "$@"; stty sane; echo "[stopped]"; read answer; fg');
    await using terminal = await Terminal.run(
      [...ECHO, ...onEngine(["connect", `:${server.port}`])],
      script,
    );
    await terminal.shows(/\n>$/);
    await terminal.type("half", "C-z");
    await terminal.shows("[stopped]");
    await terminal.type("", "Enter");
    await terminal.shows(/> half$/);
    await terminal.type(" and half", "Enter");
    await terminal.shows(/ms {2}half and half\n>$/);
    await terminal.type("", "C-d");
    assertEquals(await terminal.exit(), 0);
  },
});

Deno.test({
  name: "the server goes away while the user thinks: it says so at once and exits with 1",
  ignore,
  async fn() {
    await using server = await ServerProcess.start();
    await using terminal = await Terminal.connect(`:${server.port}`);
    await terminal.shows(/\n>$/);
    await terminal.type("one", "Enter");
    await terminal.shows(/ms {2}one\n>$/);
    await terminal.type("a thought, half typ");
    await terminal.shows("half typ");
    await server.stop();
    assertEquals(await terminal.exit(2000), 1);
    const why = "echo: the other end closed the connection (4 of 4 bytes came back)";
    assertStringIncludes(await terminal.screen(), `> a thought, half typ\n${why}\n[exit 1]`);
  },
});

Deno.test({
  name: "fault 24: at the terminal too a reply that does not come is told at the timeout",
  ignore,
  async fn() {
    await using server = await ServerProcess.start();
    await using terminal = await Terminal.connect("--timeout", "500ms", `:${server.port}`);
    await terminal.shows(/\n>$/);
    server.kill("SIGSTOP");
    await terminal.type("hello", "Enter");
    assertEquals(await terminal.exit(3000), 1);
    server.kill("SIGCONT");
    const why = `echo: no reply from tcp://127.0.0.1:${server.port} for 500 ms (0 of 6 bytes came back)`;
    assertStringIncludes(await terminal.screen(), `> hello\n${why}\n[exit 1]`);
  },
});

Deno.test({
  name: "\\exit sends the word that would end the session, and \\\\exit the one with its backslash",
  ignore,
  async fn() {
    await using server = await ServerProcess.start();
    await using terminal = await Terminal.connect(`:${server.port}`);
    await terminal.shows(/\n>$/);
    await terminal.type("\\exit", "Enter");
    await terminal.shows(/ms {2}exit\n>$/);
    await terminal.type("\\\\exit", "Enter");
    await terminal.shows(/ms {2}\\\\exit\n>$/); // a backslash is shown escaped
    await terminal.type("exit", "Enter");
    assertEquals(await terminal.exit(), 0);
    assertStringIncludes(await terminal.screen(), "2 lines, 11 bytes there and back");
  },
});

Deno.test({
  name: "an error that comes while the user types on begins a line of its own",
  ignore,
  async fn() {
    await using server = await ServerProcess.start();
    await using terminal = await Terminal.connect("--timeout", "1500ms", `:${server.port}`);
    await terminal.shows(/\n>$/);
    server.kill("SIGSTOP");
    await terminal.type("hello", "Enter");
    await terminal.type("half typ");
    assertEquals(await terminal.exit(5000), 1);
    server.kill("SIGCONT");
    assertMatch(await terminal.screen(), /half typ\necho: no reply from .*\n\[exit 1\]/);
  },
});

Deno.test({
  name: "a long pipe shows how far it is on a terminal's stderr, and -q does not",
  ignore,
  async fn() {
    await using server = await ServerProcess.start(["-q"]);
    const pipe = `{ head -c 100000; sleep 2; head -c 100000; } < /dev/zero | "$@" > /dev/null`;
    const words = [...ECHO.filter((word) => word !== "serve"), ...onEngine(["connect", `:${server.port}`])];
    await using quiet = await Terminal.run([...words, "-q"], SCRIPT.replace('"$@"', () => pipe));
    await using terminal = await Terminal.run(words, SCRIPT.replace('"$@"', () => pipe));
    await terminal.shows(/^100\.0 kB there and back so far \(.*\/s\)$/m);
    assertEquals(await terminal.exit(), 0);
    assertMatch(await terminal.screen(), /^200\.0 kB there and back in [\d.]+ s \(.*\/s\)\n\[exit 0\]/);
    assertEquals(await quiet.exit(), 0);
    assertMatch(await quiet.screen(), /^\[exit 0\]/);
  },
});

Deno.test({
  name: "bench shows a bar on the terminal while it measures; with -q the report alone",
  ignore,
  async fn() {
    await using server = await ServerProcess.start(["-q"]);
    const words = [
      ...ECHO.filter((word) => word !== "serve"),
      ...onEngine(["bench", `:${server.port}`, "-d", "1s"]),
    ];
    await using quiet = await Terminal.run([...words, "-q"]);
    await using terminal = await Terminal.run(words);
    const first = await Promise.all([terminal.shows(/^\[[#.]+\]/m), quiet.shows(/\S/)]);
    assertMatch(first[1], /^ +<= +[\d.]+ ms /m, "the report is the first that -q shows");
    assertEquals(await Promise.all([terminal.exit(), quiet.exit()]), [0, 0]);
  },
});

Deno.test({
  name: "a hostile server's control bytes are shown at the terminal, not obeyed",
  ignore,
  async fn() {
    using server = peer(async (conn) => {
      await readUpTo(conn, 6);
      await writeAll(
        conn,
        encoder.encode("\x1b]0;owned\x07\x1b[2J\x1b[31m\u202eevil\r\x9b5n\nsecond line\n"),
      );
      await readUpTo(conn, 100);
    });
    await using terminal = await Terminal.connect(`:${server.port}`, "hello");
    assertEquals(await terminal.exit(), 1);
    const screen = await terminal.screen();
    assertStringIncludes(screen, "\\x1b]0;owned\\x07\\x1b[2J\\x1b[31m\\u{202e}evil\\r\\x9b5n\nsecond line\n");
    assertStringIncludes(
      screen,
      String.raw`echo: this is no echo server: it says "\x1b]0;owned\x07\x1b[2J\x1b[31m\u{202e}evil"`,
    );
    assert(!(await terminal.title()).includes("owned"));
  },
});

Deno.test({
  name: "control bytes in an honest echo are escaped at the terminal too, message or pipe",
  ignore,
  async fn() {
    await using server = await ServerProcess.start();
    await using message = await Terminal.connect(`:${server.port}`, "a\x07b\x1b]0;owned\x07");
    assertEquals(await message.exit(), 0);
    assertStringIncludes(await message.screen(), "a\\x07b\\x1b]0;owned\\x07\n");
    const script = SCRIPT.replace('"$@"', 'printf "tab\\there\\nand \\033[31mred\\n" | "$@"');
    await using pipe = await Terminal.run([...ECHO, ...onEngine(["connect", `:${server.port}`])], script);
    assertEquals(await pipe.exit(), 0);
    assertStringIncludes(await pipe.screen(), "tab\\there\nand \\x1b[31mred\n");
  },
});

Deno.test({
  name: "no escape sequence goes to a stderr that is no terminal",
  ignore,
  async fn() {
    await using server = await ServerProcess.start();
    const file = await Deno.makeTempFile();
    try {
      const script = SCRIPT.replace('"$@"', `"$@" 2> ${file}`);
      await using terminal = await Terminal.run(
        [...ECHO, ...onEngine(["connect", `:${server.port}`])],
        script,
      );
      await terminal.type("hello", "Enter");
      await terminal.shows(/^hello\nhello$/m);
      await terminal.type("", "C-d");
      assertEquals(await terminal.exit(), 0);
      const errors = await Deno.readTextFile(file);
      assertMatch(errors, /^connected to .*\n> [\d.]+ ms {2}> \n1 line, 6 bytes there and back; /);
      // deno-lint-ignore no-control-regex
      assert(!/[\x00-\x09\x0b-\x1f\x7f]/.test(errors), JSON.stringify(errors));
    } finally {
      await Deno.remove(file);
    }
  },
});

Deno.test({
  name:
    "Ctrl-C under `deno task start` drains, although deno task passes on the signal that the terminal sent",
  ignore: ignore || Deno.env.has("ECHO_BIN"),
  async fn() {
    for (let i = 0; i < 3; i++) {
      const words = [Deno.execPath(), "task", "start", "127.0.0.1:0", "--drain", "300ms"];
      await using terminal = await Terminal.run(words);
      const [, port] = /listening on tcp:\/\/127\.0\.0\.1:(\d+)/.exec(
        await terminal.shows(/listening on \S+:\d+$/m),
      )!;
      using conn = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
      assertEquals(await roundTrip(conn, "hello"), "hello");
      await terminal.type("", "C-c");
      assertEquals(await readUpTo(conn, 1), new Uint8Array(), "it is told to finish, and does not");
      assertEquals(await terminal.exit(), 0);
      assertStringIncludes(await terminal.screen(), "stopped after");
    }
  },
});
