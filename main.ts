import config from "./deno.json" with { type: "json" };
import { columns, WIDTH, wrapped } from "./cli/columns.ts";
import { print, reportWidth } from "./cli/output.ts";
import { keepDebuggerShut } from "./cli/signals.ts";
import { allCommands, type CommandModule, COMMANDS } from "./commands/table.ts";
import { programName, PURPOSE } from "./base/program.ts";
import { UsageError } from "./base/units.ts";
import { EXIT_CODES, Failure, OutputClosed } from "./base/errors.ts";

/** Its first line goes on where `echo: ` has been printed, as before an error. */
function overview(width: number): string {
  const program = programName();
  const rows = Object.entries(COMMANDS).map(([name, { takes, does }]) => {
    return [[program, name, takes].filter(Boolean).join(" "), does];
  });
  return [
    PURPOSE,
    "",
    ...columns(rows, width),
    "",
    ...wrapped(`${program} help COMMAND tells more; -V prints the version.`, width),
    ...wrapped(EXIT_CODES, width),
  ].join("\n");
}

const HELP_WORDS = ["help", "--help", "-h"];
const VERSION_WORDS = ["--version", "-V"];

/** Resolves with false if not all came back right. */
async function main([name = "", ...words]: string[]): Promise<boolean | void> {
  if (name === "") throw new UsageError(overview(WIDTH));
  if (VERSION_WORDS.includes(name)) return await print(`${programName()} ${config.version}\n`);
  if (!HELP_WORDS.includes(name)) return await (await load(name)).run(words, allCommands);
  const [about] = words;
  if (about !== undefined && !HELP_WORDS.includes(about)) {
    return await (await load(about)).run(["--help"], allCommands);
  }
  return await print(`${programName()}: ${overview(reportWidth())}\n`);
}

/** Throws UsageError. */
async function load(name: string): Promise<CommandModule> {
  const names = Object.keys(COMMANDS);
  const row = names.includes(name) ? COMMANDS[name] : undefined;
  if (row !== undefined) return await row.load();
  const { closest } = await import("./cli/meant.ts");
  const near = closest(name, names);
  const next = near === undefined
    ? `there are ${names.join(", ")} (see ${programName()} help)`
    : `did you mean ${near}?`;
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
    console.error(`${programName()}: ${text}`);
  } catch { /* nobody reads it */ }
  return usage ? 2 : 1;
}

if (import.meta.main) {
  keepDebuggerShut();
  // The exit is explicit: a read from stdin that is still pending would keep the process alive.
  main(Deno.args).then((right) => Deno.exit(right === false ? 1 : 0), (error) => Deno.exit(exitCode(error)));
}
