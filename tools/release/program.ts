/** The program for a system, compiled from the bundle. */

import config from "../../deno.json" with { type: "json" };
import { denort } from "../runtime/denort.ts";
import type { Target } from "../runtime/targets.ts";
import { THREAD_MODULES } from "./bundle.ts";
import { type Compiler, done } from "./denos.ts";

/** What `deno task start` gives to `deno run`, but for --frozen: a bundle has no packages that could be locked. */
const FLAGS = config.tasks.start.split(" ").filter((word) => word.startsWith("-") && word !== "--frozen");

/** Writes it to `output`, from the bundle in a folder. Throws Error. */
export async function compileFor(
  target: Target,
  bundled: string,
  output: string,
  { words, official }: Compiler,
): Promise<void> {
  const command = [
    ...words,
    "compile",
    ...FLAGS,
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
  await done(command, official ? {} : { DENORT_BIN: await denort(target) });
}
