import { Buffer } from "node:buffer";

const FIRST_CAPACITY = 256 << 10;
/** The largest piece that is read at once. */
const PIECE = 256 << 10;
/** So many bytes that came back are kept, to recognize them if they come back a second time. */
const HISTORY = 256 << 10;

/**
 * The bytes that were sent and are not back, in a ring that grows up to `limit` bytes. So a stream of any length is
 * compared in bounded memory.
 */
export class Outstanding {
  #ring: Uint8Array<ArrayBuffer>;
  readonly #limit: number;
  #sent = 0;
  #back = 0;

  constructor(limit: number) {
    this.#limit = limit;
    this.#ring = new Uint8Array(Math.min(FIRST_CAPACITY, limit) + HISTORY);
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

  /** Where to put the next bytes to send; empty when `limit` bytes are on their way. */
  space(): Uint8Array<ArrayBuffer> {
    const window = this.#ring.length - HISTORY;
    if (this.length > window / 2 && window < this.#limit) this.#grow();
    const capacity = this.#ring.length;
    const at = this.#sent % capacity;
    return this.#ring.subarray(at, at + Math.min(capacity - HISTORY - this.length, capacity - at, PIECE));
  }

  /** Counts the first `n` bytes of `space()` as sent. */
  add(n: number): void {
    this.#sent += n;
  }

  /** Compares what came back, up to the first wrong byte. Returns how many bytes are right. */
  take(received: Uint8Array): number {
    for (let done = 0; done < received.length;) {
      const expected = this.#piece(this.#back, this.#back + received.length - done);
      const part = received.subarray(done, done + expected.length);
      if (part.length === 0) return done;
      if (Buffer.compare(expected, part) !== 0) {
        const right = expected.findIndex((byte, i) => byte !== part[i]);
        this.#back += right;
        return done + right;
      }
      this.#back += part.length;
      done += part.length;
    }
    return received.length;
  }

  /** A copy of up to `n` of the bytes that came back last. */
  before(n: number): Uint8Array {
    return this.#copy(Math.max(this.#back - Math.min(n, HISTORY), 0), this.#back);
  }

  /** A copy of up to `n` of the bytes that must come back next. */
  after(n: number): Uint8Array {
    return this.#copy(this.#back, Math.min(this.#back + n, this.#sent));
  }

  #copy(from: number, to: number): Uint8Array {
    const bytes = new Uint8Array(to - from);
    for (let at = from; at < to;) {
      const piece = this.#piece(at, to);
      bytes.set(piece, at - from);
      at += piece.length;
    }
    return bytes;
  }

  /** The bytes of the stream from `from` up to `to`, as far as they were sent and lie in one piece. */
  #piece(from: number, to: number): Uint8Array {
    const at = from % this.#ring.length;
    return this.#ring.subarray(at, at + Math.min(to - from, this.#sent - from, this.#ring.length - at));
  }

  #grow(): void {
    const window = Math.min((this.#ring.length - HISTORY) * 2, this.#limit);
    const larger = new Uint8Array(window + HISTORY);
    for (let moved = Math.max(this.#back - HISTORY, 0); moved < this.#sent;) {
      const to = moved % larger.length;
      const piece = this.#piece(moved, moved + larger.length - to);
      larger.set(piece, to);
      moved += piece.length;
    }
    this.#ring = larger;
  }
}
