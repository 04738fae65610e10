/** `echo completions`: what makes a shell complete our commands, flags and values. */

import type { AllCommands, Command, Flags } from "../cli/flags.ts";
import { completions, SHELLS } from "../cli/completions/completions.ts";
import { print } from "../cli/output.ts";
import { programName } from "../base/program.ts";
import { UsageError } from "../base/units.ts";
import { parseOrHelp } from "./dial_flags.ts";

const NAMES = `${SHELLS.slice(0, -1).join(", ")} or ${SHELLS.at(-1)}`;

const flags = {} as const satisfies Flags;

/** `echo completions` as parsing, help and the manual know it. */
export const command: Command<typeof flags> = {
  name: "completions",
  usage: "completions SHELL",
  summary: "Prints what a shell must read to complete commands, flags and their values.",
  flags,
  operands: SHELLS,
  notes: [
    `SHELL is ${NAMES}.`,
    "They are made for the name that the program is started by. Under the name echo, a path such as ./echo is " +
    "completed, and the shell's own echo is left alone.",
  ],
  examples: [
    ["echo completions bash > ~/.netecho.bash", "and in ~/.bashrc: source ~/.netecho.bash"],
    ["echo completions zsh > ~/.zfunc/_netecho", "in a folder of fpath; compinit finds it there"],
    ["echo completions fish > ~/.config/fish/completions/netecho.fish", "fish finds it there"],
  ],
};

/** Throws UsageError; Failure if it cannot be printed. */
export async function run(words: string[], all: AllCommands): Promise<void> {
  const { operands: [shell, surplus] } = await parseOrHelp(command, words);
  if (shell === undefined) throw new UsageError(`completions needs the name of a shell: ${NAMES}`);
  if (surplus !== undefined) {
    throw new UsageError(`one shell is enough, and ${JSON.stringify(surplus)} is one more`);
  }
  await print(completions(known(shell), programName(), await all()));
}

function known(shell: string): typeof SHELLS[number] {
  const found = SHELLS.find((name) => name === shell);
  if (found === undefined) {
    throw new UsageError(`unknown shell ${JSON.stringify(shell)}; there are ${SHELLS.join(", ")}`);
  }
  return found;
}
