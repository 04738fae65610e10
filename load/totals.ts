/** What became of the messages of a run. */

import type { DatagramCounts } from "../measure/result.ts";

/** Of one thread, or of all together, without the warm-up; sent = received + lost + unfinished. */
export interface RunTotals {
  /** The addresses that answered, each once. */
  readonly peers: readonly string[];
  /** TCP segments that were sent again, of all connections; null where the engine cannot tell. */
  readonly retransmits: number | null;
  /** Milliseconds of the measurement: see #took of Load. */
  readonly ms: number;
  /** Messages that were due by the clock until the time was over or the run was stopped; null without a rate. */
  readonly due: number | null;
  readonly sent: number;
  /** How many of them came back right. */
  readonly received: number;
  /** How many of them will not come back: their timeout is over, or their connection broke. */
  readonly lost: number;
  /** How many of them were on their way when the run was stopped. */
  readonly unfinished: number;
  /** How many were due and not sent when the time was over. */
  readonly unsent: number;
  /** By how many more messages were due and not back when the time was over than at half time. */
  readonly growth: number;
  readonly anomalies: DatagramCounts;
  /** Where the first datagram from elsewhere came from. */
  readonly firstStray: string | undefined;
  /** Milliseconds in which the thread was not run: see Standstill. */
  readonly stoodStill: number;
}

/** The totals of two threads of one run, together. */
export function addTotals(a: RunTotals, b: RunTotals): RunTotals {
  return {
    peers: [...new Set([...a.peers, ...b.peers])],
    retransmits: a.retransmits === null || b.retransmits === null ? null : a.retransmits + b.retransmits,
    ms: Math.max(a.ms, b.ms),
    due: a.due === null || b.due === null ? null : a.due + b.due,
    sent: a.sent + b.sent,
    received: a.received + b.received,
    lost: a.lost + b.lost,
    unfinished: a.unfinished + b.unfinished,
    unsent: a.unsent + b.unsent,
    growth: a.growth + b.growth,
    anomalies: {
      late: a.anomalies.late + b.anomalies.late,
      reordered: a.anomalies.reordered + b.anomalies.reordered,
      stray: a.anomalies.stray + b.anomalies.stray,
    },
    firstStray: a.firstStray ?? b.firstStray,
    stoodStill: Math.max(a.stoodStill, b.stoodStill),
  };
}
