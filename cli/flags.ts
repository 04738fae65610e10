/** One row a flag: it feeds parsing, defaults, types, help (help.ts), and the README (a test holds them together). */

import { parseArgs } from "@std/cli/parse-args";
import { unknownFlag } from "./meant.ts";
import { UsageError } from "../base/units.ts";

/** One flag. Without `value` it is a switch. `initial` is the text that stands for the flag when it is not given. */
export interface Flag<T> {
  readonly name: string;
  readonly short?: string;
  readonly value?: string;
  readonly initial?: string;
  readonly help: string;
  readonly parse: (text: string) => T;
}

export type Flags = Readonly<Record<string, Flag<unknown>>>;

/** The typed, complete options that a table of flags gives. */
export type Options<F extends Flags> = { readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never };

/** A flag with a value and a default. */
export function option<T>(
  name: string,
  value: string,
  parse: (text: string) => T,
  initial: string,
  help: string,
): Flag<T> {
  return { name, value, parse, initial, help };
}

/** A flag with a value and no default: undefined when it is not given. */
export function optional<T>(
  name: string,
  value: string,
  parse: (text: string) => T,
  help: string,
): Flag<T | undefined> {
  return { name, value, parse, help };
}

/** A flag without a value. */
export function toggle(name: string, help: string): Flag<boolean> {
  return { name, parse: () => true, help };
}

/** The same flag with a letter of its own: `-c` beside `--count`. */
export function lettered<T>(short: string, flag: Flag<T>): Flag<T> {
  return { ...flag, short };
}

/** One command: what it is called, what it takes, how it is explained. */
export interface Command<F extends Flags> {
  readonly name: string;
  readonly usage: string;
  readonly summary: string;
  readonly flags: F;
  readonly notes: readonly string[];
  readonly examples: readonly (readonly [line: string, meaning: string])[];
}

/** Reads a command's words. Throws UsageError on an unknown, repeated or empty flag or a bad value. */
export function parse<F extends Flags>(
  command: Command<F>,
  words: readonly string[],
): { options: Options<F>; operands: string[] } {
  const rows = Object.entries(command.flags);
  const spelled = checked(command.name, rows.map(([, flag]) => flag), words);
  const valued = rows.filter(([, flag]) => flag.value !== undefined).map(([, flag]) => flag.name);
  const toggles = rows.filter(([, flag]) => flag.value === undefined).map(([, flag]) => flag.name);
  const found = parseArgs(spelled, {
    string: [...valued, "_"],
    boolean: toggles,
    collect: [...valued, ...toggles],
    alias: Object.fromEntries(rows.flatMap(([, flag]) => flag.short ? [[flag.short, flag.name]] : [])),
  });
  const options = rows.map(([key, flag]) => [key, valueOf(flag, found[flag.name] ?? [])]);
  return { options: Object.fromEntries(options) as Options<F>, operands: found._.map(String) };
}

function valueOf(flag: Flag<unknown>, given: readonly (string | boolean)[]): unknown {
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
function checked(command: string, flags: readonly Flag<unknown>[], words: readonly string[]): string[] {
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
function lastFlag(command: string, flags: readonly Flag<unknown>[], word: string): Flag<unknown> | undefined {
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
