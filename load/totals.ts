/** What became of the messages of a measurement. */

import type { DatagramCounts } from "../measure/result.ts";

/** Of one thread, or of all together; sent = received + lost + unfinished. The warm-up is left out. */
export interface RunTotals {
  /** Milliseconds of the measurement: see #took of Load. */
  readonly ms: number;
  /** By the clock, until the time was over or the run was stopped; null without a rate. */
  readonly due: number | null;
  readonly sent: number;
  readonly received: number;
  readonly lost: number;
  readonly unfinished: number;
  /** Of those due: not sent when the time was over. */
  readonly unsent: number;
  /** By how many more messages were due and not back when the time was over than at half time. */
  readonly growth: number;
  readonly anomalies: DatagramCounts;
  /** Where the first datagram from elsewhere came from. */
  readonly firstStray: string | undefined;
  /** Milliseconds in which the thread was not run: see Standstill. */
  readonly stoodStill: number;
}

/** Of two threads of one run, which ran at the same time. */
export function addTotals(a: RunTotals, b: RunTotals): RunTotals {
  return {
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
