import config from "./deno.json" with { type: "json" };
import { UsageError } from "./cli/units.ts";
import { Failure, OutputClosed } from "./net/errors.ts";

/** Each command is loaded when it is asked for: what the others need would only delay it. */
const commands: Record<string, () => Promise<{ run(words: string[]): Promise<boolean | void> }>> = {
  serve: () => import("./commands/serve.ts"),
  connect: () => import("./commands/connect.ts"),
  ping: () => import("./commands/ping.ts"),
  bench: () => import("./commands/bench.ts"),
};

const OVERVIEW = `echo: do bytes get there and back, and how well?

  echo serve [ADDRESS...]                 sends back whatever arrives
  echo connect [ADDRESS] [MESSAGE...]     sends, and checks what comes back
  echo ping [ADDRESS]                     one message a second, timed
  echo bench [ADDRESS]                    load, and a report of speed and latency

echo COMMAND --help tells more; --version prints the version.
Exit codes: 0 all came back right, 1 the network or the other end failed, 2 the command line was wrong.`;

/** Resolves with false if not all came back right. */
async function main([name = "", ...words]: string[]): Promise<boolean | void> {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command !== undefined) return (await command()).run(words);
  if (name === "--version") return console.log(`echo ${config.version}`);
  if (name === "--help") return console.log(OVERVIEW);
  if (name === "") throw new UsageError(OVERVIEW);
  const known = Object.keys(commands).join(", ");
  throw new UsageError(`unknown command ${JSON.stringify(name)}; there are ${known} (see --help)`);
}

/** The one place that prints errors and chooses the exit code. */
function exitCode(error: unknown): number {
  if (error instanceof OutputClosed) return 0;
  if (!(error instanceof Error)) throw error;
  const usage = error instanceof UsageError;
  const known = usage || error instanceof Failure;
  const text = known ? error.message : `unexpected ${error.name}, please report it: ${error.message}`;
  try {
    console.error(usage && error.message === OVERVIEW ? text : `echo: ${text}`);
  } catch { /* nobody reads it */ }
  return usage ? 2 : 1;
}

if (import.meta.main) {
  // The exit is explicit: a read from stdin that is still pending would keep the process alive.
  main(Deno.args).then((right) => Deno.exit(right === false ? 1 : 0), (error) => Deno.exit(exitCode(error)));
}
