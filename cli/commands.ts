/** The rows of every command: flags, help, examples. */

import { type Command, type Flags, option, optional, toggle } from "./flags.ts";
import { LEVELS } from "./log.ts";
import { count, duration, oneOf } from "./units.ts";

const ADDRESS = "ADDRESS is [tcp://]host[:port], :port, a port, or [v6]:port; the default port is 8890.";
const EXIT_CODES =
  "Exit codes: 0 all came back right, 1 the network or the other end failed, 2 the command line was wrong.";

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
  drain: option("drain", "D", duration, "5s", "how long clients may take to finish at the stop"),
  logLevel: option("log-level", "L", oneOf(...LEVELS), "info", `${LEVELS.join(", ")}; messages are info`),
  logFormat: option("log-format", "F", oneOf("text", "json"), "text", "text, or json: one object a line"),
  quiet: toggle("quiet", "q", "as --log-level warn: for load"),
} satisfies Flags;

const connectFlags = {
  timeout: option("timeout", "D", duration, "5s", "for connecting, and for each wait for a reply"),
  retry: optional("retry", "D", duration, "go on trying to connect for so long (default: one try)"),
  quiet: toggle("quiet", "q", "print nothing but what came back"),
} satisfies Flags;

const serve: Command<typeof serveFlags> = {
  name: "serve",
  usage: "serve [ADDRESS...] [flags]",
  summary: "Sends back whatever arrives. Without ADDRESS: port 8890 on every interface, IPv4 and IPv6.",
  flags: serveFlags,
  notes: [
    ADDRESS,
    "Signals: INT, TERM, HUP and QUIT stop it (a second one at once, with 130); USR1 logs the present state;",
    "USR2 does nothing.",
    "D is a duration: 250ms, 5s, 2m, 1h; a bare number is seconds. N may end in k or M.",
  ],
  examples: [
    ["echo serve", "port 8890, every interface"],
    ["echo serve 10.0.0.7:7 [::1]:8890", "two addresses at once"],
    ["echo serve -q --idle-timeout 10m", "quiet, and silent clients leave"],
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
    "The default host is 127.0.0.1. A MESSAGE that begins with - goes after --.",
    EXIT_CODES,
    "Signals: INT, TERM, HUP and QUIT end the input, a second one the process, with 130; USR1, USR2: nothing.",
  ],
  examples: [
    ["echo connect 10.0.0.7", 'type lines; "exit" or Ctrl-D leaves'],
    ["echo connect 10.0.0.7 hello", "a health check: one message"],
    ["echo connect 10.0.0.7:8890 < FILE > COPY", "a file there and back"],
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
