const FIELDS = ["served", "open", "refused", "failed", "bytes", "datagrams"] as const;
export type Total = typeof FIELDS[number];

/** The server's counters since its start. They live in shared memory, so that all its threads count together. */
export class Totals {
  readonly #cells: BigInt64Array;

  /** Those of another thread, or new ones. */
  constructor(readonly memory = new SharedArrayBuffer(FIELDS.length * BigInt64Array.BYTES_PER_ELEMENT)) {
    this.#cells = new BigInt64Array(memory);
  }

  get(total: Total): number {
    return Number(Atomics.load(this.#cells, FIELDS.indexOf(total)));
  }

  /** Returns the new value. */
  add(total: Total, n: number): number {
    return Number(Atomics.add(this.#cells, FIELDS.indexOf(total), BigInt(n))) + n;
  }
}
