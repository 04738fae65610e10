/**
 * Writes the pages of the manual that are made from tables: docs/commands.md from the flags of the commands,
 * docs/log.md from the events of the server. A test holds both to what this would write.
 */

import { fileURLToPath } from "node:url";
import { allCommands } from "../commands/table.ts";
import { type Command, type Flag, type Flags, flagsOf } from "../cli/flags.ts";
import { KINDS } from "../cli/kinds.ts";
import { EVENTS, type Fields } from "../server/events.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

const COMMANDS = await allCommands();

/** They stand in a table of their own. */
const KIND_NOTES: ReadonlySet<string> = new Set(Object.values(KINDS).map(({ note }) => note));

/** The keys of the log as JSON. That all are here is checked by their type. */
const KEYS: Record<keyof Fields, string> = {
  client: "the number of the client, counted from 1 and never used twice",
  peer: "the address and port of the client; with --proxy-protocol, those that the header tells",
  address: "the address that is listened on",
  fingerprint: "SHA-256 of a certificate, in hex with colons",
  subject: "whom the client's certificate names",
  bytes: "how many were received, or echoed",
  text: "a preview in double quotes, escaped; a `…` after them stands for what was cut",
  reason: "why, in words",
  accepted: "clients since the start: those `served`, those `rejected`, and those in their handshake now",
  open: "clients connected now",
  closing:
    "clients that were closed and hold a descriptor until they leave; none but those of TLS on Deno 2.7",
  served: "clients since the start, those `open` too; `rejected` ones are not among them",
  rejected: "clients since the start whose TLS handshake or PROXY header failed",
  refused: "clients and datagrams turned away since the start",
  failed:
    "clients that did not end in order (reset, cut off, still open after the drain), and datagrams not sent back",
  datagrams: "datagrams answered since the start",
  threads: "clients connected now, a number for each thread",
  count: "for how many events, lines or connections this line stands",
  duration_ms: "milliseconds since the connection, or the server, started; or until the next try",
};

/** The pages by their paths, as `deno fmt` has them. */
export async function pages(): Promise<Record<string, string>> {
  return {
    "docs/commands.md": await formatted(commandsPage()),
    "docs/log.md": await formatted(logPage()),
  };
}

function commandsPage(): string {
  return [
    NOTICE,
    "# Commands",
    table(["command", "what it does"], [
      ...COMMANDS.map(({ name, summary }) => [`[\`echo ${name}\`](#echo-${name})`, cell(summary)]),
      ["`echo help COMMAND`", "prints the help of a command, as `echo COMMAND --help` does"],
      ["`echo --version`, `-V`", "prints the version"],
    ]),
    "Flags may stand before and after the other words, `--flag VALUE` is also `--flag=VALUE`, and switches of one " +
    "letter may share a dash. What follows `--` is no flag.",
    ...COMMANDS.flatMap(commandSection),
    "## Values",
    table(["value", "flags"], valueRows()),
  ].join("\n\n");
}

function commandSection({ name, usage, summary, flags, notes, examples }: Command<Flags>): string[] {
  return [
    `## echo ${name}`,
    code("text", [`echo ${usage}`]),
    escaped(summary),
    ...(Object.keys(flags).length === 0
      ? []
      : [table(["flag", "default", "meaning"], flagsOf(flags).map(flagRow))]),
    notes.filter((note) => !KIND_NOTES.has(note)).map((note) => `- ${escaped(note)}`).join("\n"),
    code("sh", aligned(examples)),
  ];
}

/** The kinds of which a flag of some command is. */
function valueRows(): string[][] {
  const flags = COMMANDS.flatMap(({ flags }) => flagsOf(flags));
  return Object.entries(KINDS).flatMap(([kind, { note }]) => {
    const names = flags.filter((flag) => flag.kind === kind).map(({ name }) => `\`--${name}\``);
    return names.length === 0 ? [] : [[cell(note), [...new Set(names)].join(", ")]];
  });
}

function flagRow(flag: Flag): string[] {
  const value = flag.value === undefined ? "" : ` ${flag.value}`;
  const spelled = `\`--${flag.name}${value}\`${flag.short === undefined ? "" : `, \`-${flag.short}\``}`;
  return [spelled, flag.initial === undefined ? "" : `\`${flag.initial}\``, cell(flag.help)];
}

function logPage(): string {
  return [
    NOTICE,
    "# The log",
    LOG_INTRODUCTION,
    table(
      ["event", "level", "meaning", "keys"],
      Object.entries(EVENTS).map(([name, { level, meaning, keys }]) => [
        `\`${name}\``,
        level,
        inCell(meaning),
        keys.map((key) => `\`${key}\``).join(", "),
      ]),
    ),
    "## As JSON",
    "With `--log-format json` each line is one object. `time` (ISO 8601, UTC), `level` and `event` are always there; " +
    "the other keys are those of the event in the table above, where they are known. A duration is in milliseconds.",
    table(["key", "meaning"], Object.entries(KEYS).map(([key, meaning]) => [`\`${key}\``, inCell(meaning)])),
    code("sh", ["echo serve --log-format json 2>&1 | jq 'select(.event == \"disconnected\") | .bytes'"]),
  ].join("\n\n");
}

const NOTICE =
  "<!-- Written by tools/docs.ts from the tables in the sources; change those, and run it again. -->";

const LOG_INTRODUCTION =
  "The log of `echo serve` goes to stderr; stdout stays empty. At the default level, `info`, every message is " +
  "logged; use `-q` under load. Where the server listens, and the fingerprint of its certificate, is said at every " +
  "level. What comes from the network is escaped: an event is one printable line, whatever a client sends. If " +
  "nobody reads stderr, the server goes on, keeps up to a million characters of log, drops the rest, and says how " +
  "many lines it dropped as soon as it can write again.";

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => "---"), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function cell(text: string): string {
  return inCell(escaped(text));
}

function inCell(markdown: string): string {
  return markdown.replaceAll("|", "\\|");
}

/** Plain text as Markdown. */
function escaped(text: string): string {
  return text.replace(/[[\]<>*_\\]/g, "\\$&");
}

function code(language: string, lines: readonly string[]): string {
  return ["```" + language, ...lines, "```"].join("\n");
}

/** Commands with what they are for beside them, as a comment. */
function aligned(examples: readonly (readonly [line: string, meaning: string])[]): string[] {
  const width = Math.max(...examples.map(([line]) => line.length));
  return examples.map(([line, meaning]) => `${line.padEnd(width)}  # ${meaning}`);
}

async function formatted(markdown: string): Promise<string> {
  const fmt = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--quiet", "--config", `${ROOT}deno.json`, "--ext", "md", "-"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const written = new Blob([`${markdown}\n`]).stream().pipeTo(fmt.stdin);
  const { success, stdout } = await fmt.output();
  await written;
  if (!success) throw new Error("deno fmt takes no such page");
  return new TextDecoder().decode(stdout);
}

if (import.meta.main) {
  for (const [path, text] of Object.entries(await pages())) await Deno.writeTextFile(ROOT + path, text);
}
