/** When messages are sent: the only thing in which a closed loop and an open one differ. */

/** What a pace is made of; plain data, so that it can go to a worker. */
export type PacePlan =
  | { readonly kind: "closed"; readonly pipeline: number }
  /** The first message goes `phase` ms after the start. */
  | { readonly kind: "open"; readonly perSecond: number; readonly phase: number };

/** The pace of one connection. Its messages are numbered from 0. Times are of performance.now(). */
export interface Pace {
  /** How many messages may have been sent by `now`, when `settled` of them are back or lost. */
  allowed(now: number, settled: number): number;
  /** When message `k` had to be sent; undefined where it is due whenever it is sent. */
  due(k: number): number | undefined;
  /** Whether message `k`, which is sent now, belongs to the warm-up; what comes after the first that does not, does not either. */
  warming(k: number, now: number): boolean;
}

/** As many messages as `pipeline` are on their way: a slow reply holds up the next message. */
export function closed(pipeline: number, begin: number): Pace {
  return {
    allowed: (_now, settled) => settled + pipeline,
    due: () => undefined,
    warming: (_k, now) => now < begin,
  };
}

/**
 * By the clock, whatever comes back: the first message at `first`, then one each `interval` ms, `count` in all, of
 * which the first `warmup` are not measured.
 */
export function open(first: number, interval: number, count: number, warmup: number): Pace {
  return {
    allowed: (now, _settled) => Math.max(0, Math.min(Math.floor((now - first) / interval) + 1, count)),
    due: (k) => first + k * interval,
    warming: (k) => k < warmup,
  };
}
