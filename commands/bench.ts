/** `echo bench`: its flags, and from them the run. */

import config from "../deno.json" with { type: "json" };
import { type Address, DEFAULT_HOST, isDatagram, isLocal } from "../base/address.ts";
import type { Command, Flags, Options } from "../cli/flags.ts";
import { EXIT_CODES } from "../base/errors.ts";
import { KINDS } from "../cli/kinds.ts";
import { checkWritable } from "../cli/output.ts";
import { listenToSignals } from "../cli/signals.ts";
import type { Plan } from "../load/plan.ts";
import { run as runPlan } from "../load/run.ts";
import type { Measurement } from "../measure/measurement.ts";
import { readResult } from "../measure/result.ts";
import { renounceLibc } from "../net/engine.ts";
import type { DialOptions } from "../net/stream.ts";
import { Progress } from "../report/progress.ts";
import { type Publication, publish } from "../report/publish.ts";
import { showSize, UsageError } from "../base/units.ts";
import { datagramWindow } from "../net/datagrams.ts";
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

const flags = {
  connections: { kind: "count", short: "c", initial: "1", help: "open at once" },
  size: { kind: "size", short: "s", initial: "64", help: "bytes a message" },
  duration: { kind: "duration", short: "d", help: "of the measurement (default 10s, without -n)" },
  messages: { kind: "count", short: "n", help: "measure so many messages, over all connections" },
  rate: { kind: "count", help: "send N messages/s by the clock; latency counts from when each was due" },
  pipeline: { kind: "count", help: "keep N messages on their way on each connection (default 1)" },
  connectRate: { kind: "switch", help: "a new connection for each message" },
  warmup: {
    kind: "duration",
    none: 0,
    help: "not measured; 0: none (default 1s, a tenth of a short -d, none with -n)",
  },
  workers: {
    kind: "threads",
    initial: "1",
    help: "threads, each with its share of the connections and the rate; auto: one a core",
  },
  timeout: { ...timeout, help: "for connecting, and for each reply, or off" },
  seed,
  json,
  quiet: { kind: "switch", short: "q", help: "no progress on the terminal, only the report" },
  hdr: { kind: "file", help: "write the latencies as a standard HDR histogram log (.hlog)" },
  report: { kind: "file", help: "write the report as one HTML page" },
  compare: { kind: "file", help: "an earlier --json, to be shown beside this run" },
  ...dialFlags,
} as const satisfies Flags;

/** `echo bench` as parsing, help and the manual know it. */
export const command: Command<typeof flags> = {
  name: "bench",
  usage: "bench [ADDRESS] [flags]",
  summary: "Loads a server with messages, checks every byte that comes back, and reports speed and latency.",
  flags,
  notes: [
    ADDRESS,
    `${SCHEMES} The default host is ${DEFAULT_HOST}.`,
    KINDS.duration.note,
    KINDS.size.note,
    KINDS.count.note,
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
/** The warm-up of a short run is this share of its duration. */
const WARMUP_SHARE = 0.1;

/** Resolves with whether all came back right. Throws UsageError before anything is opened; Failure. */
export async function run(words: string[]): Promise<boolean> {
  const { options, operands } = await parseOrHelp(command, words);
  const address = target(operands);
  checkFlags(options, address);
  const plan = planOf(options, address, await dialOptions(options, address));
  if (plan.route.dial.engine === "deno") renounceLibc(); // else the threads need it: see load/pool.ts
  const old = options.compare === undefined ? undefined : readResult(options.compare);
  const publications = publicationsOf(options);
  for (const { path } of publications) if (path !== undefined) checkWritable(path);
  if (!isLocal(address) && publications.every(({ path }) => path === undefined)) dropPermissions("write");
  const measurement = await measure(plan, options.quiet);
  await publish(measurement, old, publications);
  const { messages, errors } = measurement.result;
  return messages > 0 && Object.keys(errors).length === 0;
}

/** Runs the plan, with a progress bar on the terminal. */
async function measure(plan: Plan, quiet: boolean): Promise<Measurement> {
  const progress = new Progress(plan.duration, plan.messages, quiet);
  try {
    return await runPlan(plan, listenToSignals().stop, progress);
  } finally {
    progress.end();
  }
}

/** Where the report goes. */
function publicationsOf({ json, hdr, report }: Options<typeof flags>): Publication[] {
  return [
    { format: json ? "json" : "text" },
    ...(hdr === undefined ? [] : [{ format: "hlog", path: hdr } as const]),
    ...(report === undefined ? [] : [{ format: "page", path: report } as const]),
  ];
}

/** Throws UsageError where flags contradict each other or the address. */
function checkFlags(options: Options<typeof flags>, address: Address): void {
  const { rate, pipeline, connectRate } = options;
  const workers = threads(options);
  if (rate !== undefined && pipeline !== undefined) {
    throw new UsageError("--rate sends by the clock, and --pipeline as replies come back: give one of them");
  }
  if (connectRate && pipeline !== undefined && pipeline > 1) {
    throw new UsageError("--connect-rate sends one message on each connection: it takes no --pipeline");
  }
  if (connectRate && isDatagram(address)) throw new UsageError("--connect-rate: udp has no connections");
  if (workers > options.connections) {
    throw new UsageError(`--workers ${workers} needs at least as many connections: try -c ${workers}`);
  }
  const size = messageSize(options.size, address.scheme);
  if (isDatagram(address) && pipeline !== undefined) checkDatagramPipeline(pipeline, size);
}

/** Throws UsageError when our own socket could lose what comes back. */
function checkDatagramPipeline(pipeline: number, size: number): void {
  const most = datagramWindow(size);
  if (pipeline <= most) return;
  throw new UsageError(
    `--pipeline ${pipeline}: of datagrams of ${showSize(size)} a socket is sure to hold ${most}; ` +
      `try --pipeline ${most}, and more connections`,
  );
}

/** How many threads share the load. */
function threads({ workers, connections }: Options<typeof flags>): number {
  return workers === "auto" ? Math.min(navigator.hardwareConcurrency, connections) : workers;
}

/** What the flags ask for, with the defaults in place of flags that were not given. */
function planOf(options: Options<typeof flags>, address: Address, dial: DialOptions): Plan {
  const { rate, pipeline = 1, messages, connectRate, connections, size, seed, timeout } = options;
  const duration = options.duration ?? (messages === undefined ? DEFAULT_DURATION_MS : Infinity);
  const warmup = messages === undefined ? Math.min(DEFAULT_WARMUP_MS, duration * WARMUP_SHARE) : 0;
  return {
    version: config.version,
    route: { address, dial, size },
    workers: threads(options),
    connections,
    first: 0,
    seed,
    pace: rate === undefined ? { kind: "closed", pipeline } : { kind: "open", perSecond: rate, phase: 0 },
    warmup: options.warmup ?? warmup,
    timeout,
    messagesPerConnection: connectRate ? 1 : Infinity,
    messages: messages ?? Infinity,
    duration,
  };
}
