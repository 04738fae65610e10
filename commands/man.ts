/** `echo man`: the page for man(1). */

import config from "../deno.json" with { type: "json" };
import type { AllCommands, Command, Flags } from "../cli/flags.ts";
import { manPage } from "../cli/man.ts";
import { print } from "../cli/output.ts";
import { programName } from "../base/program.ts";
import { UsageError } from "../base/units.ts";
import { parseOrHelp } from "./dial_flags.ts";

const flags = {} as const satisfies Flags;

/** `echo man` as parsing, help and the manual know it. */
export const command: Command<typeof flags> = {
  name: "man",
  usage: "man",
  summary: "Prints the page for man(1), as troff reads it.",
  flags,
  operands: [],
  notes: ["It is made for the name that the program is started by."],
  examples: [
    ["echo man | man -l -", "read it (man-db)"],
    ["echo man > ~/.local/share/man/man1/netecho.1", "for: man netecho"],
  ],
};

/** Throws UsageError; Failure if it cannot be printed. */
export async function run(words: string[], all: AllCommands): Promise<void> {
  const { operands: [surplus] } = await parseOrHelp(command, words);
  if (surplus !== undefined) throw new UsageError(`man takes no ${JSON.stringify(surplus)}; try man alone`);
  const { version, released } = config;
  await print(manPage({ name: programName(), version, date: released, commands: await all() }));
}
