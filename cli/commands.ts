/** The rows of every command: flags, help, examples. */

import { type Command, type Flags, lettered, option, optional, toggle } from "./flags.ts";
import { LEVELS } from "./log.ts";
import { count, duration, mode, oneOf, size } from "./units.ts";

const ADDRESS =
  "ADDRESS is [SCHEME://]host[:port], :port, a port, [v6]:port, or unix:/path; the default port is 8890.";
const SCHEMES = "SCHEME is tcp (the default), tls or udp.";
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
  socketMode: optional(
    "socket-mode",
    "MODE",
    mode,
    "permissions of a Unix socket, in octal (default: the umask's)",
  ),
  drain: option("drain", "D", duration, "5s", "how long clients may take to finish at the stop"),
  logLevel: option("log-level", "L", oneOf(...LEVELS), "info", `${LEVELS.join(", ")}; messages are info`),
  logFormat: option("log-format", "F", oneOf("text", "json"), "text", "text, or json: one object a line"),
  quiet: toggle("quiet", "q", "as --log-level warn: for load"),
} satisfies Flags;

/** What every command that makes connections takes. */
const dialFlags = {} satisfies Flags;

const connectFlags = {
  ...dialFlags,
  timeout: option("timeout", "D", duration, "5s", "for connecting, and for each wait for a reply"),
  retry: optional("retry", "D", duration, "go on trying to connect for so long (default: one try)"),
  quiet: toggle("quiet", "q", "print nothing but what came back"),
} satisfies Flags;

const JSON_FLAG = { name: "json", help: "print one JSON object a line and nothing else", parse: () => true };

const pingFlags = {
  count: lettered("c", optional("count", "N", count, "stop after so many messages (default: at Ctrl-C)")),
  interval: lettered("i", option("interval", "D", duration, "1s", "from one message to the next")),
  size: lettered("s", option("size", "SIZE", size, "64", "bytes a message; SIZE may end in k or M")),
  timeout: lettered("W", option("timeout", "D", duration, "5s", "for connecting, and for each reply")),
  deadline: lettered("w", optional("deadline", "D", duration, "stop after so long, whatever came back")),
  reconnect: { ...toggle("reconnect", "r", "a new connection for each message, with its own times") },
  seed: option("seed", "N", count, "1", "of the random bytes that are sent"),
  json: JSON_FLAG,
  ...dialFlags,
} satisfies Flags;

const benchFlags = {
  connections: lettered("c", option("connections", "N", count, "1", "open at once")),
  size: lettered("s", option("size", "SIZE", size, "64", "bytes a message; SIZE may end in k or M")),
  duration: lettered(
    "d",
    optional("duration", "D", duration, "of the measurement (default 10s, without -n)"),
  ),
  messages: lettered(
    "n",
    optional("messages", "N", count, "stop after so many messages, over all connections"),
  ),
  rate: optional(
    "rate",
    "N",
    count,
    "send N messages/s by the clock, whatever comes back; latency counts from when each was due",
  ),
  pipeline: optional("pipeline", "N", count, "keep N messages on their way on each connection (default 1)"),
  connectRate: { name: "connect-rate", help: "a new connection for each message", parse: () => true },
  warmup: optional("warmup", "D", duration, "not measured (default 1s, a tenth of a short -d, none with -n)"),
  workers: option("workers", "N", count, "1", "threads, each with its share of the connections and the rate"),
  timeout: option("timeout", "D", duration, "5s", "for connecting, and for each reply"),
  seed: option("seed", "N", count, "1", "of the random bytes that are sent"),
  json: JSON_FLAG,
  hdr: optional("hdr", "FILE", String, "write the latencies as a standard HDR histogram log (.hlog)"),
  report: optional("report", "FILE", String, "write the report as one HTML page"),
  compare: optional("compare", "FILE", String, "an earlier --json, to be shown beside this run"),
  ...dialFlags,
} satisfies Flags;

const serve: Command<typeof serveFlags> = {
  name: "serve",
  usage: "serve [ADDRESS...] [flags]",
  summary: "Sends back whatever arrives. Without ADDRESS: port 8890 on every interface, IPv4 and IPv6.",
  flags: serveFlags,
  notes: [
    ADDRESS,
    SCHEMES,
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
    `${SCHEMES} The default host is 127.0.0.1.`,
    "A MESSAGE that begins with - goes after --.",
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

const ping: Command<typeof pingFlags> = {
  name: "ping",
  usage: "ping [ADDRESS] [flags]",
  summary: "Sends a message each interval, checks every byte of the reply, and shows how long it took.",
  flags: pingFlags,
  notes: [
    ADDRESS,
    `${SCHEMES} The default host is 127.0.0.1.`,
    "D is a duration: 250ms, 5s, 2m, 1h; a bare number is seconds.",
    "Exit codes: 0 replies came back, all of them right; 1 none came, one was wrong, or a --deadline came before",
    "the --count; 2 the command line was wrong.",
    "Signals: INT, TERM, HUP and QUIT end it with its summary, a second one at once, with 130.",
  ],
  examples: [
    ["echo ping 10.0.0.7", "until Ctrl-C"],
    ["echo ping -c 5 -i 200ms tls://10.0.0.7 --reconnect", "five handshakes, each timed"],
    ["echo ping --json udp://10.0.0.7:7 | tee LOG", "an object a reply, one at the end"],
  ],
};

const bench: Command<typeof benchFlags> = {
  name: "bench",
  usage: "bench [ADDRESS] [flags]",
  summary: "Loads a server with messages, checks every byte that comes back, and reports speed and latency.",
  flags: benchFlags,
  notes: [
    ADDRESS,
    `${SCHEMES} The default host is 127.0.0.1.`,
    "Without --rate a slow reply holds up the next message, and the latency is that of a willing client: use",
    "--rate to learn what users see. D is a duration: 250ms, 5s, 2m, 1h; a bare number is seconds.",
    EXIT_CODES,
    "Signals: INT, TERM, HUP and QUIT end it with its report, a second one at once, with 130.",
  ],
  examples: [
    ["echo bench 10.0.0.7 -c 64", "as fast as 64 clients can, for 10 s"],
    ["echo bench 10.0.0.7 -c 64 --rate 20k -d 1m", "latency at 20,000 messages/s"],
    ["echo bench :8890 --json > OLD.json", "to be shown beside a later run:"],
    ["echo bench :8890 --compare OLD.json --report NEW.html", "in the text and in the page"],
  ],
};

export const commands = { serve, connect, ping, bench };

/** The text of `echo --help`. */
export const OVERVIEW = [
  "echo: do bytes get there and back, and how well?",
  "",
  "  echo serve [ADDRESS...]                 sends back whatever arrives",
  "  echo connect [ADDRESS] [MESSAGE...]     sends, and checks what comes back",
  "  echo ping [ADDRESS]                     one message a second, timed",
  "  echo bench [ADDRESS]                    load, and a report of speed and latency",
  "",
  "echo COMMAND --help tells more; --version prints the version.",
  EXIT_CODES,
].join("\n");
