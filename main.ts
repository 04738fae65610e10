import config from "./deno.json" with { type: "json" };
import { DEFAULT_PORT, parseAddress, type StreamAddress } from "./cli/address.ts";
import { benchOptions } from "./cli/bench_options.ts";
import { dialOptions, messageSize, target } from "./cli/client_options.ts";
import { commands, OVERVIEW } from "./cli/commands.ts";
import { type Command, type Flags, help, parse } from "./cli/flags.ts";
import { closeLog, LineWriter, openLog } from "./cli/log.ts";
import { UsageError } from "./cli/units.ts";
import { bench } from "./bench.ts";
import { connect } from "./client.ts";
import { OutputClosed } from "./net/conversation.ts";
import { Failure } from "./net/errors.ts";
import { ping } from "./ping.ts";
import { Server } from "./server.ts";

/** How long the last log lines may take to be written. */
const FLUSH_MS = 500;

/** Each resolves with whether all came back right. */
const runs: Record<string, (words: string[]) => Promise<boolean>> = {
  serve: runServe,
  connect: runConnect,
  ping: runPing,
  bench: runBench,
};

async function main([name = "", ...words]: string[]): Promise<boolean> {
  const run = runs[name];
  if (run !== undefined) return await run(words);
  if (name === "") throw new UsageError(OVERVIEW);
  if (name !== "--version" && name !== "--help") {
    const known = Object.keys(runs).join(", ");
    throw new UsageError(`unknown command ${JSON.stringify(name)}; there are ${known}`);
  }
  console.log(name === "--help" ? OVERVIEW : `echo ${config.version}`);
  return true;
}

async function runServe(words: string[]): Promise<boolean> {
  const { options, operands } = parseOrHelp(commands.serve, words);
  const addresses = operands.map(streamAddress);
  if (addresses.length === 0) addresses.push({ scheme: "tcp", port: DEFAULT_PORT });
  const stderr = new LineWriter(Deno.stderr);
  const log = await openLog(options.quiet ? "warn" : options.logLevel, options.logFormat, stderr);
  const listen = { shared: false, socketMode: options.socketMode, tls: undefined };
  const server = new Server({ ...options, addresses, listen }, log);
  const { stop } = stopSignals();
  Deno.addSignalListener("SIGUSR1", () => server.report());
  try {
    await server.run(stop);
  } finally {
    await closeLog(stderr, FLUSH_MS);
  }
  return true;
}

async function runConnect(words: string[]): Promise<boolean> {
  const { options, operands } = parseOrHelp(commands.connect, words);
  const [text, ...message] = operands;
  const address = text === undefined ? { scheme: "tcp", port: DEFAULT_PORT } as const : streamAddress(text);
  const { timeout, retry, quiet } = options;
  const { stop, interrupt } = stopSignals();
  await connect(
    {
      address,
      dial: dialOptions(),
      message: message.length > 0 ? message.join(" ") : undefined,
      timeout,
      retry,
      quiet,
    },
    stop,
    interrupt,
  );
  return true;
}

async function runPing(words: string[]): Promise<boolean> {
  const { options, operands } = parseOrHelp(commands.ping, words);
  const address = target(operands);
  messageSize(options.size, address.scheme);
  const { stop } = stopSignals();
  return await ping({ ...options, version: config.version, address, dial: dialOptions() }, stop);
}

async function runBench(words: string[]): Promise<boolean> {
  const { options, operands } = parseOrHelp(commands.bench, words);
  const address = target(operands);
  const shape = benchOptions(options, address.scheme);
  const { stop } = stopSignals();
  return await bench({ ...shape, version: config.version, address, dial: dialOptions() }, stop);
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
  // Without a listener, one would open Deno's debugger and the other end the process.
  for (const name of ["SIGUSR1", "SIGUSR2"] as const) Deno.addSignalListener(name, () => {});
  return { stop: stop.signal, interrupt: () => ask("SIGINT") };
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
  main(Deno.args).then((right) => Deno.exit(right ? 0 : 1), (error) => Deno.exit(exitCode(error)));
}

function streamAddress(text: string): StreamAddress {
  const address = parseAddress(text);
  if (address.scheme === "udp") throw new UsageError("udp is not there yet");
  return { ...address, scheme: address.scheme } as StreamAddress;
}
