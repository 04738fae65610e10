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
}

/** As many messages as `pipeline` are on their way: a slow reply holds up the next message. */
export function closed(pipeline: number): Pace {
  return {
    allowed: (_now, settled) => settled + pipeline,
    due: () => undefined,
  };
}

/** By the clock, whatever comes back: the first message at `begin`, then one each `interval` ms, until `end`. */
export function open(begin: number, interval: number, end: number): Pace {
  return {
    allowed: (now, _settled) => Math.max(0, Math.floor((Math.min(now, end) - begin) / interval) + 1),
    due: (k) => begin + k * interval,
  };
}
