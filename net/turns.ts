import { setImmediate } from "node:timers";

/**
 * How many operations tokio lets one task finish before it must yield (its cooperative budget). All of Deno's
 * pending reads are one such task, and those that did not get a turn queue behind the sockets that became ready
 * meanwhile: above this many busy clients, the same 128 win again and again while others wait for seconds.
 * docs/fairness.md has the measurements.
 */
const BUDGET = 128;

/** How many reads are let go at once under saturation: few enough that a turn never spends the whole budget. */
const WINDOW = 32;

/** How long the window may stand still before everybody is let go: the clients in it are quiet after all. */
const STALL_MS = 1;

/**
 * Turns for connections that want to read again, in the order in which they were served last, so that no
 * client starves. Below 128 connections it does nothing. Above, a connection that was just served waits for the
 * others of the same turn of the event loop. A turn that spends the whole budget means that more are ready than
 * were served: nobody reads again until those have had theirs, and from then on reads are let go a window at a
 * time, first come, first served.
 */
export class Turns {
  #members = 0;
  #waiting: (() => void)[] = [];
  #served = 0;
  #turns = 0;
  #scheduled = false;
  #saturated = false;
  #reading = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** A connection takes part from here to `leave`. */
  join(): void {
    this.#members++;
  }

  leave(): void {
    this.#members--;
    this.#finished();
  }

  /** Whether a connection must await `next` before it reads again. */
  get crowded(): boolean {
    return this.#members >= BUDGET;
  }

  /** Resolves when this connection, which has just been served, may read again. */
  next(): Promise<void> {
    this.#finished();
    this.#served++;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #finished(): void {
    if (this.#reading > 0) this.#reading--;
    if (!this.#scheduled && (this.#members >= BUDGET || this.#waiting.length > 0)) {
      this.#scheduled = true;
      setImmediate(() => this.#turn());
    }
  }

  #turn(): void {
    this.#scheduled = false;
    this.#turns++;
    const served = this.#served;
    this.#served = 0;
    if (served >= BUDGET) {
      this.#saturated = true;
      this.#reading = 0;
      if (this.#timer === undefined) this.#watch();
    } else if (this.#saturated) {
      const free = Math.min(WINDOW - this.#reading, this.#waiting.length);
      this.#reading += free;
      this.#release(free);
    } else {
      this.#release(this.#waiting.length);
    }
  }

  #release(n: number): void {
    for (const go of this.#waiting.splice(0, n)) go();
  }

  #watch(): void {
    const seen = this.#turns;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#turns !== seen) return this.#watch();
      this.#saturated = false;
      this.#reading = 0;
      this.#release(this.#waiting.length);
    }, STALL_MS);
  }
}
