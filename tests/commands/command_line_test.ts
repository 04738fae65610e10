/** The command line: what is wrong is refused in one line before anything is opened, and what is right is explained. */

import config from "../../deno.json" with { type: "json" };
import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { allCommands } from "../../commands/table.ts";
import { command as pingCommand } from "../../commands/ping.ts";
import { command as connectCommand } from "../../commands/connect.ts";
import { command as serveCommand } from "../../commands/serve.ts";
import { type Command, type Flags, flagsOf, parse } from "../../cli/flags.ts";
import { help } from "../../cli/help.ts";
import { UsageError } from "../../base/units.ts";
import {
  has,
  peer,
  readUpTo,
  roundTrip,
  run,
  type RunResult,
  ServerProcess,
  writeAll,
} from "../support/helpers.ts";

const tables = await allCommands();
const decoder = new TextDecoder();

/** Runs each command line, a few at a time. */
async function runAll(rows: readonly (readonly string[])[]): Promise<RunResult[]> {
  const results: RunResult[] = [];
  const next = rows.entries();
  await Promise.all(Array.from({ length: 3 }, async () => {
    for (const [i, words] of next) results[i] = await run(words);
  }));
  return results;
}

/** The wrong command lines, and what stderr must say of each. */
const WRONG: [words: string[], why: string][] = [
  [
    ["connect", "65536"],
    'bad address "65536": port "65536" is not a number from 0 to 65535 in decimal digits',
  ],
  [["connect", "8e3"], 'bad address "8e3": port "8e3" is not a number from 0 to 65535'],
  [["connect", ""], 'bad address "": it is empty; give a host, :port, or both'],
  [["connect", " "], 'bad address " ": " " is neither an IP address nor a host name'],
  [
    ["connect", "0:80"],
    'bad address "0:80": "0" is neither an IP address nor a host name',
  ],
  [["connect", "127.1"], 'bad address "127.1": "127.1" is neither an IP address nor a host name'],
  [["connect", "-1"], "unknown flag -1; see echo connect --help; a word that begins with - goes after --"],
  [["ping", "-c", "-1"], '--count: "-1" is not a count; try 10, 10k or 1M'],
  [["bench", "--size", "-5"], '--size: "-5" is not a size; try 64, 64k or 1MiB'],
  [["ping", "127.0.0.1", "9910"], "the port is part of the address: 127.0.0.1:9910"],
  [["bench", "a", "b"], 'one address is enough, and "b" is one more'],
  [["serve", "--port", "7"], "unknown flag --port; the port is part of the address: 10.0.0.7:8890"],
  [["serve", "-p", "7"], "unknown flag -p; the port is part of the address: 10.0.0.7:8890"],
  [["connect", "--host", "a"], "unknown flag --host; the address is given without a flag: 10.0.0.7:8890"],
  [["connect", "--tls", "a"], "unknown flag --tls; the scheme is part of the address: tcp://, tls://"],
  [["connect", "-u", "a"], "unknown flag -u; the scheme is part of the address: tcp://, tls://"],
  [["connect", "-k", "a"], "unknown flag -k; did you mean --insecure?"],
  [["bench", "-P", "8"], "unknown flag -P; did you mean --connections?"],
  [["serve", "-l", "7"], "unknown flag -l; the address is given without a flag: 10.0.0.7:8890"],
  [["bench", "-l", "64k"], "unknown flag -l; did you mean --size?"],
  [["serve", "-P", "8"], "unknown flag -P; see echo serve --help"],
  [["serve", "--quiet", "--log-level", "debug"], "--quiet is --log-level warn, and debug is given besides"],
  [
    ["serve", "--socket-mode", "0660", ":0"],
    "--socket-mode is of a Unix socket; it needs an address such as unix:",
  ],
  [["serve", ":9922", ":9922"], "tcp://:9922 is given twice; once is enough"],
  [["serve", ":9922", "tls://127.0.0.1:9922"], "tcp://:9922 and tls://127.0.0.1:9922 are the same port"],
  [["serve", "--workers", "1000"], "--workers: 1000 threads are too many; at most 64 are run here"],
  [
    ["bench", "-c", "2000", "--workers", "1000"],
    "--workers: 1000 threads are too many; at most 64 are run here",
  ],
  [
    ["bench", "--timeout", "-1"],
    '--timeout: "-1" is not a duration; try 250ms, 5s, 2m or 1h30m (at most 596h), or off',
  ],
  [["serv"], 'unknown command "serv"; did you mean serve?'],
  [["bnech"], 'unknown command "bnech"; did you mean bench?'],
  [["help", "pnig"], 'unknown command "pnig"; did you mean ping?'],
  [
    ["hello"],
    'unknown command "hello"; there are serve, connect, ping, bench, completions, man (see echo help)',
  ],
  [["connect", "--", "-1"], 'bad address "-1": port "-1" is not a number'],
  [["connect", "a\nb"], 'bad address "a\\nb": "a\\nb" is neither'],
  [["serve", "127.0.0.1:0", "unix:"], "a Unix socket is written unix:/path"],
  [["connect", "--size", "100", ":7", "hello"], "--size"],
  [["connect", "--ca", "FILE", ":7", "hello"], "--ca"],
  [["serve", "127.0.0.1:0", "http://x"], 'unknown scheme "http"; known are tcp, udp, tls, unix'],
  [["serve", "127.0.0.1:0", "0x1F90"], 'port "0x1F90" is not a number'],
  [["serve", "--wokers", "2"], "unknown flag --wokers; did you mean --workers?"],
  [["serve", "--max-client=5"], "unknown flag --max-client; did you mean --max-clients?"],
  [["serve", "--drain"], "--drain needs a value: --drain D"],
  [["serve", "--drain", "--quiet"], "--drain needs a value: --drain D"],
  [["serve", "--drain", "5 s"], '--drain: "5 s" is not a duration; try 250ms, 5s, 2m or 1h'],
  [["serve", "--max-clients", "1e3"], '--max-clients: "1e3" is not a count; try 10, 10k or 1M'],
  [["serve", "--log-level", "loud"], '--log-level: "loud" is none of debug, info, warn, error'],
  [["serve", "-q", "--quiet"], "--quiet is given 2 times; once is enough"],
  [["connect", "--timeout", "5s", "--timeout", "5s"], "--timeout is given 2 times; once is enough"],
  [["conect"], 'unknown command "conect"; did you mean connect?'],
];

Deno.test("a wrong command line is one line on stderr that says what is wrong, and exit 2", async () => {
  const results = await runAll(WRONG.map(([words]) => words));
  for (const [i, [words, why]] of WRONG.entries()) {
    const { code, stdout, stderr } = results[i]!;
    assertStringIncludes(stderr, why, words.join(" "));
    assertMatch(stderr, /^echo: [^\n]+\n$/, words.join(" "));
    assertEquals([code, stdout.length], [2, 0], words.join(" "));
  }
});

Deno.test("a wrong word is refused before anything is opened, wherever it stands", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const results = await runAll([
    ["connect", `:${port}`, "hello", "--timeout", "-1"],
    ["connect", "--retry=", `:${port}`, "hello"],
    // The port is taken: without the wrong word it would be an exit 1.
    ["serve", `127.0.0.1:${port}`, ":99999"],
    ["serve", `127.0.0.1:${port}`, "--nonsense"],
  ]);
  assertEquals(results.map(({ code }) => code), [2, 2, 2, 2]);
  // Had one connected, it would be first in the queue.
  const own = await Deno.connect({ port });
  const accepted = await listener.accept();
  assertEquals((accepted.remoteAddr as Deno.NetAddr).port, (own.localAddr as Deno.NetAddr).port);
  accepted.close();
  own.close();
});

Deno.test("--version, --help, and no command at all", async () => {
  const [version, overview, none, serve, connect, among] = await runAll([
    ["--version"],
    ["--help"],
    [],
    ["serve", "--help"],
    ["connect", "--help"],
    ["connect", ":1", "--nonsense", "--help"],
  ]);
  assertEquals(decoder.decode(version!.stdout), `echo ${config.version}\n`);
  const text = decoder.decode(overview!.stdout);
  for (const { name } of tables) assertStringIncludes(text, `  echo ${name} `);
  assert(text.trimEnd().split("\n").length <= 24, "the overview is more than a screen");
  assertEquals([none!.stderr, none!.stdout.length, none!.code], [text, 0, 2]);
  assertEquals(decoder.decode(serve!.stdout), help(serveCommand) + "\n");
  assertEquals(decoder.decode(connect!.stdout), help(connectCommand) + "\n");
  assertEquals(decoder.decode(among!.stdout), help(connectCommand) + "\n");
  for (const { code, stderr } of [version!, overview!, serve!, connect!, among!]) {
    assertEquals([code, stderr], [0, ""]);
  }
});

Deno.test("what follows -- is a word, also when it looks like a flag", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const answering = (async () => {
    const conn = await listener.accept();
    const buffer = new Uint8Array(100);
    for (let n; (n = await conn.read(buffer)) !== null;) await conn.write(buffer.subarray(0, n));
    conn.close();
  })();
  const { code, stdout } = await run(["connect", `:${listener.addr.port}`, "--", "--help", "-x", "--"]);
  await answering;
  assertEquals(decoder.decode(stdout), "--help -x --\n");
  assertEquals(code, 0);
});

Deno.test("every flag table is sane: unique names and shorts, help for each, defaults that parse", () => {
  for (const { name: command, flags } of tables) {
    const rows = flagsOf(flags);
    const names = rows.map(({ name }) => name).concat("help");
    assertEquals(new Set(names).size, names.length, `${command}: a name twice`);
    const shorts = rows.flatMap(({ short }) => short ?? []);
    assertEquals(new Set(shorts).size, shorts.length, `${command}: a short twice`);
    for (const { name, short, value, initial, help, parse } of rows) {
      assertMatch(name, /^[a-z]+\d?(-[a-z]+)*$/);
      assertMatch(short ?? "x", /^[a-z46]$/i);
      assertMatch(help, /^.{10,}[^.]$/, `${command} --${name}: its help`);
      if (value === undefined) {
        assertEquals(initial, undefined, `${command} --${name}: a switch has no default`);
      }
      if (initial !== undefined) parse(initial);
    }
    for (const { key, name } of rows) {
      if (key !== "quiet") assertEquals(key.replaceAll(/[A-Z]/g, (c) => `-${c.toLowerCase()}`), name);
    }
  }
});

Deno.test("every --help names all flags with their defaults, and has examples that parse", () => {
  for (const command of tables) {
    const text = help(command);
    assertStringIncludes(text, `usage: echo ${command.usage}\n`);
    const words = text.replaceAll(/\s+/g, " ");
    for (const { name, value, initial, help } of flagsOf(command.flags)) {
      assertStringIncludes(words, `--${name}${value === undefined ? "" : ` ${value}`} `);
      assertStringIncludes(words, initial === undefined ? help : `${help} (default ${initial})`);
    }
    assert(command.examples.length >= 2);
    for (const [line, meaning] of command.examples) {
      assertStringIncludes(text, line);
      assertMatch(meaning, /\w/);
      const [program, name, ...words] = line.replace(/ [<|>] .*$/, "").replace("SHA256", "ab".repeat(32))
        .split(
          " ",
        );
      assertEquals([program, name], ["echo", command.name]);
      parse(command, words);
    }
  }
});

Deno.test("a help text has lines of 80 columns at most, and of 40 where the terminal has no more", () => {
  for (const command of tables) {
    for (const width of [80, 40]) {
      // A word, a flag or an example is never cut in two.
      const whole = [...command.examples.map(([line]) => line), ...command.usage.split(" ")];
      const longest = Math.max(width, ...(width === 80 ? [] : whole.map((word) => word.length + 2)));
      for (const line of help(command, width).split("\n")) {
        assert(line.length <= longest, `${line.length} columns: ${line}`);
      }
    }
  }
});

Deno.test("help is printed by every word that people try", async () => {
  const rows: [words: string[], text: string][] = [
    [["-h"], "echo: do bytes get there"],
    [["help"], "echo: do bytes get there"],
    [["help", "ping"], help(pingCommand)],
    [["ping", "-h"], help(pingCommand)],
    [["serve", ":7", "-h"], help(serveCommand)],
    [["-V"], `echo ${config.version}\n`],
  ];
  const results = await runAll(rows.map(([words]) => words));
  for (const [i, [words, text]] of rows.entries()) {
    const { code, stdout, stderr } = results[i]!;
    assertStringIncludes(decoder.decode(stdout), text, words.join(" "));
    assertEquals([code, stderr], [0, ""], words.join(" "));
  }
});

Deno.test("a help text that cannot be written is one line that says why, and exit 1", async () => {
  for (const words of [["--help"], ["serve", "--help"], ["--version"]]) {
    const { code, stderr } = await run(words, { under: ["sh", "-c", 'exec "$@" > /dev/full', "sh"] });
    assertEquals([code, stderr], [1, "echo: cannot write to stdout: the disk is full\n"], words.join(" "));
  }
});

Deno.test("0 and off: no timeout, no deadline, no pause, and a seed like any other", async () => {
  await using server = await ServerProcess.start([
    "--idle-timeout",
    "0",
    "--write-timeout",
    "off",
    "--drain",
    "0",
  ]);
  const where = `127.0.0.1:${server.port}`;
  using slow = peer(async (conn) => {
    const bytes = await readUpTo(conn, 6);
    await new Promise((resolve) => setTimeout(resolve, 150));
    await writeAll(conn, bytes);
    await readUpTo(conn, 1);
  });
  const results = await runAll([
    ["connect", "--timeout", "0", `:${slow.port}`, "hello"],
    ["connect", "--timeout", "off", "--retry", "0", `:${slow.port}`, "hello"],
    ["ping", "-c", "50", "-i", "0", "-W", "0", "-w", "0", "--seed", "0", where],
    ["bench", "-n", "10", "--timeout", "off", "--seed", "0", "--workers", "auto", "--json", where],
    ["ping", "-c", "1", "-W", "off", "--json", where],
  ]);
  for (const { code, stderr } of results) assertEquals(code, 0, stderr);
  assertMatch(decoder.decode(results[2]!.stdout), /\n50 transmitted, 50 received, 0% loss/);
  for (const { stdout } of results.slice(3)) {
    const last = decoder.decode(stdout).trimEnd().split("\n").at(-1)!;
    assertEquals(JSON.parse(last).options.timeout_seconds, null);
  }
  // Without the zero the idle timeout would be none too, and the drain would wait 5 s for this client.
  using client = await server.connect();
  assertEquals(await roundTrip(client, "still here"), "still here");
  const begin = performance.now();
  await server.stop();
  assert(performance.now() - begin < 2500, "the drain waited");
});

Deno.test({
  name: "a key that may not be read is told so, and not of ports",
  ignore: !has("setpriv") || Deno.uid() !== 0,
  async fn() {
    const file = await Deno.makeTempFile();
    try {
      await Deno.chmod(file, 0o600);
      await Deno.chown(file, 65534, null);
      const caps = "-dac_override,-dac_read_search"; // root without its right to read everything
      const under = ["setpriv", `--inh-caps=${caps}`, `--bounding-set=${caps}`];
      const { code, stderr } = await run(["serve", "tls://:0", "--cert", file, "--key", file], { under });
      const why = "permission denied; look at its owner and mode";
      assertEquals([code, stderr], [2, `echo: cannot read --cert ${file}: ${why}\n`]);
    } finally {
      await Deno.remove(file);
    }
  },
});

Deno.test("connect HOST PORT, as nc has it, is told from a message, and sent as one", async () => {
  await using server = await ServerProcess.start();
  const where = `127.0.0.1:${server.port}`;
  const named = await run(["connect", where, "9910"]);
  assertEquals([decoder.decode(named.stdout), named.stderr.includes("note:")], ["9910\n", false]);
  const { stderr } = await run(["connect", "--timeout", "1s", "127.0.0.2", "9910"]);
  assertStringIncludes(
    stderr,
    'note: "9910" is the message, and the port is 8890; for that port: 127.0.0.2:9910\n',
  );
});

const table = {
  name: "try",
  usage: "try",
  summary: "",
  notes: [],
  examples: [],
  flags: {
    port: { kind: "count", short: "p", initial: "8", help: "the port" },
    wait: { kind: "duration", initial: "5s", help: "the wait" },
    quiet: { kind: "switch", short: "q", help: "be quiet" },
    verbose: { kind: "switch", short: "v", help: "be verbose" },
  },
} satisfies Command<Flags>;

Deno.test("flags are read in every form, with their defaults", () => {
  const defaults = { port: 8, wait: 5000, quiet: false, verbose: false };
  const rows: [words: string[], options: Partial<typeof defaults>, operands: string[]][] = [
    [[], {}, []],
    [["--port", "9"], { port: 9 }, []],
    [["--port=9", "a"], { port: 9 }, ["a"]],
    [["-p", "9"], { port: 9 }, []],
    [["-p9"], { port: 9 }, []],
    [["a", "-q", "b"], { quiet: true }, ["a", "b"]],
    [["--quiet", "a"], { quiet: true }, ["a"]],
    [["-qv", "a"], { quiet: true, verbose: true }, ["a"]],
    [["-vp", "9"], { verbose: true, port: 9 }, []],
    [["a", "--", "-q", "--port"], {}, ["a", "-q", "--port"]],
    [["007", "1e3", "", "-"], {}, ["007", "1e3", "", "-"]],
    [["--wait", "2m"], { wait: 120_000 }, []],
  ];
  for (const [words, options, operands] of rows) {
    const expected = { options: { ...defaults, ...options }, operands };
    assertEquals<unknown>(parse(table, words), expected, words.join(" "));
  }
});

Deno.test("a flag that is unknown, repeated, empty, or given what it does not take is refused", () => {
  const rows: [words: string[], why: string][] = [
    [["--prot", "9"], "unknown flag --prot; did you mean --port?"],
    [["--prot=9"], "unknown flag --prot; did you mean --port?"],
    [["--Port"], "unknown flag --Port; did you mean --port?"],
    [["--hlep"], "unknown flag --hlep; did you mean --help?"],
    [["--no-quiet"], "unknown flag --no-quiet; did you mean --quiet?"],
    [["--port.x", "9"], "unknown flag --port.x; did you mean --port?"],
    [["---port", "9"], "unknown flag ---port; did you mean --port?"],
    [["--_", "9"], "unknown flag --_; see echo try --help; a word that begins with - goes after --"],
    [["--__proto__", "9"], "unknown flag --__proto__; see echo try --help"],
    [["--constructor"], "unknown flag --constructor; see echo try --help"],
    [["--a\nb"], 'unknown flag "--a\\nb"; see echo try --help'],
    [["--cert", "9"], "unknown flag --cert; see echo try --help"],
    [["--wa", "5s"], "unknown flag --wa; see echo try --help"],
    [["--wai", "5s"], "unknown flag --wai; did you mean --wait?"],
    [["-w", "5s"], "unknown flag -w; see echo try --help"],
    [["-x"], "unknown flag -x; see echo try --help; a word that begins with - goes after --"],
    [["-qx"], "unknown flag -x; see echo try --help"],
    [["-q5"], "unknown flag -5; see echo try --help"],
    [["-p", "-1"], '--port: "-1" is not a count'],
    [["-qp", "-1"], '--port: "-1" is not a count'],
    [["--port", "-.5"], '--port: "-.5" is not a count'],
    [["-q", "-1"], "unknown flag -1"],
    [["--qiuet"], "unknown flag --qiuet; did you mean --quiet?"],
    [["--quiet=true"], '--quiet takes no value, and "true" is given'],
    [["--quiet="], '--quiet takes no value, and "" is given'],
    [["-qq"], "--quiet is given 2 times; once is enough"],
    [["--port", "9", "-p", "9"], "--port is given 2 times; once is enough"],
    [["--port"], "--port needs a value: --port N"],
    [["--port="], "--port needs a value: --port N"],
    [["--port", ""], "--port needs a value: --port N"],
    [["--port", "--quiet"], "--port needs a value: --port N"],
    [["--port", "--", "9"], "--port needs a value: --port N"],
    [["--port", "x"], '--port: "x" is not a count; try 10, 10k or 1M (k = 1000)'],
    [["--wait=-5s"], '--wait: "-5s" is not a duration'],
  ];
  for (const [words, why] of rows) {
    const { message } = assertThrows(() => parse(table, words), UsageError, why, words.join(" "));
    assertEquals(message.split("\n").length, 1, message);
  }
});
