import { Buffer } from "node:buffer";

/** Where what came back departs from what was sent. */
export interface Difference {
  /** Bytes from the start of the stream. */
  readonly offset: number;
  /** undefined: nothing was sent there. */
  readonly sent: number | undefined;
  /** undefined: the stream ended there. */
  readonly received: number | undefined;
}

/** The difference as a person reads it. */
export function showDifference({ offset, sent, received }: Difference): string {
  const hex = (byte: number) => `0x${byte.toString(16).padStart(2, "0")}`;
  if (sent === undefined) return `surplus: byte ${offset} was never sent, received ${hex(received ?? 0)}`;
  if (received === undefined) return `lost: byte ${offset} did not come back, sent ${hex(sent)}`;
  return `different: byte ${offset} was sent as ${hex(sent)}, received as ${hex(received)}`;
}

const FIRST_CAPACITY = 256 << 10;
/** The largest piece that is read at once. */
const PIECE = 256 << 10;

/**
 * What was sent and has not come back yet, in a ring that grows up to `limit` bytes: a stream of any length is
 * compared in the memory of what is on its way.
 */
export class Outstanding {
  #ring: Uint8Array<ArrayBuffer>;
  readonly #limit: number;
  #sent = 0;
  #back = 0;

  constructor(limit: number) {
    this.#limit = limit;
    this.#ring = new Uint8Array(Math.min(FIRST_CAPACITY, limit));
  }

  /** Bytes sent since the start. */
  get sent(): number {
    return this.#sent;
  }

  /** Bytes that came back right since the start. */
  get back(): number {
    return this.#back;
  }

  /** Bytes on their way. */
  get length(): number {
    return this.#sent - this.#back;
  }

  /** Where the next bytes to send go; empty when `limit` bytes are on their way. */
  space(): Uint8Array<ArrayBuffer> {
    if (this.length > this.#ring.length / 2 && this.#ring.length < this.#limit) this.#grow();
    const capacity = this.#ring.length;
    const at = this.#sent % capacity;
    return this.#ring.subarray(at, at + Math.min(capacity - this.length, capacity - at, PIECE));
  }

  /** The first `n` bytes of `space()` are about to be sent. */
  add(n: number): void {
    this.#sent += n;
  }

  /** Takes what came back, and returns the first difference. */
  check(received: Uint8Array): Difference | undefined {
    for (let done = 0; done < received.length;) {
      const expected = this.#oldest(received.length - done);
      const part = received.subarray(done, done + expected.length);
      if (part.length === 0) return { offset: this.#back, sent: undefined, received: received[done] };
      if (Buffer.compare(expected, part) !== 0) {
        const at = expected.findIndex((byte, i) => byte !== part[i]);
        this.#back += at;
        return { offset: this.#back, sent: expected[at], received: part[at] };
      }
      this.#back += part.length;
      done += part.length;
    }
    return undefined;
  }

  /** The stream has ended: what is still on its way is lost. */
  end(): Difference | undefined {
    return this.length === 0
      ? undefined
      : { offset: this.#back, sent: this.#oldest(1)[0], received: undefined };
  }

  /** Up to `n` of the bytes that must come back next, as far as they lie in one piece. */
  #oldest(n: number): Uint8Array {
    const at = this.#back % this.#ring.length;
    return this.#ring.subarray(at, at + Math.min(n, this.length, this.#ring.length - at));
  }

  #grow(): void {
    const larger = new Uint8Array(Math.min(this.#ring.length * 2, this.#limit));
    for (let moved = this.#back; moved < this.#sent;) {
      const from = moved % this.#ring.length;
      const to = moved % larger.length;
      const n = Math.min(this.#sent - moved, this.#ring.length - from, larger.length - to);
      larger.set(this.#ring.subarray(from, from + n), to);
      moved += n;
    }
    this.#ring = larger;
  }
}
