/** `echo ping`: its flags, and from them the run. */

import { DEFAULT_HOST, isLocal } from "../base/address.ts";
import config from "../deno.json" with { type: "json" };
import type { Command, Flags } from "../cli/flags.ts";
import { KINDS } from "../cli/kinds.ts";
import { listenToSignals } from "../cli/signals.ts";
import { openEngine } from "../net/schemes.ts";
import { ping } from "../probe/ping.ts";
import {
  ADDRESS,
  dialFlags,
  dialOptions,
  dropPermissions,
  json,
  messageSize,
  parseOrHelp,
  SCHEMES,
  seed,
  target,
  timeout,
} from "./dial_flags.ts";
import { packetFlags } from "./way_flags.ts";

const flags = {
  count: { kind: "count", short: "c", help: "stop after so many messages (default: at Ctrl-C)" },
  interval: {
    kind: "duration",
    short: "i",
    none: 0,
    initial: "1s",
    help: "from one message to the next; 0: at each reply",
  },
  size: { kind: "size", short: "s", initial: "64", help: "bytes a message" },
  timeout: { ...timeout, short: "W", help: "for connecting, and for each reply, or off" },
  deadline: { kind: "duration", short: "w", none: 0, help: "stop after so long, whatever came back" },
  reconnect: { kind: "switch", short: "r", help: "a new connection for each message, with its own times" },
  seed,
  json,
  quiet: { kind: "switch", short: "q", help: "print nothing but the summary" },
  ...packetFlags,
  ...dialFlags,
} as const satisfies Flags;

/** `echo ping` as parsing, help and the manual know it. */
export const command: Command<typeof flags> = {
  name: "ping",
  usage: "ping [ADDRESS] [flags]",
  summary: "Sends a message each interval, checks every byte of the reply, and shows how long it took.",
  flags,
  notes: [
    ADDRESS,
    `${SCHEMES} The default host is ${DEFAULT_HOST}.`,
    KINDS.duration.note,
    KINDS.size.note,
    "Exit codes: 0 replies came back, all of them right; 1 none came, one was wrong or went down with its " +
    "connection, or a --deadline came before the --count; 2 the command line was wrong.",
    "Signals: INT, TERM and HUP end it with its summary, a second one at once, with 130; QUIT (Ctrl-\\, " +
    "on Windows Ctrl-Break) shows the figures so far, and it goes on.",
  ],
  examples: [
    ["echo ping 10.0.0.7", "until Ctrl-C"],
    ["echo ping -c 5 -i 200ms tls://10.0.0.7 --reconnect", "five handshakes, each timed"],
    ["echo ping --json udp://10.0.0.7:7 | tee LOG", "an object a reply, one at the end"],
  ],
};

/** Resolves with whether all came back right. Throws UsageError before anything is opened; Failure. */
export async function run(words: string[]): Promise<boolean> {
  const { options, operands } = await parseOrHelp(command, words);
  const address = target(operands);
  messageSize(options.size, address.scheme);
  const dial = await dialOptions(options, address);
  await openEngine(dial.engine);
  if (!isLocal(address)) dropPermissions("read", "write");
  const deadline = options.deadline || undefined;
  return await ping({ ...options, deadline, version: config.version, address, dial }, listenToSignals());
}
