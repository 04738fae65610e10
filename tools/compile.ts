/** Makes ./echo, one executable file, with the permissions of deno.json and the flags of `deno task start`. */

import { COMPILED_WITH, denort } from "./runtime/denort.ts";
import { run } from "./run.ts";

/** What `deno task start` gives to `deno run`, too: a test holds the two together. */
export const FLAGS = ["-q", "-P", "--frozen", "--no-prompt", "--v8-flags=--max-semi-space-size=2"];
/** Modules that no import names: the threads. */
export const THREADS = ["threads/server_thread.ts", "load/load_thread.ts"];

const COMMAND = [
  Deno.execPath(),
  "compile",
  ...FLAGS,
  "--no-code-cache", // it would be written to a predictable path in the temp folder
  ...THREADS.flatMap((path) => ["--include", path]),
  "--output",
  "echo",
  "main.ts",
];

/** Returns what the compiler said if it failed. `runtime` takes the place of the one that Deno downloads. */
async function compile(runtime: string | undefined): Promise<string | undefined> {
  const { code, output } = await run(COMMAND, runtime === undefined ? {} : { DENORT_BIN: runtime });
  return code === 0 ? undefined : output.trim();
}

/** Returns what was made. Where Deno's download host is not reached, the runtime comes from npm. */
async function main(): Promise<string> {
  const version = Deno.version.deno;
  let fault = await compile(Deno.env.get("DENORT_BIN"));
  if (fault !== undefined && version === COMPILED_WITH) fault = await compile(await denort());
  if (fault !== undefined) {
    throw new Error(
      `${fault}\nWhere Deno's download host is not reached, npm has a runtime of ${COMPILED_WITH}: ` +
        `npx -y deno@${COMPILED_WITH} task compile`,
    );
  }
  const { code, output } = await run(["./echo", "--version"]);
  if (code !== 0) throw new Error(`what was made does not start: ${output.trim()}`);
  return `made ./echo with Deno ${version}: ${output.trim()}`;
}

if (import.meta.main) {
  try {
    console.log(await main());
  } catch (error) {
    console.error(`compile: ${(error as Error).message}`);
    Deno.exit(1);
  }
}
