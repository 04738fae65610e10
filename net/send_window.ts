/** Datagrams that are sent in a burst, and what the socket buffers on the way can hold of them. */

/** So many times the pace may be sent where no reply tells how full the buffers are. */
const HEADROOM = 2;

/**
 * At most `size` datagrams of late are on their way, over all the sockets that share this: a burst, as after a time in
 * which this process was stopped, otherwise fills the other end's receive buffer, or one of our own. "Of late" is long
 * enough for a reply from near, and short enough for twice the pace to go out without any reply, since a pace must not
 * depend on how far away the other end is. Times are of performance.now().
 */
export class SendWindow {
  readonly #size: number;
  /** Milliseconds. What was sent in this period and in the one before is "of late". */
  readonly #period: number;
  /** When this period and the one before began, and what of them is on its way. */
  #begin = 0;
  #beginBefore = 0;
  #sent = 0;
  #sentBefore = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #pause: (ms: number) => Promise<void>;
  #pausing = false;

  /** `perSecond`: the pace, of all the sockets together. `pause`: one that is exact to a fraction of the period. */
  constructor(size: number, perSecond: number, pause: (ms: number) => Promise<void>) {
    this.#size = size;
    this.#pause = pause;
    this.#period = size / (2 * HEADROOM * perSecond / 1000);
  }

  /** Whether a datagram may be sent now; if so, it is taken for sent. */
  take(now: number): boolean {
    this.#advance(now);
    if (this.#room <= 0) return false;
    this.#sent++;
    return true;
  }

  /** What was sent at `sentAt` is back. */
  back(sentAt: number, now: number): void {
    this.#advance(now);
    if (sentAt >= this.#begin) this.#sent--;
    else if (sentAt >= this.#beginBefore) this.#sentBefore--;
    else return;
    this.#waiting.shift()?.();
  }

  /** Resolves when it is worth asking again: those that wait get their turns in order. */
  next(): Promise<void> {
    if (!this.#pausing) this.#release();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  get #room(): number {
    return this.#size - this.#sent - this.#sentBefore;
  }

  #advance(now: number): void {
    if (now < this.#begin + this.#period) return;
    const next = now < this.#begin + 2 * this.#period;
    this.#sentBefore = next ? this.#sent : 0;
    this.#beginBefore = next ? this.#begin : now;
    this.#sent = 0;
    this.#begin = now;
  }

  async #release(): Promise<void> {
    this.#pausing = true;
    do {
      await this.#pause(this.#period);
      this.#advance(performance.now());
      for (const go of this.#waiting.splice(0, this.#room)) go();
    } while (this.#waiting.length > 0);
    this.#pausing = false;
  }
}
