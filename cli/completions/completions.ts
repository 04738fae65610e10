/** A shell's completion of commands, flags and values, made from the tables of flags. */

import type { Command, Flags } from "../flags.ts";
import { bash } from "./bash.ts";
import { fish } from "./fish.ts";
import type { Completed, Program } from "./program.ts";
import { zsh } from "./zsh.ts";

const MAKERS: Readonly<Record<Shell, (program: Program) => string[]>> = { bash, zsh, fish };

/** The shells that there are completions for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = typeof SHELLS[number];

/** What the shell is to read, for a program of this name. */
export function completions(shell: Shell, name: string, commands: readonly Command<Flags>[]): string {
  const help = {
    name: "help",
    usage: "help COMMAND",
    summary: "Tells more of a command.",
    operands: commands.map(({ name }) => name),
  } satisfies Completed;
  const id = `_${name.replaceAll(/\W/g, "_")}`;
  return `${MAKERS[shell]({ name, id, commands: [...commands, help] }).join("\n")}\n`;
}
