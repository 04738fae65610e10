/** What the flags of `echo bench` mean together. */

import type { PacePlan } from "../load/pace.ts";
import type { Scheme } from "./address.ts";
import type { commands } from "./commands.ts";
import type { Options } from "./flags.ts";
import { messageSize } from "./client_options.ts";
import { UsageError } from "./units.ts";

/** One run of `echo bench`. */
export interface BenchOptions {
  readonly connections: number;
  /** Bytes a message. */
  readonly size: number;
  /** Milliseconds; undefined: until all messages are sent. */
  readonly duration: number | undefined;
  /** undefined: until the time is over. */
  readonly messages: number | undefined;
  readonly pace: PacePlan;
  /** A new connection for each message. */
  readonly connectRate: boolean;
  /** Milliseconds. */
  readonly warmup: number;
  readonly timeout: number;
  readonly workers: number;
  readonly seed: number;
  readonly json: boolean;
  /** Paths of files to write, and of one to read. */
  readonly hdr: string | undefined;
  readonly report: string | undefined;
  readonly compare: string | undefined;
}

const DEFAULT_DURATION_MS = 10_000;
const DEFAULT_WARMUP_MS = 1000;
/** The warm-up of a short run is so much of its duration. */
const WARMUP_SHARE = 0.1;

/** Throws UsageError where flags contradict each other. */
export function benchOptions(flags: Options<typeof commands.bench.flags>, scheme: Scheme): BenchOptions {
  const { rate, pipeline, messages, connectRate, workers, connections } = flags;
  if (rate !== undefined && pipeline !== undefined) {
    throw new UsageError("--rate sends by the clock, and --pipeline as replies come back: give one of them");
  }
  if (connectRate && pipeline !== undefined && pipeline > 1) {
    throw new UsageError("--connect-rate sends one message on each connection: it takes no --pipeline");
  }
  if (connectRate && scheme === "udp") throw new UsageError("--connect-rate: udp has no connections");
  if (workers > connections) {
    throw new UsageError(`--workers ${workers} need at least as many connections: try -c ${workers}`);
  }
  const duration = flags.duration ?? (messages === undefined ? DEFAULT_DURATION_MS : undefined);
  const warmup = messages !== undefined ? 0 : Math.min(DEFAULT_WARMUP_MS, (duration ?? 0) * WARMUP_SHARE);
  return {
    ...flags,
    duration,
    size: messageSize(flags.size, scheme),
    pace: rate === undefined
      ? { kind: "closed", pipeline: pipeline ?? 1 }
      : { kind: "open", perSecond: rate },
    warmup: flags.warmup ?? warmup,
  };
}
