/** How a server counts: what it did, and what it holds. */

/** Those of OF_THREAD first. */
const FIELDS = [
  "open",
  "closing",
  "accepted",
  "served",
  "rejected",
  "refused",
  "failed",
  "bytes",
  "datagrams",
] as const;
/** The name of one counter. */
export type Total = typeof FIELDS[number];

/** The first of them, so many, each thread also counts for itself. */
const OF_THREAD = 2;

/**
 * The server's counters since its start. They live in shared memory, so that all its threads count together;
 * each thread also has a count of its own of the connections it holds, for the day it dies with them.
 */
export class Totals {
  readonly #since = performance.now();
  readonly #cells: BigInt64Array;
  readonly #mine: number;

  /** `memory` is that of another thread, or new; `thread` counts from 0. */
  constructor(readonly memory = Totals.memory(1), thread = 0) {
    this.#cells = new BigInt64Array(memory);
    this.#mine = FIELDS.length + thread * OF_THREAD;
  }

  /** Memory for the counters of so many threads, all zero. */
  static memory(threads: number): SharedArrayBuffer {
    return new SharedArrayBuffer((FIELDS.length + threads * OF_THREAD) * BigInt64Array.BYTES_PER_ELEMENT);
  }

  /** Of all threads together. */
  get(total: Total): number {
    return Number(Atomics.load(this.#cells, FIELDS.indexOf(total)));
  }

  /** Returns the new value. */
  add(total: Total, n: number): number {
    const at = FIELDS.indexOf(total);
    if (at < OF_THREAD) Atomics.add(this.#cells, this.#mine + at, BigInt(n));
    return Number(Atomics.add(this.#cells, at, BigInt(n))) + n;
  }

  /** Open connections of each thread. */
  get threads(): number[] {
    return Array.from(this.#cells.subarray(FIELDS.length).filter((_, i) => i % OF_THREAD === 0), Number);
  }

  /** All of them, by name, and the milliseconds since the start. */
  summary(): Record<Total | "duration_ms", number> {
    const counts = Object.fromEntries(FIELDS.map((total) => [total, this.get(total)])) as Record<
      Total,
      number
    >;
    return { ...counts, duration_ms: Math.round(performance.now() - this.#since) };
  }

  /** Counts the connections of this thread, which is dead, as failed. Returns how many were open. */
  writeOff(): number {
    const [lost = 0, closing = 0] = Array.from(
      this.#cells.subarray(this.#mine, this.#mine + OF_THREAD),
      Number,
    );
    this.add("open", -lost);
    this.add("closing", -closing);
    this.add("failed", lost);
    return lost;
  }
}
