/** When messages are sent: this is all that a closed loop and an open loop differ in. */

/** What a pace is made from. Plain data: it is posted to a thread. */
export type PacePlan =
  | { readonly kind: "closed"; readonly pipeline: number }
  /** The first message is due `phase` ms after the start. */
  | { readonly kind: "open"; readonly perSecond: number; readonly phase: number };

/** The pace of one connection. Its messages are numbered from 0. Times are of performance.now(). */
export interface Pace {
  /** How many messages may have been sent by `now`, when `settled` of them are back or lost. */
  allowed(now: number, settled: number): number;
  /** When message `k` is due; undefined in a closed loop, where it is due whenever it is sent. */
  due(k: number): number | undefined;
  /** Whether message `k`, sent now, belongs to the warm-up. Once one does not, no later one does. */
  warming(k: number, now: number): boolean;
}

/** Keeps `pipeline` messages on their way: a slow reply holds up the next message. The warm-up ends at `begin`. */
export function closed(pipeline: number, begin: number): Pace {
  return {
    allowed: (_now, settled) => settled + pipeline,
    due: () => undefined,
    warming: (_k, now) => now < begin,
  };
}

/**
 * Sends by the clock, whatever comes back: the first message at `first`, then one each `interval` ms, `count` in all.
 * The first `warmup` of them are the warm-up.
 */
export function open(first: number, interval: number, count: number, warmup: number): Pace {
  return {
    allowed: (now, _settled) => Math.max(0, Math.min(Math.floor((now - first) / interval) + 1, count)),
    due: (k) => first + k * interval,
    warming: (k) => k < warmup,
  };
}
