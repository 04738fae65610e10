/** The rows of every command: flags, help, examples. */

import { type Command, type Flags, option, optional, toggle } from "./flags.ts";
import { networks } from "./ip.ts";
import { LEVELS } from "./log.ts";
import { count, duration, LARGEST_DATAGRAM, mode, oneOf, size, UsageError } from "./units.ts";

const ADDRESS =
  "ADDRESS is [SCHEME://]host[:port], :port, a port, [v6]:port, or unix:/path; the default port is 8890.";
const SCHEMES = "SCHEME is tcp (the default), tls or udp.";
const UDP_SERVER =
  "udp: no answer goes to a port below 1024 or one of our own: two echo services would never end.";
const UDP_CLIENT =
  "udp: a line or MESSAGE is a datagram; in a pipe, each read of at most --size bytes is one.";
const EXIT_CODES =
  "Exit codes: 0 all came back right, 1 the network or the other end failed, 2 the command line was wrong.";

function workers(text: string): number {
  return text === "auto" ? navigator.hardwareConcurrency : count(text);
}

function datagramSize(text: string): number {
  const bytes = size(text);
  if (bytes < 1 || bytes > LARGEST_DATAGRAM) {
    throw new UsageError(`a datagram takes from 1 to ${LARGEST_DATAGRAM} bytes, not ${text}`);
  }
  return bytes;
}

/** As openssl and browsers show it, too. Returns upper-case hex with colons, as Deno does. */
function fingerprint(text: string): string {
  const pairs = text.replaceAll(":", "").toUpperCase().match(/[\dA-F]{2}/g) ?? [];
  if (!/^([\dA-Fa-f]{2}:?){31}[\dA-Fa-f]{2}$/.test(text)) {
    throw new UsageError(
      `${JSON.stringify(text)} is not a SHA-256; that is 64 hex digits, with or without colons`,
    );
  }
  return pairs.join(":");
}

const serveFlags = {
  maxClients: option("max-clients", "N", count, "10k", "clients served at once; a surplus one is closed"),
  idleTimeout: optional(
    "idle-timeout",
    "D",
    duration,
    "close a client that is silent for so long (default off)",
  ),
  writeTimeout: option(
    "write-timeout",
    "D",
    duration,
    "60s",
    "cut off a client that sends and does not read",
  ),
  socketMode: optional(
    "socket-mode",
    "MODE",
    mode,
    "permissions of a Unix socket, in octal (default: the umask's)",
  ),
  cert: optional(
    "cert",
    "FILE",
    String,
    "tls: the certificate and its chain, in PEM (default: made for this run)",
  ),
  key: optional("key", "FILE", String, "tls: the private key of --cert, in PEM"),
  clientCa: optional("client-ca", "FILE", String, "tls: clients must show a certificate of this CA"),
  proxyProtocol: toggle(
    "proxy-protocol",
    undefined,
    "each connection begins with a PROXY header, v1 or v2; needs --trust",
  ),
  trust: optional("trust", "CIDRS", networks, "the proxies whose headers are believed: 10.0.0.0/8,192.0.2.7"),
  drain: option("drain", "D", duration, "5s", "how long clients may take to finish at the stop"),
  workers: option("workers", "N", workers, "1", "threads that accept on the same ports; auto: one a core"),
  logLevel: option("log-level", "L", oneOf(...LEVELS), "info", `${LEVELS.join(", ")}; messages are info`),
  logFormat: option("log-format", "F", oneOf("text", "json"), "text", "text, or json: one object a line"),
  quiet: toggle("quiet", "q", "as --log-level warn: for load"),
} satisfies Flags;

const connectFlags = {
  timeout: option("timeout", "D", duration, "5s", "for connecting, and for each wait for a reply"),
  retry: optional(
    "retry",
    "D",
    duration,
    "go on trying to connect for so long (default: one try); not for udp",
  ),
  size: optional(
    "size",
    "BYTES",
    datagramSize,
    "in a pipe: the most that a datagram holds (default 1200); udp",
  ),
  ca: optional("ca", "FILE", String, "tls: the CA to trust, in PEM (default: the system's)"),
  serverName: optional(
    "server-name",
    "NAME",
    String,
    "tls: whose certificate it must be (default: the host)",
  ),
  cert: optional("cert", "FILE", String, "tls: a certificate to show, in PEM"),
  key: optional("key", "FILE", String, "tls: the private key of --cert, in PEM"),
  insecure: toggle("insecure", undefined, "tls: trust any certificate"),
  fingerprint: optional(
    "fingerprint",
    "SHA256",
    fingerprint,
    "tls: trust the certificate of this SHA-256 alone",
  ),
  proxyProtocol: optional(
    "proxy-protocol",
    "V",
    oneOf("v1", "v2"),
    "send a PROXY header first, as a proxy would",
  ),
  quiet: toggle("quiet", "q", "print nothing but what came back"),
} satisfies Flags;

const serve: Command<typeof serveFlags> = {
  name: "serve",
  usage: "serve [ADDRESS...] [flags]",
  summary: "Sends back whatever arrives. Without ADDRESS: port 8890 on every interface, IPv4 and IPv6.",
  flags: serveFlags,
  notes: [
    ADDRESS,
    SCHEMES,
    UDP_SERVER,
    "Signals: INT, TERM, HUP and QUIT stop it (a second one at once, with 130); USR1 logs the present state;",
    "USR2 reads the files of --cert, --key and --client-ca again; without TLS it does nothing.",
    "D is a duration: 250ms, 5s, 2m, 1h; a bare number is seconds. N may end in k or M.",
  ],
  examples: [
    ["echo serve", "port 8890, every interface"],
    ["echo serve 10.0.0.7:7 [::1]:8890", "two addresses at once"],
    ["echo serve -q --idle-timeout 10m", "quiet, and silent clients leave"],
    ["echo serve tls://:8891", "TLS; the log tells the fingerprint of its certificate"],
  ],
};

const connect: Command<typeof connectFlags> = {
  name: "connect",
  usage: "connect [ADDRESS] [MESSAGE...] [flags]",
  summary:
    "Sends a MESSAGE, lines typed at the terminal, or all of a piped stdin, and checks that it comes back.",
  flags: connectFlags,
  notes: [
    ADDRESS,
    `${SCHEMES} The default host is 127.0.0.1.`,
    UDP_CLIENT,
    "A MESSAGE that begins with - goes after --.",
    EXIT_CODES,
    "Signals: INT, TERM, HUP and QUIT end the input, a second one the process, with 130; USR1, USR2: nothing.",
  ],
  examples: [
    ["echo connect 10.0.0.7", 'type lines; "exit" or Ctrl-D leaves'],
    ["echo connect 10.0.0.7 hello", "a health check: one message"],
    ["echo connect 10.0.0.7:8890 < FILE > COPY", "a file there and back"],
    ["echo connect udp://10.0.0.7 hello", "one datagram"],
    ["echo connect tls://10.0.0.7:8891 --fingerprint SHA256", "TLS, and exactly this certificate"],
    ["echo connect --retry 30s :8890 up?", "wait for a server that is starting"],
  ],
};

export const commands = { serve, connect };

/** The text of `echo --help`. */
export const OVERVIEW = [
  "echo: do bytes get there and back, and how well?",
  "",
  "  echo serve [ADDRESS...]                 sends back whatever arrives",
  "  echo connect [ADDRESS] [MESSAGE...]     sends, and checks what comes back",
  "",
  "echo COMMAND --help tells more; --version prints the version.",
  EXIT_CODES,
].join("\n");
