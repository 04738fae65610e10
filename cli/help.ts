/** The text of `--help`. */

import { type Command, type Flags, flagsOf } from "./flags.ts";

/** What every terminal shows. */
export const WIDTH = 80;
/** Where there are fewer, the help of a flag goes below it. */
const NARROW = 60;
const NO_BREAK = "\u00a0";

/** What the exit code of a command says, where it does not say more itself. */
export const EXIT_CODES =
  "Exit codes: 0 all came back right, 1 the network or the other end failed, 2 the command line was wrong.";

/** The text of `echo COMMAND --help`, in so many columns. */
export function help(command: Command<Flags>, width = WIDTH): string {
  const flags = flagsOf(command.flags).map((flag) => [
    `${flag.short ? `-${flag.short}, ` : "    "}--${flag.name}${flag.value ? ` ${flag.value}` : ""}`,
    `${flag.help}${flag.initial === undefined ? "" : ` (default ${flag.initial})`}`
      .replace(/(?<=\(default) (?=\S+\)$)/, NO_BREAK),
  ]);
  return [
    ...wrapped(`usage: echo ${command.usage}`, width),
    "",
    ...wrapped(command.summary, width),
    "",
    ...columns([...flags, ["-h, --help", "show this text"]], width),
    "",
    ...command.notes.flatMap((note) => wrapped(note, width)),
    "",
    "examples:",
    ...columns(command.examples, width),
  ].join("\n").replaceAll(NO_BREAK, " ");
}

/** Lines of at most `width` columns, as far as the words allow. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line += line === "" ? word : ` ${word}`;
    }
  }
  return [...lines, line];
}

/** Two columns, of which the right one is wrapped; beside a long left one, or where it is narrow, it goes below. */
export function columns(rows: readonly (readonly string[])[], width: number): string[] {
  const most = width < NARROW ? 0 : width / 2;
  const left = Math.max(...rows.map(([name = ""]) => name.length).filter((n) => n <= most), 4);
  return rows.flatMap(([name = "", text = ""]) => {
    const lines = wrapped(text, width - left - 4).map((line) => `${" ".repeat(left + 4)}${line}`);
    if (name.length > left) return [`  ${name}`, ...lines];
    return [`  ${name.padEnd(left)}  ${lines[0]?.trimStart()}`, ...lines.slice(1)];
  });
}
