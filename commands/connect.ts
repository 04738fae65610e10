/** `echo connect`: its flags, and from them the conversation. */

import { DEFAULT_HOST, DEFAULT_PORT, isLocal, isPort, namesPort, parseAddress } from "../base/address.ts";
import { checkDatagrams } from "./checks.ts";
import type { Command, Flags } from "../cli/flags.ts";
import { EXIT_CODES } from "../base/errors.ts";
import { KINDS } from "../cli/kinds.ts";
import { listenToSignals } from "../cli/signals.ts";
import { LARGEST_DATAGRAM, size, UsageError } from "../base/units.ts";
import { note } from "../cli/output.ts";
import { openEngine } from "../net/schemes.ts";
import { connect } from "../client.ts";
import { USUAL_DATAGRAM } from "../client/datagrams.ts";
import {
  ADDRESS,
  dialFlags,
  dialOptions,
  dropPermissions,
  parseOrHelp,
  SCHEMES,
  timeout,
} from "./dial_flags.ts";

const UDP_CLIENT =
  "udp: a line or MESSAGE is a datagram; in a pipe, each read of at most --size bytes is one.";

function datagramSize(text: string): number {
  const bytes = size(text);
  if (bytes < 1 || bytes > LARGEST_DATAGRAM) {
    throw new UsageError(`a datagram takes from 1 to ${LARGEST_DATAGRAM} bytes, not ${text}`);
  }
  return bytes;
}

const flags = {
  timeout: { ...timeout, help: "for connecting, and for each wait for a reply, or off" },
  retry: {
    kind: "duration",
    none: 0,
    help: "go on trying to connect for so long (default: one try); not for udp",
  },
  size: {
    kind: "size",
    parse: datagramSize,
    help: "in a pipe: the most that a datagram holds (default 1200); udp",
  },
  ...dialFlags,
  quiet: { kind: "switch", short: "q", help: "print nothing but what came back" },
  verbose: {
    kind: "switch",
    short: "v",
    help: "say whom it is connected to, and what the kernel says of it",
  },
} as const satisfies Flags;

/** `echo connect` as parsing, help and the manual know it. */
export const command: Command<typeof flags> = {
  name: "connect",
  usage: "connect [ADDRESS] [MESSAGE...] [flags]",
  summary:
    "Sends a MESSAGE, lines typed at the terminal, or all of a piped stdin, and checks that it comes back.",
  flags,
  notes: [
    ADDRESS,
    `${SCHEMES} The default host is ${DEFAULT_HOST}.`,
    UDP_CLIENT,
    'A MESSAGE that begins with - goes after --. At the prompt "exit" leaves, and \\exit sends the word.',
    KINDS.duration.note,
    KINDS.size.note,
    EXIT_CODES,
    "Signals: INT, TERM, HUP and QUIT end the input, a second one the process, with 130.",
  ],
  examples: [
    ["echo connect 10.0.0.7", 'type lines; "exit" or Ctrl-D leaves'],
    ["echo connect 10.0.0.7 hello", "a health check: one message"],
    ["echo connect 10.0.0.7:8890 < FILE > COPY", "a file there and back"],
    ["echo connect udp://10.0.0.7 hello", "one datagram"],
    ["echo connect tls://:8891 --ca cert.pem", "TLS; serve --save-cert wrote cert.pem"],
    ["echo connect --retry 30s :8890 up?", "wait for a server that is starting"],
  ],
};

/** Returns when all is said. Throws UsageError; Failure if what came back is wrong, or nothing could be sent. */
export async function run(words: string[]): Promise<void> {
  const { options, operands } = await parseOrHelp(command, words);
  const [text, ...message] = operands;
  const address = text === undefined ? { scheme: "tcp", port: DEFAULT_PORT } as const : parseAddress(text);
  const { timeout, retry, quiet, verbose } = options;
  const [first = ""] = message;
  if (
    !quiet && text !== undefined && !isLocal(address) && isPort(first) && !namesPort(text, address)
  ) {
    const port = `for that port: ${text}:${first}`;
    note(`note: ${JSON.stringify(first)} is the message, and the port is ${address.port}; ${port}\n`);
  }
  if (quiet && verbose) throw new UsageError("--quiet and --verbose exclude each other; give one of them");
  checkDatagrams(options, address, message.join(" "));
  const dial = await dialOptions(options, address);
  await openEngine(dial.engine);
  if (!isLocal(address)) dropPermissions("read", "write");
  const { stop, interrupt } = listenToSignals();
  await connect(
    {
      address,
      dial,
      message: message.length > 0 ? message.join(" ") : undefined,
      timeout,
      retry,
      size: options.size ?? USUAL_DATAGRAM,
      quiet,
      verbose,
    },
    stop,
    interrupt,
  );
}
