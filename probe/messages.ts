/** What bench and ping send: seeded random bytes, so that any change in what comes back is found. */

import { Buffer } from "node:buffer";

/** How many bytes are generated, once; every message is cut out of them. */
const BLOCK = 1 << 20;
/** A stream consists of laps. Each lap is so many bytes of the block, and each begins at another place of it. */
const LAP = BLOCK / 2;
/** From where one lap begins to where the next does. Odd, so that all places modulo LAP are used before one is again. */
const STRIDE = 0x2545f;
/** Up to this length a loop over the bytes is faster than making the views that Buffer.compare needs. */
const SHORT = 256;

/**
 * Random bytes by xorshift128+ (Vigna, 2014), the same for the same seed; not for secrets. The state is made from the
 * seed by a multiplicative hash, because xorshift needs many steps to leave a state of few bits.
 */
export function randomBlock(seed: number, length = BLOCK): Uint8Array<ArrayBuffer> {
  const mask = (1n << 64n) - 1n;
  let a = (BigInt(seed) * 0x9e3779b97f4a7c15n + 0xbf58476d1ce4e5b9n) & mask;
  let b = (a * 0x94d049bb133111ebn + 1n) & mask;
  const words = new BigUint64Array(Math.ceil(length / 8));
  for (let i = 0; i < words.length; i++) {
    let x = a;
    a = b;
    x ^= (x << 23n) & mask;
    b = x ^ a ^ (x >> 17n) ^ (a >> 26n);
    words[i] = a + b;
  }
  return new Uint8Array(words.buffer, 0, length);
}

/** The endless stream of one connection. Nothing is copied: all streams are views of one block. */
export class Messages {
  readonly #block: Uint8Array<ArrayBuffer>;
  readonly #connection: number;

  /** `connection` makes the streams of one block differ, so that bytes of another connection are found out. */
  constructor(block: Uint8Array<ArrayBuffer>, connection: number) {
    this.#block = block;
    this.#connection = connection;
  }

  /** Up to `limit` bytes of the stream from `offset` on: fewer where a lap ends. */
  piece(offset: number, limit: number): Uint8Array<ArrayBuffer> {
    const within = offset % LAP;
    const at = this.#position(offset, within);
    return this.#block.subarray(at, at + Math.min(limit, LAP - within));
  }

  #position(offset: number, within: number): number {
    const lap = (offset - within) / LAP + this.#connection;
    return (lap * STRIDE) % LAP + within;
  }

  /** `length` bytes of the stream from `offset` on, copied only where a lap ends among them. */
  message(offset: number, length: number): Uint8Array<ArrayBuffer> {
    const first = this.piece(offset, length);
    if (first.length === length) return first;
    const whole = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const piece = this.piece(offset + at, length - at);
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  }

  /** How many of the first `n` bytes of `received`, up to the first wrong one, are those of the stream from `offset` on. */
  matching(received: Uint8Array, n: number, offset: number): number {
    for (let done = 0; done < n;) {
      const within = (offset + done) % LAP;
      const at = this.#position(offset + done, within);
      const length = Math.min(n - done, LAP - within);
      const right = alike(this.#block, at, received, done, length);
      done += right;
      if (right < length) return done;
    }
    return n;
  }
}

/** How many of `length` bytes of `a` from `i` on and of `b` from `j` on are equal, up to the first that differs. */
function alike(a: Uint8Array, i: number, b: Uint8Array, j: number, length: number): number {
  if (length > SHORT) {
    if (Buffer.compare(a.subarray(i, i + length), b.subarray(j, j + length)) === 0) return length;
  }
  for (let n = 0; n < length; n++) if (a[i + n] !== b[j + n]) return n;
  return length;
}
