/** Fairness among many busy connections. */

import { setImmediate } from "node:timers";

/**
 * How many operations tokio lets one task finish before it must yield (its cooperative budget). All of Deno's
 * pending reads are one such task, and those that did not get a turn queue behind the sockets that became ready
 * meanwhile: above this many busy clients, the same 128 win again and again while others wait for a second.
 * docs/fairness.md has the measurements.
 */
const BUDGET = 128;

/** How many connections are let go in one turn: few enough that they and their writes never spend the budget. */
const BATCH = 32;

/** How long nothing may happen, at least, before everybody is let go: they are quiet clients after all. */
const STALL_MS = 1;

/** Connections that were served one after the other, and are let go together. */
class Batch {
  size = 0;
  go = () => {};
  /** One for all: a promise for each is garbage that costs a tenth of the speed with 3,000 busy clients. */
  readonly gone = new Promise<void>((resolve) => this.go = resolve);
}

/**
 * Turns for connections that want to read again, in the order in which they were served last, so that no
 * client starves. Below 128 connections it does nothing. Above, a connection that was just served waits for the
 * next turn of the event loop, with the others of its turn. A turn that spent the whole budget means that more
 * are ready than were served: those come first, and from then on one batch is let go in a turn. That pauses
 * whenever many of those that were let go found nothing to read: the loop looks for what has arrived only when
 * it has nothing else to do.
 */
export class Turns {
  #members = 0;
  /** Who was served first is in the first; who is served next comes into the last, unless it is full. */
  readonly #waiting: Batch[] = [];
  /** Since the last turn. */
  #served = 0;
  /** About how many were let go and not served, since the loop last looked for what has arrived. */
  #reading = 0;
  #turns = 0;
  #scheduled = false;
  /** Whether more are ready than one turn serves. */
  #saturated = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** A connection takes part from here to `leave`. */
  join(): void {
    this.#members++;
  }

  /** It takes part no more. */
  leave(): void {
    this.#members--;
  }

  /** Whether a connection must await `next` before it reads again. */
  get crowded(): boolean {
    return this.#members >= BUDGET;
  }

  /** Resolves when this connection, which has just been served, may read again. */
  next(): Promise<void> {
    this.#served++;
    if (this.#reading > 0) this.#reading--;
    let batch = this.#waiting.at(-1);
    if (batch === undefined || batch.size === BATCH) this.#waiting.push(batch = new Batch());
    batch.size++;
    this.#schedule();
    return batch.gone;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#scheduled = false;
    this.#turns++;
    const spent = this.#served >= BUDGET;
    this.#served = 0;
    if (spent) this.#saturated = true;
    if (spent || this.#saturated && this.#reading >= BATCH) this.#idle();
    else this.#release();
  }

  /** Lets the next batch go; all of them, where no more are ready than one turn serves. */
  #release(): void {
    for (const batch of this.#waiting.splice(0, this.#saturated ? 1 : this.#waiting.length)) {
      this.#reading += batch.size;
      batch.go();
    }
    if (this.#waiting.length > 0) this.#schedule();
  }

  /**
   * Waits for whoever is served next, which begins another turn. Where that is nobody, all are let go. The timer
   * alone does not tell: with thousands of clients the loop can take longer to look than the timer runs, and the
   * timers come first in it. The immediate comes last.
   */
  #idle(): void {
    this.#reading = 0;
    const turns = this.#turns;
    this.#timer ??= setTimeout(() =>
      setImmediate(() => {
        this.#timer = undefined;
        if (this.#turns === turns && this.#served === 0) {
          this.#saturated = false;
          this.#release();
        } else if (this.#waiting.length > 0) {
          this.#idle();
        }
      }), STALL_MS);
  }
}
