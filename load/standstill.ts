/** How long this process stood still: stopped, or on a machine that had no time for it. */

import type { Alarm } from "./clock.ts";

/** How often it looks at the clock. */
const LOOK_MS = 5;
/** A look comes late by less in a busy event loop, and where other programs share the core. */
const USUAL_MS = 10;

/** Watches the clock from its making until `end`. */
export class Standstill {
  readonly #alarm: Alarm;
  #seen: number;
  /** Milliseconds so far, of those times that were longer than usual. */
  ms = 0;

  /** Watches from `begin` (of performance.now()) on, until `end` is called, which closes the alarm. */
  constructor(begin: number, alarm: Alarm) {
    this.#seen = begin;
    this.#alarm = alarm;
    this.#wait();
  }

  /** Ends the watching; `ms` is complete then. */
  end(): void {
    this.#look();
    this.#alarm.close();
  }

  #wait(): void {
    this.#alarm.at(performance.now() + LOOK_MS, () => {
      this.#look();
      this.#wait();
    });
  }

  #look(): void {
    const now = performance.now();
    if (now < this.#seen) return; // it has not begun
    const late = now - this.#seen - LOOK_MS;
    if (late > USUAL_MS) this.ms += late;
    this.#seen = now;
  }
}
