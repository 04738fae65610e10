/** `echo bench`: load of a given shape on an echo server, every byte checked, and a report that says how far to trust it. */

import process from "node:process";
import { type Address, isDatagram, isLocal, showAddress } from "../base/address.ts";
import { checkWritable, print, reportWidth, takeAll, writeFile } from "../cli/output.ts";
import { type Fared, runCrew, shares } from "./pool.ts";
import type { PacePlan } from "./pace.ts";
import type { Plan } from "./plan.ts";
import { rounded } from "../base/units.ts";
import type { DialOptions } from "../net/stream.ts";
import { Latencies } from "../measure/histogram.ts";
import { hlog } from "../report/hlog.ts";
import { Progress } from "../report/progress.ts";
import { page } from "../report/page.ts";
import { report } from "../report/text.ts";
import { readResult, type Result } from "../measure/result.ts";
import { Timeline } from "../measure/timeline.ts";
import { LATE_MS, warnings } from "../measure/warnings.ts";

/** One run of `echo bench`. */
export interface BenchShape {
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
  readonly quiet: boolean;
  /** Paths of files to write, and of one to read. */
  readonly hdr: string | undefined;
  readonly report: string | undefined;
  readonly compare: string | undefined;
}

/** Where the load goes. */
export interface Target {
  readonly address: Address;
  readonly dial: DialOptions;
  /** The version of echo, for the reports. */
  readonly version: string;
}

/**
 * Runs it and prints the report. Returns whether all came back right. Throws UsageError when a file cannot be read
 * or written, before anything is opened; Failure when the first connections cannot be made.
 */
export async function bench(options: BenchShape & Target, stop: AbortSignal): Promise<boolean> {
  const old = options.compare === undefined ? undefined : readResult(options.compare);
  for (const path of [options.hdr, options.report]) if (path !== undefined) checkWritable(path);
  const timeline = new Timeline();
  const delays = new Latencies();
  let late = 0;
  const errors: Record<string, number> = {};
  let warmupErrors = 0;
  const texts: string[] = [];
  const progress = new Progress(options.duration, options.messages, options.quiet);
  let started = Date.now();
  let begin = Infinity;
  let spent = stopwatch();
  const seconds = () => (performance.now() - begin) / 1000;
  let measuring: ReturnType<typeof setTimeout> | undefined;
  let fared: Fared;
  try {
    fared = await runCrew(shares(plan(options), options.workers), stop, () => {
      begin = performance.now() + options.warmup;
      started = Date.now() + options.warmup;
      progress.begin(seconds);
      spent = stopwatch();
      measuring = setTimeout(() => spent = stopwatch(), options.warmup);
    }, (news) => {
      timeline.advance(news.at / 1000);
      for (let i = 0; i < news.latencies.length; i++) timeline.record(news.latencies[i]!);
      progress.record(news.latencies);
      for (const ms of news.delays) {
        delays.record(ms);
        if (ms > LATE_MS) late++;
      }
      for (const { kind, warmup, n, text } of news.errors) {
        if (errors[kind] === undefined) {
          texts.push(`the first ${kind}${warmup ? ", in the warm-up" : ""}: ${text}`);
        }
        errors[kind] = (errors[kind] ?? 0) + n;
        if (warmup) warmupErrors += n;
        else timeline.error(n);
      }
    });
  } finally {
    clearTimeout(measuring);
    progress.end();
  }
  if (fared.firstStray !== undefined) texts.push(`the first stray: ${fared.firstStray}`);
  const client = spent();
  timeline.finish(Math.max(fared.ms / 1000, 0.001));
  const result = summary(options, { timeline, delays, late, errors, warmupErrors, started, fared, client });
  const results = old === undefined ? [result] : [old, result];
  const { hdr, report: html } = options;
  await takeAll([
    () => print(options.json ? `${JSON.stringify(result)}\n` : report(results, texts, reportWidth())),
    ...(hdr === undefined ? [] : [() => {
      const comment = `echo ${options.version}, bench ${result.target}`;
      return writeFile(hdr, hlog(comment, started, timeline.intervals));
    }]),
    ...(html === undefined ? [] : [() => writeFile(html, page(results))]),
  ]);
  return result.messages > 0 && Object.keys(errors).length === 0;
}

function plan(options: BenchShape & Target): Plan {
  const { address, dial, size, connections, seed, pace, warmup, timeout } = options;
  return {
    route: { address, dial, size },
    workers: options.workers,
    connections,
    first: 0,
    seed,
    pace,
    warmup,
    timeout,
    messagesPerConnection: options.connectRate ? 1 : Infinity,
    messages: options.messages ?? Infinity,
    duration: options.duration ?? Infinity,
  };
}

interface Measured {
  readonly timeline: Timeline;
  readonly delays: Latencies;
  /** How many messages were sent late. */
  readonly late: number;
  readonly errors: Record<string, number>;
  readonly warmupErrors: number;
  readonly started: number;
  readonly fared: Fared;
  readonly client: Spent;
}

/** Milliseconds of the clock, and of the processors, all threads of the process together. */
interface Spent {
  readonly wall: number;
  readonly cpu: number;
}

/** Returns what tells how much was spent since. */
function stopwatch(): () => Spent {
  const cpu = process.cpuUsage();
  const begin = performance.now();
  return () => {
    const { user, system } = process.cpuUsage(cpu);
    return { wall: performance.now() - begin, cpu: (user + system) / 1000 };
  };
}

function summary(options: BenchShape & Target, measured: Measured): Result {
  const { timeline, delays, fared, client } = measured;
  const { all } = timeline;
  const { pace, size, duration, messages } = options;
  const rate = pace.kind === "open" ? pace.perSecond : null;
  const seconds = rounded(Math.max(fared.ms / 1000, 0.001), 6);
  const messagesPerSecond = all.count / seconds;
  const { due, sent, received, lost, unfinished } = fared;
  const counts = { due, sent, received, lost, unfinished };
  const threads = Math.min(options.workers, options.connections, navigator.hardwareConcurrency);
  const latency = all.summary(counts.lost + counts.unfinished);
  return {
    version: options.version,
    target: showAddress(options.address),
    started: new Date(measured.started).toISOString(),
    duration_seconds: seconds,
    options: {
      connections: options.connections,
      size_bytes: size,
      duration_seconds: duration === undefined ? null : duration / 1000,
      messages: messages ?? null,
      rate_per_second: rate,
      pipeline: pace.kind === "closed" ? pace.pipeline : null,
      connect_rate: options.connectRate,
      warmup_seconds: options.warmup / 1000,
      timeout_seconds: options.timeout / 1000,
      workers: options.workers,
      seed: options.seed,
    },
    ...counts,
    datagrams: isDatagram(options.address) ? fared.sights : null,
    messages: all.count,
    bytes: all.count * size,
    messages_per_second: rounded(messagesPerSecond),
    bytes_per_second: rounded(messagesPerSecond * size),
    send_delay_ms: rate === null ? null : { p50: delays.at(0.5), p99: delays.at(0.99), max: delays.maxMs },
    client_cpu_percent: rounded(100 * client.cpu / client.wall, 1),
    latency_ms: latency,
    latency_distribution: all.distribution(counts.lost + counts.unfinished),
    timeline: timeline.seconds(size),
    errors: measured.errors,
    warmup_errors: measured.warmupErrors,
    warnings: warnings({
      ...counts,
      latency,
      timeline: timeline.seconds(size),
      seconds,
      rate,
      connectRate: options.connectRate && !isLocal(options.address),
      unsent: fared.unsent,
      growth: fared.growth,
      busy: client.cpu / (client.wall * threads),
      late: delays.count === 0 ? 0 : measured.late / delays.count,
    }),
  };
}
