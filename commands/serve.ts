/** `echo serve`: its flags, and from them the server. */

import { DEFAULT_PORT, isEncrypted, isLocal, parseAddress } from "../base/address.ts";
import { checkEngine, checkProxyServer, checkServer, checkTls } from "./checks.ts";
import type { Command, Flags } from "../cli/flags.ts";
import { KINDS } from "../cli/kinds.ts";
import { LEVELS } from "../server/events.ts";
import { LineWriter } from "../server/line_writer.ts";
import { closeLog, type Log, openLog } from "../server/log.ts";
import { listenToSignals, onSignal } from "../cli/signals.ts";
import { UsageError } from "../base/units.ts";
import { reason } from "../base/errors.ts";
import { ENGINES, engineTraits, renounceLibc } from "../net/engine.ts";
import { HAS_NODE_TLS, serverTlsReader, type TlsReader } from "../net/tls/tls.ts";
import { Totals } from "../server/totals.ts";
import type { Service } from "../server/service.ts";
import { Server } from "../server.ts";
import { crewsOf } from "../threads/crews.ts";
import { ServerPool } from "../threads/pool.ts";
import { ADDRESS, dropPermissions, parseOrHelp, SCHEMES } from "./dial_flags.ts";

const UDP_SERVER =
  "udp: no answer goes to a port below 1024 or one of our own: two echo services would never end.";

const flags = {
  maxClients: {
    kind: "count",
    none: Infinity,
    initial: "10k",
    help: "clients served at once, or off; a surplus one is closed",
  },
  idleTimeout: {
    kind: "duration",
    none: Infinity,
    initial: "off",
    help: "close a client that is silent for so long",
  },
  writeTimeout: {
    kind: "duration",
    none: Infinity,
    initial: "60s",
    help: "cut off a client that sends and does not read, or off",
  },
  socketMode: { kind: "mode", help: "permissions of a Unix socket, in octal (default: the umask's)" },
  cert: { kind: "file", help: "tls: the certificate and its chain, in PEM (default: made for this run)" },
  key: { kind: "file", help: "tls: the private key of --cert, in PEM" },
  saveCert: { kind: "file", help: "tls: where to write the certificate that is made, for --ca" },
  clientCa: { kind: "file", help: "tls: clients must show a certificate of this CA" },
  proxyProtocol: {
    kind: "switch",
    help: "each connection begins with a PROXY header, v1 or v2; needs --trust",
  },
  trust: { kind: "networks", help: "the proxies whose headers are believed: 10.0.0.0/8,192.0.2.7" },
  drain: {
    kind: "duration",
    none: 0,
    initial: "5s",
    help: "how long clients may take to finish at the stop, or 0",
  },
  workers: { kind: "threads", initial: "1", help: "threads that accept on the same ports; auto: one a core" },
  engine: {
    kind: "choice",
    value: "E",
    of: ENGINES,
    initial: "deno",
    help: "who moves the bytes of tcp, unix and udp: deno, or epoll (Linux with glibc): much faster",
  },
  logLevel: {
    kind: "choice",
    value: "L",
    of: LEVELS,
    help: `${LEVELS.join(", ")}; messages are info (default info)`,
  },
  logFormat: {
    kind: "choice",
    value: "F",
    of: ["text", "json"],
    initial: "text",
    help: "text, or json: one object a line",
  },
  quiet: {
    kind: "switch",
    short: "q",
    help: "as --log-level warn: for load; where it listens is said all the same",
  },
} as const satisfies Flags;

/** `echo serve` as parsing, help and the manual know it. */
export const command: Command<typeof flags> = {
  name: "serve",
  usage: "serve [ADDRESS...] [flags]",
  summary: "Sends back whatever arrives. Without ADDRESS: port 8890 on every interface, IPv4 and IPv6.",
  flags,
  notes: [
    ADDRESS,
    SCHEMES,
    UDP_SERVER,
    "Signals: INT, TERM, HUP and QUIT stop it (a second one at once, with 130); USR2, which " +
    "Windows lacks, logs the present state, and reads the files of --cert, --key and --client-ca again.",
    KINDS.duration.note,
    KINDS.count.note,
  ],
  examples: [
    ["echo serve", "port 8890, every interface"],
    ["echo serve 10.0.0.7:7 [::1]:8890", "two addresses at once"],
    ["echo serve -q --idle-timeout 10m", "quiet, and silent clients leave"],
    ["echo serve tls://:8891 --save-cert cert.pem", "TLS; the log tells the certificate's fingerprint"],
  ],
};

/** How long the last log lines may take to be written. */
const FLUSH_MS = 500;

/** Serves until a signal asks it to stop. Throws UsageError; Failure if it cannot listen. */
export async function run(words: string[]): Promise<void> {
  const { options, operands } = await parseOrHelp(command, words);
  const addresses = operands.map(parseAddress);
  if (addresses.length === 0) addresses.push({ scheme: "tcp", port: DEFAULT_PORT });
  checkEngine(options.engine);
  checkServer(options, addresses);
  checkProxyServer(options, addresses, HAS_NODE_TLS);
  const { cert, key, clientCa, saveCert } = options;
  checkTls(
    { cert, key, "client-ca": clientCa, "save-cert": saveCert },
    addresses,
    HAS_NODE_TLS ? [] : ["client-ca"],
  );
  const encrypted = addresses.some(isEncrypted);
  const readTls = encrypted ? await serverTlsReader({ cert, key, clientCa, saveCert }) : undefined;
  const tls = readTls?.();
  if (!addresses.some(isLocal)) dropPermissions("write");
  if (options.engine === "deno") renounceLibc();
  const stderr = new LineWriter(Deno.stderr);
  const level = options.logLevel ?? (options.quiet ? "warn" : "info");
  const log = await openLog(level, options.logFormat, stderr);
  const listen = { shared: false, socketMode: options.socketMode, tls };
  const threads = options.workers === "auto" ? navigator.hardwareConcurrency : options.workers;
  const settings = { ...options, addresses, listen };
  const logging = { log, writer: stderr, level, format: options.logFormat };
  const inThreads = threads > 1 || engineTraits(options.engine).blocks;
  const totals = new Totals(Totals.memory(inThreads ? threads * crewsOf(settings).length : 1));
  const service = inThreads
    ? new ServerPool(settings, threads, totals, logging)
    : new Server(settings, log, totals);
  const { stop } = listenToSignals();
  onSignal("SIGUSR2", async () => {
    if (readTls !== undefined) reload(readTls, service, log);
    await service.count();
    log.write("state", { ...totals.summary(), threads: totals.threads });
  });
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
