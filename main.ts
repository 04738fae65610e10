import process from "node:process";
import config from "./deno.json" with { type: "json" };
import { DEFAULT_PORT, parseAddress } from "./cli/address.ts";
import { checkDatagrams, checkProxyClient, checkProxyServer, checkTls } from "./cli/checks.ts";
import { commands, OVERVIEW } from "./cli/commands.ts";
import { type Command, type Flags, help, parse } from "./cli/flags.ts";
import { closeLog, LineWriter, type Log, openLog } from "./cli/log.ts";
import { UsageError } from "./cli/units.ts";
import { connect } from "./client.ts";
import { OutputClosed } from "./net/conversation.ts";
import { USUAL_DATAGRAM } from "./net/datagram_client.ts";
import { Failure, reason } from "./net/errors.ts";
import { encodeHeader } from "./net/proxy_protocol.ts";
import { HAS_NODE_TLS, readClientTls, serverTlsReader, type TlsReader } from "./net/tls.ts";
import { Totals } from "./net/totals.ts";
import { Server, type Service } from "./server.ts";
import { Crew } from "./workers.ts";

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
  const addresses = operands.map(parseAddress);
  if (addresses.length === 0) addresses.push({ scheme: "tcp", port: DEFAULT_PORT });
  checkProxyServer(options, addresses, HAS_NODE_TLS);
  const { cert, key, clientCa } = options;
  checkTls({ cert, key, "client-ca": clientCa }, addresses, HAS_NODE_TLS ? [] : ["client-ca"]);
  const encrypted = addresses.some(({ scheme }) => scheme === "tls");
  const readTls = encrypted ? await serverTlsReader({ cert, key, clientCa }) : undefined;
  const tls = readTls?.();
  const stderr = new LineWriter(Deno.stderr);
  const level = options.quiet ? "warn" : options.logLevel;
  const log = await openLog(level, options.logFormat, stderr);
  const listen = { shared: false, socketMode: options.socketMode, tls };
  const totals = new Totals(Totals.memory(options.workers));
  const settings = { ...options, addresses, listen };
  const logging = { level, format: options.logFormat };
  const service = options.workers === 1
    ? new Server(settings, log, totals)
    : new Crew(settings, options.workers, totals, log, stderr, logging);
  const { stop } = stopSignals();
  Deno.addSignalListener("SIGUSR1", async () => {
    await service.count();
    log.write("state", { ...totals.summary(), threads: totals.threads });
  });
  if (readTls !== undefined) Deno.addSignalListener("SIGUSR2", () => reload(readTls, service, log));
  try {
    await service.run(stop, {
      listening(addresses) {
        for (const address of addresses) {
          const fingerprint = address.startsWith("tls:") && tls?.fingerprint;
          log.write("listening", { address, ...(fingerprint && { fingerprint }) });
        }
      },
      stopping: () => log.write("stopping", { reason: String(stop.reason), open: totals.get("open") }),
    });
    log.write("stopped", totals.summary());
  } finally {
    await closeLog(stderr, FLUSH_MS);
  }
}

/** Where a file cannot be used now, the certificates that were read before stay. */
function reload(read: TlsReader, service: Service, log: Log): void {
  try {
    if (!HAS_NODE_TLS) throw new UsageError("this takes Deno 2.9");
    const tls = read();
    service.renew(tls);
    log.write("reloaded", { fingerprint: tls.fingerprint });
  } catch (error) {
    log.write("reload_failed", { reason: reason(error) });
  }
}

async function runConnect(words: string[]): Promise<void> {
  const { options, operands } = parseOrHelp(commands.connect, words);
  const [text, ...message] = operands;
  const address = text === undefined ? { scheme: "tcp", port: DEFAULT_PORT } as const : parseAddress(text);
  const { timeout, retry, quiet, proxyProtocol, cert, key, ca, serverName, insecure, fingerprint } = options;
  checkProxyClient(proxyProtocol, address);
  checkDatagrams(options, address, message.join(" "));
  checkTls(
    { cert, key, ca, "server-name": serverName, insecure, fingerprint },
    [address],
    HAS_NODE_TLS ? [] : ["cert", "insecure", "fingerprint"],
  );
  const tls = { ...await readClientTls({ cert, key, ca }), serverName, insecure, fingerprint };
  const { stop, interrupt } = stopSignals();
  await connect(
    {
      address,
      dial: {
        tls,
        preamble: proxyProtocol && ((local, remote) => encodeHeader(proxyProtocol, local, remote)),
      },
      message: message.length > 0 ? message.join(" ") : undefined,
      timeout,
      retry,
      size: options.size ?? USUAL_DATAGRAM,
      quiet,
    },
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
