/** Programs of the system that a test runs. */

import { assertEquals } from "@std/assert";
import { ROOT } from "./helpers.ts";

export interface Ran {
  readonly code: number;
  /** stdout, and stderr after it. */
  readonly output: string;
}

/** Runs a program of the PATH to its end, in the folder of the sources. */
export async function ran(words: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  const [program = "", ...args] = words;
  const { code, stdout, stderr } = await new Deno.Command(program, { args, env, cwd: ROOT, stdin: "null" })
    .output();
  return { code, output: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

/** The same, and its exit code must be 0. Returns what it printed. */
export async function succeeds(words: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const { code, output } = await ran(words, env);
  assertEquals(code, 0, `${words.join(" ")}: ${output}`);
  return output;
}

export function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
