import process from "node:process";
import config from "./deno.json" with { type: "json" };
import { type Address, DEFAULT_PORT, parseAddress } from "./cli/address.ts";
import { commands, OVERVIEW } from "./cli/commands.ts";
import { type Command, type Flags, help, parse } from "./cli/flags.ts";
import { closeLog, LineWriter, openLog } from "./cli/log.ts";
import { UsageError } from "./cli/units.ts";
import { connect } from "./client.ts";
import { OutputClosed } from "./net/conversation.ts";
import { Failure } from "./net/errors.ts";
import { Server } from "./server.ts";

/** How long the last log lines may take to be written. */
const FLUSH_MS = 500;

const runs: Record<string, (words: string[]) => Promise<void>> = { serve: runServe, connect: runConnect };

async function main([name = "", ...words]: string[]): Promise<void> {
  const run = runs[name];
  if (run !== undefined) return await run(words);
  if (name === "--version") return console.log(`echo ${config.version}`);
  if (name === "--help") return console.log(OVERVIEW);
  if (name === "") throw new UsageError(OVERVIEW);
  throw new UsageError(
    `unknown command ${JSON.stringify(name)}; there are ${Object.keys(runs).join(" and ")}`,
  );
}

async function runServe(words: string[]): Promise<void> {
  const { options, operands } = parseOrHelp(commands.serve, words);
  const addresses: Address[] = operands.map(parseAddress);
  if (addresses.length === 0) addresses.push({ scheme: "tcp", port: DEFAULT_PORT });
  const stderr = new LineWriter(Deno.stderr);
  const log = await openLog(options.quiet ? "warn" : options.logLevel, options.logFormat, stderr);
  const server = new Server({ ...options, addresses }, log);
  const { stop } = stopSignals();
  Deno.addSignalListener("SIGUSR1", () => server.report());
  try {
    await server.run(stop);
  } finally {
    await closeLog(stderr, FLUSH_MS);
  }
}

async function runConnect(words: string[]): Promise<void> {
  const { options, operands } = parseOrHelp(commands.connect, words);
  const [text, ...message] = operands;
  const address = text === undefined ? { scheme: "tcp", port: DEFAULT_PORT } as const : parseAddress(text);
  const { timeout, retry, quiet } = options;
  const { stop, interrupt } = stopSignals();
  await connect(
    { address, message: message.length > 0 ? message.join(" ") : undefined, timeout, retry, quiet },
    stop,
    interrupt,
  );
}

function parseOrHelp<F extends Flags>(command: Command<F>, words: string[]): ReturnType<typeof parse<F>> {
  const end = words.indexOf("--");
  if (words.slice(0, end === -1 ? undefined : end).includes("--help")) {
    console.log(help(command));
    Deno.exit(0);
  }
  return parse(command, words);
}

/**
 * `stop` aborts at the first signal that asks to, with its name as the reason; the second ends the process.
 * `interrupt` is what Ctrl-C at the terminal calls where it makes no signal.
 */
function stopSignals(): { stop: AbortSignal; interrupt: () => void } {
  const stop = new AbortController();
  const ask = (name: string) => stop.signal.aborted ? Deno.exit(130) : stop.abort(name);
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const) {
    Deno.addSignalListener(name, () => ask(name));
  }
  Deno.addSignalListener("SIGUSR1", closeDebugger);
  Deno.addSignalListener("SIGUSR2", () => {}); // without a listener it would end the process
  return { stop: stop.signal, interrupt: () => ask("SIGINT") };
}

/**
 * From 2.9.2 on, `deno run` opens its debugger on SIGUSR1 to every user of the machine, whoever listens for the
 * signal, and has no flag against it; the compiled program does not. It is closed as soon as it is there.
 */
function closeDebugger(): void {
  const { _debugEnd } = process as { _debugEnd?: () => void };
  for (const ms of [0, 20, 200]) setTimeout(() => _debugEnd?.(), ms);
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
  main(Deno.args).then(() => Deno.exit(0), (error) => Deno.exit(exitCode(error)));
}
