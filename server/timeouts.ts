/** Which clients have been idle for too long, or do not read their echo. */

import { showDuration } from "../base/units.ts";
import type { Connection, Outcome } from "./connection.ts";
import type { ServeOptions } from "./service.ts";

/** A timeout is noticed late by this part of it, as nobody looks more often. */
const PRECISION = 1 / 20;
const SHORTEST_TICK_MS = 10;
const LONGEST_TICK_MS = 1000;

/** The timeouts of one server: a pass over all connections now and then. A timer for each costs a fifth of the speed. */
export class Timeouts {
  /** Counts the passes; a connection notes the tick of the last byte that moved. */
  readonly clock = { tick: 0 };
  readonly #options: ServeOptions;
  readonly #tickMs: number;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(options: ServeOptions) {
    this.#options = options;
    const precision = Math.min(options.idleTimeout, options.writeTimeout) * PRECISION;
    this.#tickMs = Math.min(Math.max(precision, SHORTEST_TICK_MS), LONGEST_TICK_MS);
  }

  /** Hands each connection that is over a limit to `cutOff`, until `stop`. */
  start(
    connections: Iterable<Connection>,
    cutOff: (connection: Connection, outcome: Outcome) => void,
  ): void {
    const { idleTimeout, writeTimeout } = this.#options;
    const idleTicks = Math.ceil(idleTimeout / this.#tickMs);
    const writeTicks = Math.ceil(writeTimeout / this.#tickMs);
    const idle: Outcome = { reason: `idle for ${showDuration(idleTimeout)}`, failed: false };
    const stuck: Outcome = { reason: `did not read for ${showDuration(writeTimeout)}`, failed: true };
    this.#timer = setInterval(() => {
      const tick = ++this.clock.tick;
      for (const connection of connections) {
        const still = tick - connection.tick;
        if (connection.phase === "reading") {
          if (still > idleTicks) cutOff(connection, idle);
        } else if (connection.phase === "writing" && still > writeTicks) {
          cutOff(connection, stuck);
        }
      }
    }, this.#tickMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
