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

/** Runs a command of the shell in a folder to its end. Throws if it fails; returns what it printed. */
export async function shell(command: string, cwd: string, env: Record<string, string> = {}): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command("sh", { args: ["-ec", command], cwd, env })
    .output();
  const said = new TextDecoder().decode(stdout);
  if (code !== 0) throw new Error(`${command}: ${said}${new TextDecoder().decode(stderr)}`);
  return said;
}

/** A folder of its own with these files in it, removed after `work`. */
export async function inFolder(
  files: ReadonlyMap<string, string>,
  work: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [path, text] of files) {
      await Deno.mkdir(`${folder}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(`${folder}/${path}`, text);
    }
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

export function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
