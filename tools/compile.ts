/** Makes ./echo, the program for this machine, by the recipe of a release. */

import { bundle } from "./release/bundle.ts";
import { type Compiler, compiler } from "./release/denos.ts";
import { ROOT } from "./release/names.ts";
import { compileFor } from "./release/program.ts";
import { run } from "./run.ts";
import { COMPILED_WITH } from "./runtime/denort.ts";
import { targetOf } from "./runtime/targets.ts";

/** Not the folder of a release, whose bundle the tests of the release look at. */
const BUNDLE = `${ROOT}.cache/compile/bundle`;
const PROGRAM = Deno.build.os === "windows" ? "./echo.exe" : "./echo";

async function compile(compiling: Compiler): Promise<Compiler> {
  await compileFor(targetOf(Deno.build.target), BUNDLE, PROGRAM, compiling);
  return compiling;
}

/** By this Deno; where Deno's own host is not reached, by the one whose runtimes npm has. Returns which it was. */
async function compileByEither(): Promise<Compiler> {
  try {
    return await compile(await compiler({ path: Deno.execPath() }));
  } catch (error) {
    const { message } = error as Error;
    const [why] = message.split(/\n[ \d:]*/).slice(-1);
    if (Deno.version.deno !== COMPILED_WITH) {
      console.error(`compile: not with Deno ${Deno.version.deno}: ${why}`);
    }
    try {
      return await compile(await compiler({ version: COMPILED_WITH }));
    } catch (second) {
      throw new Error(`${message}\n${(second as Error).message}`);
    }
  }
}

/** Returns what was made. Throws Error. */
async function main(): Promise<string> {
  Deno.chdir(ROOT);
  await bundle(BUNDLE);
  const { deno } = await compileByEither();
  const { code, output } = await run([PROGRAM, "--version"]);
  if (code !== 0) throw new Error(`what was made does not start: ${output.trim()}`);
  return `made ${PROGRAM} with Deno ${deno}: ${output.trim()}`;
}

if (import.meta.main) {
  try {
    console.log(await main());
  } catch (error) {
    console.error(`compile: ${(error as Error).message}`);
    Deno.exit(1);
  }
}
