/** For zsh, as a file of its fpath or sourced after compinit. */

import type { Flag } from "../flags.ts";
import type { Completes } from "../kinds.ts";
import {
  brief,
  type Completed,
  completedFlags,
  isShellWord,
  OVERALL,
  type Program,
  spellings,
} from "./program.ts";

/** The lines of an autoloaded function. */
export function zsh(program: Program): string[] {
  const { name, id, commands } = program;
  return [
    `#compdef ${name}`,
    `# zsh completion for ${name}; written by: ${name} completions zsh`,
    "",
    `${id}_word() { # an address such as unix:/path, or any other word`,
    "  compset -P unix:",
    "  _files",
    "}",
    "",
    `${id}() {`,
    "  local curcontext=$curcontext state line commands",
    "  typeset -A opt_args",
    ...(isShellWord(program) ? [`  [[ $words[1] == ${name} ]] && { _default; return; }`] : []),
    "  _arguments -C \\",
    ...OVERALL.map((flag) => `    '(- *)'{${spellings(flag).join(",")}}'[${flag.help}]' \\`),
    "    '1: :->command' '*:: :->words' && return",
    "  case $state in",
    "  command)",
    "    commands=(",
    ...commands.map((command) => `      ${quoted(`${command.name}:${brief(command)}`)}`),
    "    )",
    "    _describe -t commands command commands ;;",
    "  words)",
    "    case $words[1] in",
    ...commands.flatMap((command) => commandCase(id, command)),
    "    esac ;;",
    "  esac",
    "}",
    "",
    `if [[ $funcstack[1] == ${id} ]]; then ${id} "$@"; else compdef ${id} ${name}; fi`,
  ];
}

function commandCase(id: string, command: Completed): string[] {
  const { name, operands } = command;
  const rest = operands === undefined ? `'*: :${id}_word'` : `'1: :(${operands.join(" ")})'`;
  const specs = [...completedFlags(command).map(flagSpec), ...(operands?.length === 0 ? [] : [rest])];
  return [`    ${name})`, `      _arguments -s -S \\`, `        ${specs.join(" \\\n        ")} ;;`];
}

/** `-c+` and `--count=` take their value as a word of its own too; a flag excludes its other spelling. */
function flagSpec(flag: Flag): string {
  const { short, name, help, value } = flag;
  const long = value === undefined ? `--${name}` : `--${name}=`;
  const told = `[${help.replaceAll(/[[\]\\]/g, "\\$&")}]`;
  const taken = value === undefined ? "" : `:${value.replaceAll(":", "\\:")}:${action(flag.completes)}`;
  if (short === undefined) return quoted(`${long}${told}${taken}`);
  const brief = value === undefined ? `-${short}` : `-${short}+`;
  return `'(-${short} --${name})'{${brief},${long}}${quoted(`${told}${taken}`)}`;
}

/** A space stands for a value that only its user knows. */
function action(completes: Completes | undefined): string {
  if (completes === undefined) return " ";
  if (completes === "files") return "_files";
  if (completes === "folders") return "_files -/";
  return `(${completes.join(" ")})`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
