/** Wakes up whoever sends by the clock: a wait of the poller ends at that time, to some microseconds. */

import { poller } from "./poller.ts";

/** One time at once is awaited. */
export class PollerAlarm {
  #closed = false;

  /** From now on Deno's own event loop has its turn in this thread each `turnMs`. */
  constructor(turnMs: number) {
    poller.sliceMs = turnMs;
  }

  /** Calls `wake` at `time` of performance.now(), or at once if that is past. */
  at(time: number, wake: () => void): void {
    poller.at(time).then(() => {
      if (!this.#closed) wake();
    });
  }

  /** What is set is not called any more. */
  close(): void {
    this.#closed = true;
  }
}
