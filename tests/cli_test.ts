/** The command line: what is wrong is refused in one line before anything is opened, and what is right is explained. */

import config from "../deno.json" with { type: "json" };
import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { command as benchCommand } from "../commands/bench.ts";
import { command as pingCommand } from "../commands/ping.ts";
import { command as connectCommand } from "../commands/connect.ts";
import { command as serveCommand } from "../commands/serve.ts";
import { type Command, type Flags, help, lettered, option, parse, toggle } from "../cli/flags.ts";
import { count, duration, UsageError } from "../cli/units.ts";
import { run, type RunResult } from "./helpers.ts";

const tables: Command<Flags>[] = [serveCommand, connectCommand, pingCommand, benchCommand];
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
  [["connect", "-1"], "unknown flag -1; a word that begins with - goes after --"],
  [["connect", "--", "-1"], 'bad address "-1": port "-1" is not a number'],
  [["connect", "a\nb"], 'bad address "a\\nb": "a\\nb" is neither'],
  [["serve", "127.0.0.1:0", "unix:"], "a Unix socket is written unix:/path"],
  [["connect", "--size", "100", ":7", "hello"], "--size"],
  [["connect", "--ca", "FILE", ":7", "hello"], "--ca"],
  [["serve", "127.0.0.1:0", "http://x"], 'unknown scheme "http"; known are tcp, udp, tls, unix'],
  [["serve", "127.0.0.1:0", "0x1F90"], 'port "0x1F90" is not a number'],
  [["serve", "--prot", "8890"], "unknown flag --prot; did you mean --"],
  [["serve", "--max-client=5"], "unknown flag --max-client; did you mean --max-clients?"],
  [["serve", "--drain"], "--drain needs a value: --drain D"],
  [["serve", "--drain", "--quiet"], "--drain needs a value: --drain D"],
  [["serve", "--drain", "5 s"], '--drain: "5 s" is not a duration; try 250ms, 5s, 2m or 1h'],
  [["serve", "--max-clients", "1e3"], '--max-clients: "1e3" is not a count; try 10, 10k or 1M'],
  [["serve", "--log-level", "loud"], '--log-level: "loud" is none of debug, info, warn, error'],
  [["serve", "-q", "--quiet"], "--quiet is given 2 times; once is enough"],
  [["connect", "--timeout", "5s", "--timeout", "5s"], "--timeout is given 2 times; once is enough"],
  [["connect", "-h"], "unknown flag -h; did you mean --help?"],
  [["conect"], 'unknown command "conect"; there are serve, connect'],
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
    ["connect", `:${port}`, "hello", "--timeout", "0"],
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
    const rows = Object.values(flags);
    const names = rows.map(({ name }) => name).concat("help");
    assertEquals(new Set(names).size, names.length, `${command}: a name twice`);
    const shorts = rows.flatMap(({ short }) => short ?? []);
    assertEquals(new Set(shorts).size, shorts.length, `${command}: a short twice`);
    for (const { name, short, value, initial, help, parse } of rows) {
      assertMatch(name, /^[a-z]+(-[a-z]+)*$/);
      assertMatch(short ?? "x", /^[a-z]$/i);
      assertMatch(help, /^.{10,}[^.]$/, `${command} --${name}: its help`);
      if (value === undefined) {
        assertEquals(initial, undefined, `${command} --${name}: a switch has no default`);
      }
      if (initial !== undefined) parse(initial);
    }
    for (const [key, { name }] of Object.entries(flags)) {
      if (key !== "quiet") assertEquals(key.replaceAll(/[A-Z]/g, (c) => `-${c.toLowerCase()}`), name);
    }
  }
});

Deno.test("every --help names all flags with their defaults, has examples that parse, and fits 110 columns", () => {
  for (const command of tables) {
    const text = help(command);
    assertStringIncludes(text, `usage: echo ${command.usage}\n`);
    for (const { name, value, initial, help } of Object.values(command.flags)) {
      assertStringIncludes(text, `--${name}${value === undefined ? "" : ` ${value}`} `);
      assertStringIncludes(text, initial === undefined ? help : `${help} (default ${initial})`);
    }
    for (const line of text.split("\n")) assert(line.length <= 110, `${line.length} columns: ${line}`);
    assert(command.examples.length >= 2);
    for (const [line, meaning] of command.examples) {
      assertStringIncludes(text, line);
      assertMatch(meaning, /\w/);
      const [program, name, ...words] = line.replace(/ <.*$/, "").replace("SHA256", "ab".repeat(32)).split(
        " ",
      );
      assertEquals([program, name], ["echo", command.name]);
      parse(command, words);
    }
  }
});

const table = {
  name: "try",
  usage: "try",
  summary: "",
  notes: [],
  examples: [],
  flags: {
    port: { ...option("port", "N", count, "8", "the port"), short: "p" },
    wait: option("wait", "D", duration, "5s", "the wait"),
    quiet: lettered("q", toggle("quiet", "be quiet")),
    verbose: lettered("v", toggle("verbose", "be verbose")),
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
    [["--_", "9"], "unknown flag --_; did you mean --"],
    [["--__proto__", "9"], "unknown flag --__proto__; did you mean --"],
    [["--constructor"], "unknown flag --constructor; did you mean --"],
    [["--a\nb"], 'unknown flag "--a\\nb"; did you mean --'],
    [["-w", "5s"], "unknown flag -w; did you mean --wait?"],
    [["-x"], "unknown flag -x; a word that begins with - goes after --"],
    [["-qx"], "unknown flag -x; a word that begins with - goes after --"],
    [["-q5"], "unknown flag -5; a word that begins with - goes after --"],
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
