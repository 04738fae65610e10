/** The program for a system, compiled from the bundle. */

import { FLAGS } from "../compile.ts";
import { denort } from "../runtime/denort.ts";
import { checkExecutable } from "../runtime/executable.ts";
import type { Target } from "../runtime/targets.ts";
import { PACKAGES, THREAD_MODULES } from "./bundle.ts";
import { type Compiler, done } from "./denos.ts";

/** Writes it to `output`, from the bundle in a folder, and checks that it is whole. Throws Error. */
export async function compileFor(
  target: Target,
  bundled: string,
  output: string,
  { words, official }: Compiler,
): Promise<void> {
  const command = [
    ...words,
    "compile",
    ...FLAGS.filter((flag) => flag !== "--frozen"), // there is nothing to lock: a bundle has no packages
    "--no-lock",
    "--no-check",
    "--no-code-cache", // it would be written to a predictable path in the temp folder
    "--config",
    `${bundled}/deno.json`,
    ...THREAD_MODULES.flatMap((name) => ["--include", `${bundled}/${name}`]),
    "--target",
    target,
    "--output",
    output,
    `${bundled}/main.js`,
  ];
  await done(command, { DENO_DIR: PACKAGES, ...(official ? {} : { DENORT_BIN: await denort(target) }) });
  try {
    checkExecutable(output, target);
  } catch (error) {
    throw new Error(`${output}: ${(error as Error).message}`);
  }
}
