/** The figures of a run, as its JSON has them: see measure/result.ts. */

import { isDatagram, isLocal, showAddress } from "../base/address.ts";
import { limitSeconds, rounded } from "../base/units.ts";
import type { Result } from "../measure/result.ts";
import { warnings } from "../measure/warnings.ts";
import type { Collector } from "./collector.ts";
import type { Plan } from "./plan.ts";
import type { RunTotals } from "./totals.ts";

/** The least that a run lasts, so that no rate is infinite. */
const SHORTEST_SECONDS = 0.001;

/** Milliseconds of the clock, and of the processors, all threads of the process together. */
export interface Spent {
  readonly wall: number;
  readonly cpu: number;
}

/**
 * The result of a run that is over. `started`: when the measurement began, in milliseconds since the epoch; `client`:
 * what this process has spent since then. Finishes the timeline of the collector.
 */
export function summarize(
  plan: Plan,
  { timeline, delays, errors, warmupErrors, late }: Collector,
  totals: RunTotals,
  started: number,
  client: Spent,
): Result {
  const exact = Math.max(totals.ms / 1000, SHORTEST_SECONDS);
  timeline.finish(exact);
  const { all } = timeline;
  const { pace, route, connections, duration, messages } = plan;
  const { address, size } = route;
  const connectRate = plan.messagesPerConnection === 1;
  const rate = pace.kind === "open" ? pace.perSecond : null;
  const seconds = rounded(exact, 6);
  const perSecond = all.count / seconds;
  const { due, sent, received, lost, unfinished } = totals;
  const counts = { due, sent, received, lost, unfinished };
  const missing = lost + unfinished;
  const threads = Math.min(plan.workers, connections, navigator.hardwareConcurrency);
  const latency = all.summary(missing);
  const intervals = timeline.seconds(size);
  return {
    version: plan.version,
    target: showAddress(address),
    engine: route.dial.engine,
    peers: totals.peers,
    started: new Date(started).toISOString(),
    duration_seconds: seconds,
    options: {
      connections,
      size_bytes: size,
      duration_seconds: limitSeconds(duration),
      messages: Number.isFinite(messages) ? messages : null,
      rate_per_second: rate,
      pipeline: pace.kind === "closed" ? pace.pipeline : null,
      connect_rate: connectRate,
      warmup_seconds: plan.warmup / 1000,
      timeout_seconds: limitSeconds(plan.timeout),
      workers: plan.workers,
      seed: plan.seed,
    },
    ...counts,
    retransmits: totals.retransmits,
    datagrams: isDatagram(address) ? totals.anomalies : null,
    messages: all.count,
    bytes: all.count * size,
    messages_per_second: rounded(perSecond),
    bytes_per_second: rounded(perSecond * size),
    send_delay_ms: rate === null ? null : { p50: delays.at(0.5), p99: delays.at(0.99), max: delays.maxMs },
    client_cpu_percent: rounded(100 * client.cpu / client.wall, 1),
    latency_ms: latency,
    latency_distribution: all.distribution(missing),
    timeline: intervals,
    errors,
    warmup_errors: warmupErrors,
    warnings: warnings({
      ...counts,
      latency,
      timeline: intervals,
      seconds,
      rate,
      connectRate: connectRate && !isLocal(address),
      unsent: totals.unsent,
      growth: totals.growth,
      busy: client.cpu / (client.wall * threads),
      late: delays.count === 0 ? 0 : late / delays.count,
      stoodStill: totals.stoodStill / 1000,
    }),
  };
}
