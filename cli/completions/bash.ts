/** For bash, 3.2 too; without the functions of bash-completion. */

import type { Completes } from "../kinds.ts";
import { type Completed, completedFlags, isShellWord, OVERALL, type Program, spellings } from "./program.ts";

/** The lines of a script that is to be sourced. */
export function bash(program: Program): string[] {
  const { name, id, commands } = program;
  return [
    `# bash completion for ${name}; written by: ${name} completions bash`,
    "",
    // Where compopt is not there (bash 3.2) or has no say, the names come from compgen.
    `${id}_files() {`,
    "  local IFS=$'\\n'",
    '  compopt -o "$1" 2>/dev/null || COMPREPLY=($(compgen "$2" -- "$word"))',
    "}",
    "",
    `${id}() {`,
    "  local IFS=$' \\t\\n' prefix= flags= values= before",
    "  local word=${COMP_WORDS[COMP_CWORD]} flag=${COMP_WORDS[COMP_CWORD-1]}",
    "  COMPREPLY=()",
    ...(isShellWord(program) ? [`  [[ $1 == ${name} ]] && { ${id}_files default -f; return; }`] : []),
    "  if [[ $word == --*=* ]]; then # = is not in COMP_WORDBREAKS",
    "    flag=${word%%=*} prefix=$flag= word=${word#*=}",
    "  elif [[ $word == = ]]; then",
    "    word=",
    "  elif [[ $flag == = ]]; then",
    "    flag=${COMP_WORDS[COMP_CWORD-2]}",
    "  fi",
    '  for before in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
    `    [[ $before == -- ]] && { ${id}_files default -f; return; }`,
    "  done",
    "  if ((COMP_CWORD == 1)); then",
    `    values="${commands.map(({ name }) => name).join(" ")}"`,
    `    flags="${OVERALL.flatMap(spellings).join(" ")}"`,
    "  else",
    "    case ${COMP_WORDS[1]} in",
    ...commands.flatMap((command) => commandCase(id, command)),
    "    esac",
    "  fi",
    "  if [[ $word == -* && -z $prefix ]]; then values=$flags; fi",
    "  if [[ -n $values ]]; then",
    '    COMPREPLY=($(compgen -P "$prefix" -W "$values" -- "$word"))',
    "  else",
    `    ${id}_files default -f`,
    "  fi",
    "}",
    "",
    `complete -F ${id} ${name}`,
  ];
}

/** What there is to say of one command: its flags, and what may stand after each. */
function commandCase(id: string, command: Completed): string[] {
  const flags = completedFlags(command);
  const valued = flags.filter(({ value }) => value !== undefined);
  const alike = Map.groupBy(valued, ({ completes }) => action(id, completes));
  const { name, operands = [] } = command;
  return [
    `    ${name})`,
    `      flags="${flags.flatMap(spellings).join(" ")}"`,
    "      case $flag in",
    ...Array.from(alike, ([does, flags]) => `      ${flags.flatMap(spellings).join(" | ")}) ${does} ;;`),
    ...(operands.length === 0 ? [] : [`      *) values="${operands.join(" ")}" ;;`]),
    "      esac ;;",
  ];
}

/** Nothing is offered for a value that only its user knows. */
function action(id: string, completes: Completes | undefined): string {
  if (completes === undefined) return "return";
  if (completes === "files") return `${id}_files default -f; return`;
  if (completes === "folders") return `${id}_files dirnames -d; return`;
  return `values="${completes.join(" ")}"`;
}
