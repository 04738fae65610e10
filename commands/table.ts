/** All commands: a row each, from which come the overview, the manual, completions and the man page. */

import type { AllCommands, Command, Flags } from "../cli/flags.ts";

/** What a file of this folder exports. */
export interface CommandModule {
  readonly command: Command<Flags>;
  /** Resolves with false if not all came back right. */
  run(words: string[], all: AllCommands): Promise<boolean | void>;
}

interface Row {
  /** What follows its name in the overview. */
  readonly takes?: string;
  readonly does: string;
  /** It is loaded when it is asked for: what the others need would only delay it. */
  readonly load: () => Promise<CommandModule>;
}

/** By their names, in the order of the overview. */
export const COMMANDS: Readonly<Record<string, Row>> = {
  serve: {
    takes: "[ADDRESS...]",
    does: "sends back whatever arrives",
    load: () => import("./serve.ts"),
  },
  connect: {
    takes: "[ADDRESS] [MESSAGE...]",
    does: "sends, and checks what comes back",
    load: () => import("./connect.ts"),
  },
  ping: {
    takes: "[ADDRESS]",
    does: "one message a second, timed",
    load: () => import("./ping.ts"),
  },
  bench: {
    takes: "[ADDRESS]",
    does: "load, and a report of speed and latency",
    load: () => import("./bench.ts"),
  },
  completions: {
    takes: "SHELL",
    does: "what bash, zsh or fish completes with",
    load: () => import("./completions.ts"),
  },
  man: {
    does: "the page for man(1)",
    load: () => import("./man.ts"),
  },
};

/** Loads them all. */
export const allCommands: AllCommands = async () => {
  const modules = await Promise.all(Object.values(COMMANDS).map(({ load }) => load()));
  return modules.map(({ command }) => command);
};
