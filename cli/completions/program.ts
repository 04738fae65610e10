/** What all shells are told of the program, each in its own words. */

import { type Command, type Flag, type Flags, flagsOf } from "../flags.ts";
import { PROGRAM } from "../../base/program.ts";

/** A command; `help` is one that has no flags. */
export type Completed = Pick<Command<Flags>, "name" | "usage" | "summary" | "operands"> & { flags?: Flags };

export interface Program {
  readonly name: string;
  /** Its name where only letters, digits and _ may be: that of the function that completes it. */
  readonly id: string;
  readonly commands: readonly Completed[];
}

/** What stands in place of a command. */
export const OVERALL = [
  { name: "help", short: "h", help: "show the commands" },
  { name: "version", short: "V", help: "print the version" },
] as const;

/** The flags of a command, with --help as the last one. */
export function completedFlags({ flags }: Completed): Flag[] {
  if (flags === undefined) return [];
  const help = { kind: "switch", short: "h", help: "show the help of this command" } as const;
  return flagsOf({ ...flags, help });
}

/** All spellings of a flag. */
export function spellings({ short, name }: Pick<Flag, "short" | "name">): string[] {
  return [...(short === undefined ? [] : [`-${short}`]), `--${name}`];
}

/** The first sentence of its summary, without the full stop. */
export function brief({ summary }: Completed): string {
  return summary.replace(/\.( .*)?$/s, "");
}

/** Under the name of the sources, `./echo` is completed, and `echo` is left to the shell, whose own word that is. */
export function isShellWord({ name }: Program): boolean {
  return name === PROGRAM;
}
