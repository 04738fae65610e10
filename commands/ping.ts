/** `echo ping`: its flags, and from them the run. */

import { DEFAULT_HOST, isLocal } from "../base/address.ts";
import config from "../deno.json" with { type: "json" };
import { type Command, type Flags, lettered, option, optional, toggle } from "../cli/flags.ts";
import { listenToSignals } from "../cli/signals.ts";
import { count, durationOrNone, size } from "../base/units.ts";
import { ping } from "../probe/ping.ts";
import {
  ADDRESS,
  dialFlags,
  dialOptions,
  dropPermissions,
  DURATION,
  jsonFlag,
  messageSize,
  parseOrHelp,
  SCHEMES,
  seed,
  SIZE,
  target,
  timeout,
} from "./dial_flags.ts";

const flags = {
  count: lettered("c", optional("count", "N", count, "stop after so many messages (default: at Ctrl-C)")),
  interval: lettered(
    "i",
    option("interval", "D", durationOrNone, "1s", "from one message to the next; 0: at each reply"),
  ),
  size: lettered("s", option("size", "SIZE", size, "64", "bytes a message")),
  timeout: lettered("W", option("timeout", "D", timeout, "5s", "for connecting, and for each reply, or off")),
  deadline: lettered(
    "w",
    optional("deadline", "D", durationOrNone, "stop after so long, whatever came back"),
  ),
  reconnect: lettered("r", toggle("reconnect", "a new connection for each message, with its own times")),
  seed: option("seed", "N", seed, "1", "of the random bytes that are sent"),
  json: jsonFlag,
  quiet: lettered("q", toggle("quiet", "print nothing but the summary")),
  ...dialFlags,
} satisfies Flags;

export const command: Command<typeof flags> = {
  name: "ping",
  usage: "ping [ADDRESS] [flags]",
  summary: "Sends a message each interval, checks every byte of the reply, and shows how long it took.",
  flags,
  notes: [
    ADDRESS,
    `${SCHEMES} The default host is ${DEFAULT_HOST}.`,
    DURATION,
    SIZE,
    "Exit codes: 0 replies came back, all of them right; 1 none came, one was wrong or went down with its " +
    "connection, or a --deadline came before the --count; 2 the command line was wrong.",
    "Signals: INT, TERM and HUP end it with its summary, a second one at once, with 130; QUIT (Ctrl-\\) shows the " +
    "figures so far, and it goes on.",
  ],
  examples: [
    ["echo ping 10.0.0.7", "until Ctrl-C"],
    ["echo ping -c 5 -i 200ms tls://10.0.0.7 --reconnect", "five handshakes, each timed"],
    ["echo ping --json udp://10.0.0.7:7 | tee LOG", "an object a reply, one at the end"],
  ],
};

/** Whether all came back right. */
export async function run(words: string[]): Promise<boolean> {
  const { options, operands } = await parseOrHelp(command, words);
  const address = target(operands);
  messageSize(options.size, address.scheme);
  const dial = await dialOptions(options, address);
  if (!isLocal(address)) dropPermissions("read", "write");
  const deadline = options.deadline || undefined;
  return await ping({ ...options, deadline, version: config.version, address, dial }, listenToSignals());
}
