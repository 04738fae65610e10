/** The page for man(1), made from the tables of flags: requests of man(7), which groff and mandoc both have. */

import { type Command, type Flag, type Flags, flagsOf } from "./flags.ts";
import { WIDTH, wrapped } from "./columns.ts";
import { KINDS } from "./kinds.ts";
import { PURPOSE, typed } from "../base/program.ts";
import { EXIT_CODES } from "../base/errors.ts";

/** What the page is of. */
export interface Manual {
  /** What the program is called. */
  readonly name: string;
  readonly version: string;
  /** Of the release, as 2026-11-30. */
  readonly date: string;
  readonly commands: readonly Command<Flags>[];
}

/** These begin a note that has a section of its own. */
const EXITS = "Exit codes: ";
const SIGNALS = "Signals: ";
const KIND_NOTES: readonly string[] = Object.values(KINDS).map(({ note }) => note);

const EVERY_EXIT = `${EXIT_CODES.slice(EXITS.length)} A second signal to stop ends it at once, with 130.`;
const ENVIRONMENT = [
  "DENO_TLS_CA_STORE",
  "Where no --ca is given, a program made of Deno 2.7 trusts the CAs of Mozilla beside those of the system; with the " +
  "word system in this variable, it trusts those of the system alone.",
] as const;
/** Programs that do one of these things, in the order of sections and names. */
const SEE_ALSO = ["nc(1)", "openssl-s_client(1ssl)", "socat(1)", "signal(7)", "ping(8)"];

/** The text of the page, as troff reads it. */
export function manPage({ name, version, date, commands }: Manual): string {
  return [
    `.TH ${name.toUpperCase()} 1 ${date} "${name} ${version}" "User Commands"`,
    ".nh", // a flag or an address that is cut in two cannot be copied
    ".ad l",
    ".SH NAME",
    `${prose(name)} \\- ${prose(PURPOSE)}`,
    ".SH SYNOPSIS",
    ...[...commands.map(({ usage }) => usage), "help COMMAND", "-V"].flatMap((usage) => [
      ".HP 4",
      `${bold(name)} ${prose(usage)}`,
    ]),
    ".SH DESCRIPTION",
    ...commands.flatMap(({ name, summary }) => item(bold(name), summary)),
    ".PP",
    prose(FORMS),
    ...commands.flatMap(commandPart),
    ".SH VALUES",
    ...values(commands),
    ".SH EXIT STATUS",
    prose(EVERY_EXIT),
    ...ofCommands(commands, EXITS),
    ".SH SIGNALS",
    ...ofCommands(commands, SIGNALS),
    ".SH ENVIRONMENT",
    ...item(bold(ENVIRONMENT[0]), ENVIRONMENT[1]),
    ".SH EXAMPLES",
    ...commands.flatMap(({ examples }) => examples).flatMap(([line, meaning]) =>
      item(bold(typed(line, name)), meaning)
    ),
    ".SH SEE ALSO",
    SEE_ALSO.map((page) => `\\fB${page.replace("(", "\\fR(")}`.replaceAll("-", "\\-")).join(",\n"),
    "",
  ].join("\n");
}

const FORMS =
  "Each command shows its flags with --help. Flags may stand before and after the other words, --flag VALUE is also " +
  "--flag=VALUE, and switches of one letter may share a dash. What follows -- is no flag.";

function commandPart(command: Command<Flags>): string[] {
  const { name, summary, flags, notes } = command;
  const told = notes.filter((note) => ![EXITS, SIGNALS].some((head) => note.startsWith(head)));
  return [
    `.SH ${name.toUpperCase()}`,
    prose(summary),
    ...flagsOf(flags).flatMap(flagItem),
    ...paragraphs(told.filter((note) => !KIND_NOTES.includes(note) && note !== EXIT_CODES)),
  ];
}

function flagItem({ name, short, value, initial, help }: Flag): string[] {
  const spelled = [...(short === undefined ? [] : [`-${short}`]), `--${name}`].map(bold).join(", ");
  const shown = value === undefined ? spelled : `${spelled} ${italic(value)}`;
  return item(shown, initial === undefined ? help : `${help} (default ${initial})`);
}

/** What is said of one thing by each command that says it. */
function ofCommands(commands: readonly Command<Flags>[], head: string): string[] {
  return commands.flatMap(({ name, notes }) =>
    notes.filter((note) => note.startsWith(head) && note !== EXIT_CODES)
      .flatMap((note) => item(bold(name), note.slice(head.length)))
  );
}

/** Something in bold, and below it what it is. */
function item(tag: string, text: string): string[] {
  return [".TP", tag, prose(text)];
}

function paragraphs(texts: readonly string[]): string[] {
  return texts.flatMap((text) => [".PP", prose(text)]);
}

/** Each kind of value of which a flag is, with all flags that take it. */
function values(commands: readonly Command<Flags>[]): string[] {
  const flags = commands.flatMap(({ flags }) => flagsOf(flags));
  const notes = Object.entries(KINDS).flatMap(([kind, { note }]) => {
    const names = new Set(flags.filter((flag) => flag.kind === kind).map(({ name }) => `--${name}`));
    return names.size === 0 ? [] : [`${note} So it is for ${[...names].join(", ")}.`];
  });
  return paragraphs(notes).slice(1); // a heading is followed by no request for a paragraph
}

function bold(text: string): string {
  return `\\fB${literal(text)}\\fR`;
}

function italic(text: string): string {
  return `\\fI${literal(text)}\\fR`;
}

/** What is to be typed, and not to be cut at its hyphens. */
const TYPED = /^\W*-|[:/=]/;

/** Words in lines of no more than 80 bytes, none of which is a request. */
function prose(text: string): string {
  const words = text.split(" ").map((word) => TYPED.test(word) ? literal(word) : escaped(word));
  return wrapped(words.map((word) => word.replace(/^(?=\.)/, "\\&")).join(" "), WIDTH).join("\n");
}

/** What can be copied: a - is a minus, at which no line is broken. */
function literal(text: string): string {
  return escaped(text).replaceAll("-", "\\-");
}

/** Typewriter characters that troff would take for others or for its own; beyond ASCII by number. */
const GLYPHS: Readonly<Record<string, string>> = {
  "\\": "\\e",
  "'": "\\(aq",
  "`": "\\(ga",
  "^": "\\(ha",
  "~": "\\(ti",
};

function escaped(text: string): string {
  return Array.from(text, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code > 0x7e) return `\\[u${code.toString(16).toUpperCase().padStart(4, "0")}]`;
    return GLYPHS[character] ?? character;
  }).join("");
}
