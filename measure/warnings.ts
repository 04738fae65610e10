/** Which figures of a run are not to be trusted, why, and what to do about it. */

import { rounded, showMilliseconds, showNumber } from "../base/units.ts";
import { type Latency, latencyName, type Second } from "./result.ts";

/** A client that was busy for this share of its threads' time was the bottleneck: threads wait for each other for the rest. */
const BUSY = 0.95;
/** In a shorter run, most processor time goes into compiling the program. */
const SHORTEST_SECONDS = 1;
/** A message that was sent more than this after it was due counts as late. */
export const LATE_MS = 1;
/** With --rate, this share of the messages may be late. */
const LATE = 0.01;
/** Of the messages due, this share may be unsent at the end; and by this share more may be on their way than at half time. */
const UNSENT = 0.01;
const GROWTH = 0.005;
/** By so many messages the two may differ by chance. */
const CHANCE = 16;
/**
 * A connection that this side closes keeps its port for a minute (TIME_WAIT, tcp(7)). Linux has 28,232 ports for one
 * address, and takes long to find a free one when half of them are taken: 5,000 connections/s fell to 1,000/s after
 * 16,000 connections.
 */
const PORTS = 28_232;
const TIME_WAIT_SECONDS = 60;
/** Users would see a stall that takes this share of the run in their p99. The p99 of a closed loop does not show it. */
const STALL = 0.01;
/** A shorter stall may come from a busy machine. */
const STALL_MS = 50;
/** Intervals of an even run differ from their median by less than this factor: in 22 runs on a quiet machine by 1.8 at most. */
const UNEVEN = 3;
/** With fewer intervals, or fewer messages in each, nothing can be said of how even a run was. */
const MIN_INTERVALS = 4;
const MIN_MESSAGES = 20;

/** What is known of a run. */
export interface Circumstances {
  readonly latency: Latency;
  readonly timeline: readonly Second[];
  readonly seconds: number;
  /** Messages a second that were asked for; null: as many as come back. */
  readonly rate: number | null;
  /** See Result, and RunTotals in load/totals.ts. */
  readonly due: number | null;
  readonly sent: number;
  readonly received: number;
  readonly lost: number;
  readonly unfinished: number;
  /** Whether each message had a connection of its own, from a port of its own. */
  readonly connectRate: boolean;
  readonly unsent: number;
  readonly growth: number;
  /** The share of its threads' time, 0 to 1, in which the client was busy. */
  readonly busy: number;
  /** The share of the messages, 0 to 1, that were sent more than LATE_MS after they were due. */
  readonly late: number;
  /** Seconds in which the client was not run: stopped, or on a machine that had no time for it. */
  readonly stoodStill: number;
}

/** A sentence for each reason to distrust the figures. */
export function warnings(circumstances: Circumstances): string[] {
  const { latency, seconds, rate, due, received, unsent, growth, busy, late, stoodStill } = circumstances;
  const found: string[] = [];
  if (rate === null && busy >= BUSY && seconds >= SHORTEST_SECONDS) {
    found.push(
      `the client's own CPU was full (${percent(Math.min(busy, 1))} of its threads): ` +
        "the server may be faster; try more --workers, or another machine",
    );
  }
  if (rate !== null && late > LATE) {
    found.push(
      `${percent(late)} of the messages were sent more than ${LATE_MS} ms late: ` +
        "the client's own CPU was full, or shared; try a lower --rate, or more --workers",
    );
  }
  if (rate === null && stoodStill > Math.max(STALL * seconds, STALL_MS / 1000)) {
    found.push(
      `bench itself stood still for ${rounded(stoodStill, 2)} s of ${
        rounded(seconds, 2)
      } s: it was stopped, or its ` +
        "machine was busy; replies that came meanwhile seem slow",
    );
  }
  if (due !== null && unsent > due * UNSENT) {
    found.push(
      `the rate asked for was not reached: ${showNumber(unsent)} of ${showNumber(due)} messages ` +
        "could not be sent in time; the latencies are those of an overload",
    );
  } else if (due !== null && growth > Math.max(due * GROWTH, CHANCE)) {
    found.push(
      `the replies did not keep up with the rate: ${showNumber(growth)} more messages ` +
        "were on their way in the end than at half time; the latencies are those of an overload",
    );
  }
  const portsTaken = circumstances.sent * Math.min(1, TIME_WAIT_SECONDS / seconds);
  if (circumstances.connectRate && portsTaken > PORTS / 2) {
    found.push(
      `${
        showNumber(Math.round(portsTaken))
      } connections in a minute and less: each keeps one of this machine's some ` +
        `28,000 ports for a minute (TIME_WAIT), and connecting slows down; try -n ${
          PORTS / 2
        }, or a --rate below ` +
        `${Math.floor(PORTS / 2 / TIME_WAIT_SECONDS)}`,
    );
  }
  if (received === 0) {
    found.push(
      due === 0
        ? "no message was due in the measurement; try a longer --duration or a higher --rate"
        : "no message of the measurement came back",
    );
  }
  found.push(...unknownPercentiles(circumstances));
  const { p99, max } = latency;
  const stall = Math.max(STALL * 1000 * seconds, STALL_MS);
  if (rate === null && p99 !== null && max !== null && max > 2 * p99 && max > stall) {
    found.push(
      `a reply took ${showMilliseconds(max)} ms, and the next message waited for it, ` +
        "which p99 does not show: use --rate to learn what users would have seen",
    );
  }
  const odd = uneven(circumstances);
  if (odd !== undefined) found.push(odd);
  return found;
}

/** Why percentiles are not known. */
function unknownPercentiles({ latency, sent, received, lost, unfinished }: Circumstances): string[] {
  if (received === 0) return [];
  const keys = (["p50", "p90", "p99", "p99_9", "max"] as const).filter((key) => latency[key] === null);
  const few = keys.filter((key) => key !== "max" && sent * (1 - SHARES[key]) < 1 - 1e-6);
  const hidden = keys.filter((key) => !few.includes(key)).map(latencyName);
  const found: string[] = [];
  if (hidden.length > 0) {
    const gone = [
      ...(lost > 0 ? [`${showNumber(lost)} ${were(lost)} lost`] : []),
      ...(unfinished > 0 ? [`${showNumber(unfinished)} ${were(unfinished)} on the way at the stop`] : []),
    ];
    found.push(
      `of ${showNumber(sent)} messages, ${gone.join(" and ")}: ${hidden.join(", ")} cannot be known; ` +
        "min and mean are those of the messages that came back",
    );
  }
  if (few.length > 0) {
    const messages = sent === 1 ? "1 message is" : `${showNumber(sent)} messages are`;
    found.push(`${messages} too few for ${few.map(latencyName).join(", ")}; send more (-n, -d)`);
  }
  return found;
}

const SHARES = { p50: 0.5, p90: 0.9, p99: 0.99, p99_9: 0.999, max: 1 } as const;

/** Names the worst interval if it differs much from the others: the figures of the whole run then mix two things. */
function uneven({ timeline, rate }: Circumstances): string | undefined {
  if (timeline.length < MIN_INTERVALS) return undefined;
  const rates = timeline.map(({ messages_per_second }) => messages_per_second);
  const medians = timeline.map(({ p50_ms }) => p50_ms);
  const usual = median(rates);
  const least = Math.min(...rates);
  const until = (i: number) => `in the interval that ends at ${rounded(timeline[i]!.at_seconds, 1)} s`;
  if (rate === null && usual >= MIN_MESSAGES && least * UNEVEN < usual) {
    return `the run was uneven: ${until(rates.indexOf(least))} ${
      showNumber(Math.round(least))
    } messages/s came back, ` +
      `${showNumber(Math.round(usual))} in most; repeat it, and see whether it comes again`;
  }
  const known = medians.filter((ms) => ms !== null);
  const calm = median(known);
  const most = Math.max(...known);
  if (known.length >= MIN_INTERVALS && most > UNEVEN * calm) {
    return `the run was uneven: ${until(medians.indexOf(most))} p50 was ${showMilliseconds(most)} ms, ` +
      `${showMilliseconds(calm)} ms in most; repeat it, and see whether it comes again`;
  }
  return undefined;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

function were(n: number): string {
  return n === 1 ? "was" : "were";
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
