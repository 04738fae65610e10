/** Sends by the clock: which message is due, and the two ways to be woken in time for it. */

/** Messages by the clock: message m of `count` is due at `first + m * interval`, in ms of performance.now(). */
export interface Schedule {
  readonly first: number;
  readonly interval: number;
  readonly count: number;
}

/** Wakes up by the clock, to some microseconds. */
export interface Alarm {
  /** Calls `wake` at `time` of performance.now(), or at once if that is past. One is set at a time. */
  at(time: number, wake: () => void): void;
  /** Whatever is set is not called any more. */
  close(): void;
}

/**
 * Calls `due(i)` when connection `i` of `n` has messages to send, then `called(m)` for each of them: message m is on
 * connection m % n. It ends when all messages were due, or when `stop` aborts, which also closes the alarm.
 */
export function keepTime(
  { first, interval, count }: Schedule,
  n: number,
  due: (i: number, now: number) => void,
  called: (m: number, now: number) => void,
  alarm: Alarm,
  stop: AbortSignal,
): void {
  stop.addEventListener("abort", () => alarm.close(), { once: true });
  let m = 0;
  const tick = () => {
    if (stop.aborted) return;
    let now = performance.now();
    const upto = Math.min(count, Math.floor((now - first) / interval) + 1);
    // A connection sends all that is due when it is called, so one call each is enough.
    for (let i = m; i < Math.min(upto, m + n); i++) {
      now = performance.now();
      due(i % n, now);
      for (let of = i; of < upto; of += n) called(of, now);
    }
    m = Math.max(m, upto);
    if (m < count) alarm.at(first + m * interval, tick);
  };
  tick();
}
