/** `echo bench`: its flags, and from them the run. */

import { type Scheme, traits } from "../base/schemes.ts";
import config from "../deno.json" with { type: "json" };
import { bench, type BenchShape } from "../load/run.ts";
import { DEFAULT_HOST, isLocal } from "../base/address.ts";
import { type Command, type Flags, lettered, option, optional, type Options, toggle } from "../cli/flags.ts";
import { listenToSignals } from "../cli/signals.ts";
import { count, duration, durationOrNone, size, UsageError } from "../base/units.ts";
import {
  ADDRESS,
  dialFlags,
  dialOptions,
  DURATION,
  EXIT_CODES,
  giveUp,
  jsonFlag,
  messageSize,
  parseOrHelp,
  SCHEMES,
  seed,
  SIZE,
  target,
  timeout,
  workers,
} from "./dial_flags.ts";

const flags = {
  connections: lettered("c", option("connections", "N", count, "1", "open at once")),
  size: lettered("s", option("size", "SIZE", size, "64", "bytes a message")),
  duration: lettered(
    "d",
    optional("duration", "D", duration, "of the measurement (default 10s, without -n)"),
  ),
  messages: lettered(
    "n",
    optional("messages", "N", count, "measure so many messages, over all connections"),
  ),
  rate: optional(
    "rate",
    "N",
    count,
    "send N messages/s by the clock; latency counts from when each was due",
  ),
  pipeline: optional("pipeline", "N", count, "keep N messages on their way on each connection (default 1)"),
  connectRate: toggle("connect-rate", "a new connection for each message"),
  warmup: optional(
    "warmup",
    "D",
    durationOrNone,
    "not measured; 0: none (default 1s, a tenth of a short -d, none with -n)",
  ),
  workers: option(
    "workers",
    "N",
    workers,
    "1",
    "threads, each with its share of the connections and the rate; auto: one a core",
  ),
  timeout: option("timeout", "D", timeout, "5s", "for connecting, and for each reply, or off"),
  seed: option("seed", "N", seed, "1", "of the random bytes that are sent"),
  json: jsonFlag,
  quiet: lettered("q", toggle("quiet", "no progress on the terminal, only the report")),
  hdr: optional("hdr", "FILE", String, "write the latencies as a standard HDR histogram log (.hlog)"),
  report: optional("report", "FILE", String, "write the report as one HTML page"),
  compare: optional("compare", "FILE", String, "an earlier --json, to be shown beside this run"),
  ...dialFlags,
} satisfies Flags;

export const command: Command<typeof flags> = {
  name: "bench",
  usage: "bench [ADDRESS] [flags]",
  summary: "Loads a server with messages, checks every byte that comes back, and reports speed and latency.",
  flags,
  notes: [
    ADDRESS,
    `${SCHEMES} The default host is ${DEFAULT_HOST}.`,
    DURATION,
    SIZE,
    "N may end in k or M (of 1000).",
    "Without --rate a slow reply holds up the next message, and the latency is that of a willing client: use " +
    "--rate to learn what users see.",
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

const DEFAULT_DURATION_MS = 10_000;
const DEFAULT_WARMUP_MS = 1000;
/** The warm-up of a short run is so much of its duration. */
const WARMUP_SHARE = 0.1;

/** Whether all came back right. */
export async function run(words: string[]): Promise<boolean> {
  const { options, operands } = await parseOrHelp(command, words);
  const address = target(operands);
  const shape = shapeOf(options, address.scheme);
  const dial = await dialOptions(options, address);
  const { hdr, report } = options;
  if (!isLocal(address) && hdr === undefined && report === undefined) giveUp("write");
  return await bench({ ...shape, version: config.version, address, dial }, listenToSignals().stop);
}

/** Throws UsageError where flags contradict each other. */
function shapeOf(options: Options<typeof flags>, scheme: Scheme): BenchShape {
  const { rate, pipeline, messages, connectRate, connections } = options;
  const workers = options.workers === "auto"
    ? Math.min(navigator.hardwareConcurrency, connections)
    : options.workers;
  if (rate !== undefined && pipeline !== undefined) {
    throw new UsageError("--rate sends by the clock, and --pipeline as replies come back: give one of them");
  }
  if (connectRate && pipeline !== undefined && pipeline > 1) {
    throw new UsageError("--connect-rate sends one message on each connection: it takes no --pipeline");
  }
  if (connectRate && traits(scheme).datagrams) throw new UsageError("--connect-rate: udp has no connections");
  if (workers > connections) {
    throw new UsageError(`--workers ${workers} needs at least as many connections: try -c ${workers}`);
  }
  const duration = options.duration ?? (messages === undefined ? DEFAULT_DURATION_MS : undefined);
  const warmup = messages !== undefined ? 0 : Math.min(DEFAULT_WARMUP_MS, (duration ?? 0) * WARMUP_SHARE);
  return {
    ...options,
    workers,
    duration,
    size: messageSize(options.size, scheme),
    pace: rate === undefined
      ? { kind: "closed", pipeline: pipeline ?? 1 }
      : { kind: "open", perSecond: rate, phase: 0 },
    warmup: options.warmup ?? warmup,
  };
}
