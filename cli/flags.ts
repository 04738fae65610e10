/** One row a flag: it feeds parsing, defaults, types, help (help.ts) and docs/commands.md (tools/docs.ts). */

import { parseArgs } from "@std/cli/parse-args";
import { type Completes, type Kind, KINDS } from "./kinds.ts";
import { unknownFlag } from "./meant.ts";
import { oneOf, orOff, UsageError } from "../base/units.ts";

interface Described {
  /** A letter of its own: `-c` beside `--count`. */
  readonly short?: string;
  readonly help: string;
}

/** It is there or not. */
export interface Switch extends Described {
  readonly kind: "switch";
}

/** One of the words `of`. */
export interface Choice extends Described {
  readonly kind: "choice";
  /** What stands for a value in the help. */
  readonly value: string;
  readonly of: readonly string[];
  /** The text that stands for the flag when it is not given; without it, the option is undefined then. */
  readonly initial?: string;
}

/** A value of one of the kinds in kinds.ts. */
export interface Valued extends Described {
  readonly kind: keyof typeof KINDS;
  readonly initial?: string;
  /** What `0` and `off` stand for, where they may be given. */
  readonly none?: number;
  /** In place of what the kind has. */
  readonly value?: string;
  readonly parse?: (text: string) => unknown;
}

/** One flag as it stands in the table of a command. */
export type Row = Switch | Choice | Valued;

/** A table of flags by the names of their options: `maxClients` is `--max-clients`. */
export type Flags = Readonly<Record<string, Row>>;

type ValueOf<R extends Row> = R extends Switch ? boolean
  : R extends { readonly of: readonly (infer Word)[] } ? Word
  : R extends { readonly parse: (text: string) => infer T } ? T
  : R extends Valued ? ReturnType<(typeof KINDS)[R["kind"]]["parse"]>
  : never;

type Missing<R extends Row> = R extends Switch | { readonly initial: string } ? never : undefined;

/** The typed, complete options that a table of flags gives. */
export type Options<F extends Flags> = { readonly [K in keyof F]: ValueOf<F[K]> | Missing<F[K]> };

/** A row with all that follows from its kind. */
export interface Flag extends Described {
  readonly key: string;
  readonly name: string;
  readonly kind: Row["kind"];
  /** What stands for its value in the help; undefined: a switch. */
  readonly value?: string;
  readonly initial?: string;
  /** What a shell completes its value with. */
  readonly completes?: Completes;
  /** Throws UsageError. */
  readonly parse: (text: string) => unknown;
}

/** The flags of a table, in its order. */
export function flagsOf(table: Flags): Flag[] {
  return Object.entries(table).map(([key, row]) => {
    const name = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    if (row.kind === "switch") return { ...row, key, name, parse: () => true };
    if (row.kind === "choice") return { ...row, key, name, completes: row.of, parse: oneOf(...row.of) };
    const { note: _, ...kind }: Kind<unknown> = KINDS[row.kind];
    const flag = { ...kind, ...row, key, name };
    return row.none === undefined ? flag : { ...flag, parse: orOff(flag.parse, row.none) };
  });
}

/** One command: what it is called, what it takes, how it is explained. */
export interface Command<F extends Flags> {
  readonly name: string;
  readonly usage: string;
  readonly summary: string;
  readonly flags: F;
  /** The words that its operands may be, where they are known. */
  readonly operands?: readonly string[];
  readonly notes: readonly string[];
  readonly examples: readonly (readonly [line: string, meaning: string])[];
}

/** Loads the descriptions of all commands, in the order of the help. */
export type AllCommands = () => Promise<Command<Flags>[]>;

/** Reads a command's words. Throws UsageError on an unknown, repeated or empty flag or a bad value. */
export function parse<F extends Flags>(
  command: Command<F>,
  words: readonly string[],
): { options: Options<F>; operands: string[] } {
  const flags = flagsOf(command.flags);
  const spelled = checked(command.name, flags, words);
  const valued = flags.filter(({ value }) => value !== undefined).map(({ name }) => name);
  const switches = flags.filter(({ value }) => value === undefined).map(({ name }) => name);
  const found = parseArgs(spelled, {
    string: [...valued, "_"],
    boolean: switches,
    collect: [...valued, ...switches],
    alias: Object.fromEntries(flags.flatMap(({ short, name }) => short ? [[short, name]] : [])),
  });
  const options = flags.map((flag) => [flag.key, valueOf(flag, found[flag.name] ?? [])]);
  return { options: Object.fromEntries(options) as Options<F>, operands: found._.map(String) };
}

function valueOf(flag: Flag, given: readonly (string | boolean)[]): unknown {
  const [text, ...more] = given;
  if (more.length > 0) throw new UsageError(`--${flag.name} is given ${given.length} times; once is enough`);
  if (flag.value === undefined) return text === true;
  if (text === undefined) return flag.initial === undefined ? undefined : flag.parse(flag.initial);
  if (text === "") throw new UsageError(`--${flag.name} needs a value: --${flag.name} ${flag.value}`);
  try {
    return flag.parse(String(text));
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`--${flag.name}: ${error.message}`);
    throw error;
  }
}

/**
 * parseArgs would take `--quiet=maybe`, `-q5` and `--_`, and no negative number as a value. Here a flag is one of
 * the table, spelled as it is there, and `-c -1` is returned as `--count=-1`.
 */
function checked(command: string, flags: readonly Flag[], words: readonly string[]): string[] {
  const spelled: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    if (word === "--") return [...spelled, ...words.slice(i)];
    const last = lastFlag(command, flags, word);
    const next = words[i + 1] ?? "";
    if (last !== undefined && /^-\.?\d/.test(next)) {
      const switches = word.startsWith("--") ? "" : word.slice(0, -1);
      if (switches.length > 1) spelled.push(switches);
      spelled.push(`--${last.name}=${next}`);
      i++;
    } else {
      spelled.push(word);
    }
  }
  return spelled;
}

/** The flag of the word whose value is the next word; undefined where none is wanted. Throws UsageError. */
function lastFlag(command: string, flags: readonly Flag[], word: string): Flag | undefined {
  const names = ["help", ...flags.map((flag) => flag.name)];
  const [, dashes, name = "", given] = /^(--?)(?!$)([^=]*)(=.*)?$/s.exec(word) ?? [];
  if (dashes === "--") {
    const flag = flags.find((row) => row.name === name);
    if (flag === undefined) throw new UsageError(unknownFlag(command, `--${name}`, names));
    if (given !== undefined && flag.value === undefined) {
      throw new UsageError(`--${name} takes no value, and ${JSON.stringify(given.slice(1))} is given`);
    }
    return flag.value !== undefined && given === undefined ? flag : undefined;
  }
  if (dashes === undefined) return undefined;
  // Short switches may share a dash (-qv); what follows one with a value is its value (-c3).
  for (const [i, letter] of [...word.slice(1)].entries()) {
    const flag = flags.find((row) => row.short === letter);
    if (flag === undefined) throw new UsageError(unknownFlag(command, `-${letter}`, names));
    if (flag.value !== undefined) return i === word.length - 2 ? flag : undefined;
  }
  return undefined;
}
