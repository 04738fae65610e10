/** The text of `--help`. */

import { columns, WIDTH, wrapped } from "./columns.ts";
import { type Command, type Flags, flagsOf } from "./flags.ts";
import { programName, typed } from "../base/program.ts";

const NO_BREAK = "\u00a0";

/** The text of `echo COMMAND --help`, in so many columns. */
export function help(command: Command<Flags>, width = WIDTH): string {
  const flags = flagsOf(command.flags).map((flag) => [
    `${flag.short ? `-${flag.short}, ` : "    "}--${flag.name}${flag.value ? ` ${flag.value}` : ""}`,
    `${flag.help}${flag.initial === undefined ? "" : ` (default ${flag.initial})`}`
      .replace(/(?<=\(default) (?=\S+\)$)/, NO_BREAK),
  ]);
  return [
    ...wrapped(`usage: ${programName()} ${command.usage}`, width),
    "",
    ...wrapped(command.summary, width),
    "",
    ...columns([...flags, ["-h, --help", "show this text"]], width),
    "",
    ...command.notes.flatMap((note) => wrapped(note, width)),
    "",
    "examples:",
    ...columns(command.examples.map(([line, meaning]) => [typed(line), meaning]), width),
  ].join("\n").replaceAll(NO_BREAK, " ");
}
