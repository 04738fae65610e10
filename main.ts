import config from "./deno.json" with { type: "json" };
import { columns, WIDTH, wrapped } from "./cli/columns.ts";
import { print, reportWidth } from "./cli/output.ts";
import { keepDebuggerShut } from "./cli/signals.ts";
import { UsageError } from "./base/units.ts";
import { EXIT_CODES, Failure, OutputClosed } from "./base/errors.ts";

interface Command {
  /** Resolves with false if not all came back right. */
  run(words: string[]): Promise<boolean | void>;
}

/** Each command is loaded when it is asked for: what the others need would only delay it. */
const commands: Record<string, () => Promise<Command>> = {
  serve: () => import("./commands/serve.ts"),
  connect: () => import("./commands/connect.ts"),
  ping: () => import("./commands/ping.ts"),
  bench: () => import("./commands/bench.ts"),
};

/** Its first line goes on where `echo: ` has been printed, as before an error. */
function overview(width: number): string {
  return [
    "do bytes get there and back, and how well?",
    "",
    ...columns([
      ["echo serve [ADDRESS...]", "sends back whatever arrives"],
      ["echo connect [ADDRESS] [MESSAGE...]", "sends, and checks what comes back"],
      ["echo ping [ADDRESS]", "one message a second, timed"],
      ["echo bench [ADDRESS]", "load, and a report of speed and latency"],
    ], width),
    "",
    ...wrapped("echo help COMMAND tells more; -V prints the version.", width),
    ...wrapped(EXIT_CODES, width),
  ].join("\n");
}

const HELP_WORDS = ["help", "--help", "-h"];
const VERSION_WORDS = ["--version", "-V"];

/** Resolves with false if not all came back right. */
async function main([name = "", ...words]: string[]): Promise<boolean | void> {
  if (name === "") throw new UsageError(overview(WIDTH));
  if (VERSION_WORDS.includes(name)) return await print(`echo ${config.version}\n`);
  if (!HELP_WORDS.includes(name)) return await (await load(name)).run(words);
  const [about] = words;
  if (about !== undefined && !HELP_WORDS.includes(about)) return await (await load(about)).run(["--help"]);
  return await print(`echo: ${overview(reportWidth())}\n`);
}

/** Throws UsageError. */
async function load(name: string): Promise<Command> {
  const names = Object.keys(commands);
  const command = names.includes(name) ? commands[name] : undefined;
  if (command !== undefined) return await command();
  const { closest } = await import("./cli/meant.ts");
  const near = closest(name, names);
  const next = near === undefined ? `there are ${names.join(", ")} (see echo help)` : `did you mean ${near}?`;
  throw new UsageError(`unknown command ${JSON.stringify(name)}; ${next}`);
}

/** The one place that prints errors and chooses the exit code. */
function exitCode(error: unknown): number {
  if (error instanceof OutputClosed) return 0;
  if (!(error instanceof Error)) throw error;
  const usage = error instanceof UsageError;
  const known = usage || error instanceof Failure;
  const text = known ? error.message : `unexpected ${error.name}, please report it: ${error.message}`;
  try {
    console.error(`echo: ${text}`);
  } catch { /* nobody reads it */ }
  return usage ? 2 : 1;
}

if (import.meta.main) {
  keepDebuggerShut();
  // The exit is explicit: a read from stdin that is still pending would keep the process alive.
  main(Deno.args).then((right) => Deno.exit(right === false ? 1 : 0), (error) => Deno.exit(exitCode(error)));
}
