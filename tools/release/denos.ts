/** The Denos that the program is made with: one bundles and packs, one compiles. */

import { run } from "../run.ts";

/** Bundles and packs. 2.7's `deno bundle` breaks the program, and the bytes of a gzip depend on the version. */
export const BUNDLED_WITH = "2.9.6";

/** How to call the one that bundles: this one, unless it is older. */
export function bundler(): readonly string[] {
  const isOlder = Deno.version.deno.localeCompare(BUNDLED_WITH, "en", { numeric: true }) < 0;
  return isOlder ? ["npx", "-y", `deno@${BUNDLED_WITH}`] : [Deno.execPath()];
}

/** How to call a Deno, and what it says that it is. */
export interface Compiler {
  readonly words: readonly string[];
  readonly deno: string;
  readonly v8: string;
  /** Whether its runtimes come from Deno's own host, and not from npm. */
  readonly official: boolean;
}

/** `deno` is a path, or a version from npm. Throws Error if there is none. */
export async function compiler(
  deno: { readonly path: string } | { readonly version: string },
): Promise<Compiler> {
  const words = "path" in deno ? [deno.path] : ["npx", "-y", `deno@${deno.version}`];
  const said = await done([...words, "--version"]);
  const version = (name: string) => new RegExp(`^${name} (\\S+)`, "m").exec(said)?.[1] ?? "";
  const found = { words, deno: version("deno"), v8: version("v8"), official: "path" in deno };
  if (found.deno === "" || found.v8 === "") throw new Error(`${words.join(" ")} is no Deno: ${said.trim()}`);
  return found;
}

/** Runs it to its end and returns what it printed. Throws Error, with that in it, if it fails. */
export async function done(words: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const { code, output } = await run(words, { NO_COLOR: "1", ...env });
  const [said = ""] = output.split("\nStack backtrace:"); // Deno ends with one that says nothing
  if (code !== 0) throw new Error(`${words.join(" ")} failed:\n${said.trim()}`);
  return output;
}
