/** How long this process stood still: stopped, or on a machine that had no time for it. */

/** How often it looks at the clock. */
const LOOK_MS = 5;
/** A look comes late by less in a busy event loop, and where other programs share the core. */
const USUAL_MS = 10;

/** Watches the clock from its making until `end`. */
export class Standstill {
  readonly #timer: ReturnType<typeof setInterval>;
  #seen: number;
  /** Milliseconds so far, of those times that were longer than usual. */
  ms = 0;

  /** Watches from `begin` (of performance.now()) on, until `end` is called. */
  constructor(begin: number) {
    this.#seen = begin;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  /** Ends the watching; `ms` is complete then. */
  end(): void {
    this.#look();
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = performance.now();
    if (now < this.#seen) return; // it has not begun
    const late = now - this.#seen - LOOK_MS;
    if (late > USUAL_MS) this.ms += late;
    this.#seen = now;
  }
}
