import { setImmediate } from "node:timers";

/** setTimeout is good to a millisecond and may be late by another; nearer than this, the loop turns instead. */
const NEAR_MS = 2;

/** Messages that were sent later than this after they were due were held up by ourselves. */
export const LATE_MS = 1;

/** How well the clock was kept. */
export interface Punctuality {
  ticks: number;
  late: number;
}

/**
 * Calls `due(i)` when connection `i` of `n` has a message to send: message m of all is due at `begin + m *
 * interval` ms, on connection m % n. Between messages that are near each other the event loop turns without a
 * pause, which takes all of one core: no timer of Deno's is finer than a millisecond. Until `stop` aborts or
 * performance.now() is past `end`.
 */
export function keepTime(
  { begin, interval, end }: { begin: number; interval: number; end: number },
  n: number,
  due: (i: number, now: number) => void,
  stop: AbortSignal,
): Punctuality {
  const punctuality = { ticks: 0, late: 0 };
  let m = 0;
  const tick = () => {
    if (stop.aborted) return;
    const now = performance.now();
    const upto = Math.max(0, Math.floor((Math.min(now, end) - begin) / interval) + 1);
    if (m < upto) {
      punctuality.ticks++;
      if (now - (begin + m * interval) > LATE_MS) punctuality.late++;
      // Whoever is told sends all that is due: nobody need be told twice.
      for (const last = Math.min(upto, m + n); m < last; m++) due(m % n, now);
      m = upto;
    }
    if (now > end) return;
    const wait = begin + m * interval - now;
    if (wait > NEAR_MS) setTimeout(tick, wait - NEAR_MS);
    else setImmediate(tick);
  };
  tick();
  return punctuality;
}
