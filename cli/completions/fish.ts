/** For fish, 3.0 and later. */

import type { Flag } from "../flags.ts";
import type { Completes } from "../kinds.ts";
import { brief, type Completed, completedFlags, isShellWord, OVERALL, type Program } from "./program.ts";

/** The lines of a file of its completions folder. */
export function fish(program: Program): string[] {
  const { name, id, commands } = program;
  return [
    `# fish completion for ${name}; written by: ${name} completions fish`,
    "",
    `function ${is(id)} --description 'Whether this is the command'`,
    "  set -l words (commandline -opc)",
    ...(isShellWord(program) ? [`  test "$words[1]" = ${name}; and return 1`] : []),
    '  test "$words[2]" = "$argv[1]"',
    "end",
    "",
    ...OVERALL.map(({ name: long, short, help }) =>
      line(program, "", ["-f", "-s", short, "-l", long, "-d", quoted(help)])
    ),
    ...commands.map((command) => line(program, "", ["-f", "-a", command.name, "-d", quoted(brief(command))])),
    ...commands.flatMap((command) => commandLines(program, command)),
  ];
}

function is(id: string): string {
  return `_${id}_is`;
}

/** One completion, offered after the command, or in its place where that is "". */
function line({ name, id }: Program, command: string, words: readonly string[]): string {
  return `complete -c ${name} -n ${quoted(`${is(id)} ${command || "''"}`)} ${words.join(" ")}`;
}

function commandLines(program: Program, command: Completed): string[] {
  const { name, operands } = command;
  const offered = operands === undefined
    ? []
    : [line(program, name, ["-f", "-a", quoted(operands.join(" "))])];
  return [...offered, ...completedFlags(command).map((flag) => line(program, name, flagWords(flag)))];
}

function flagWords({ short, name, help, value, completes }: Flag): string[] {
  return [
    ...(short === undefined ? [] : ["-s", short]),
    "-l",
    name,
    ...(value === undefined ? [] : action(completes)),
    "-d",
    quoted(help),
  ];
}

/** `-x` offers nothing but what is named; a value that only its user knows is not. */
function action(completes: Completes | undefined): string[] {
  if (completes === undefined) return ["-x"];
  if (completes === "files") return ["-r", "-F"];
  if (completes === "folders") return ["-x", "-a", "'(__fish_complete_directories)'"];
  return ["-x", "-a", quoted(completes.join(" "))];
}

function quoted(text: string): string {
  return `'${text.replaceAll(/[\\']/g, "\\$&")}'`;
}
