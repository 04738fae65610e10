/** What became of the datagrams that were sent to an echo service (RFC 862). */

import { Buffer } from "node:buffer";
import { diagnoseDatagram } from "./diagnosis.ts";

/**
 * So many that are settled, and all for so long after they were given up or would have been, are remembered, to
 * tell a late reply and a second one.
 */
const REMEMBERED = 1024;
const REMEMBERED_MS = 1000;
/** The first size of the ring; it doubles. A power of two. */
const FIRST_CAPACITY = 64;
/** How far back one looks for what a changed datagram was. */
const MAX_CANDIDATES = 256;
/** So many equal bytes at the start and the end make a datagram of another size a changed one of ours. */
const PROOF = 4;
/** In how many places two datagrams of one size are compared for their likeness. */
const SAMPLES = 1024;
/** Two datagrams that have nothing to do with each other have 1/256 of their bytes in common, and some more. */
const CHANCE = 1 / 16;

const NONE: readonly number[] = [];

const UNSETTLED = 0;
const BACK = 1;
const LOST = 2;
const LATE = 3;
const CHANGED = 4;

/** What a datagram from the other end is. Numbers count from 0, in the order of sending. */
export type Reply =
  /** Datagram `number`, in time; `reordered`: after one that was sent later (RFC 4737). */
  | { readonly kind: "back"; readonly number: number; readonly reordered: boolean }
  /** It had been given up. */
  | { readonly kind: "late"; readonly number: number }
  /** It had come back before. */
  | { readonly kind: "duplicate"; readonly number: number; readonly text: string }
  /** Changed. `number`: the datagram that is settled by it, where that is not settled yet. */
  | { readonly kind: "corrupted"; readonly number: number | undefined; readonly text: string }
  /** Like none that was sent. */
  | { readonly kind: "surplus"; readonly text: string };

/**
 * A datagram is known by its content alone, since the payload is the user's; and so is its state: on its way,
 * back, lost, late, changed. Where datagrams are equal one stands for the other: the counts are right, which of
 * them was lost is not known.
 *
 * Each costs some 25 bytes, in a ring that grows: all that are on their way, and of those that are settled the last
 * thousand, and what was sent not longer ago than the timeout and a second.
 */
export class DatagramLedger {
  readonly #content: (number: number) => Uint8Array;
  readonly #timeout: number;
  readonly #memory: number;
  /** Datagram n at n modulo their length. */
  #sentAt = new Float64Array(FIRST_CAPACITY);
  #state = new Uint8Array(FIRST_CAPACITY);
  /** Of its content. */
  #hash = new Int32Array(FIRST_CAPACITY);
  /** The datagram before it in the same bucket, or one that is forgotten. */
  #before = new Float64Array(FIRST_CAPACITY);
  /** The newest datagram of each bucket of hashes. */
  #newest = new Float64Array(FIRST_CAPACITY).fill(-1);
  #oldest = 0;
  /** The first that is not settled, or the next to be sent. */
  #settled = 0;
  #sent = 0;
  #highest = -1;
  #onTheirWay = 0;

  /**
   * `content` finds again what was sent, for numbers from `oldest` on. `timeout`: milliseconds until one is given
   * up. `memory`: how many that are settled it remembers at most.
   */
  constructor(content: (number: number) => Uint8Array, timeout: number, memory: number) {
    this.#content = content;
    this.#timeout = timeout;
    this.#memory = memory;
  }

  get sent(): number {
    return this.#sent;
  }

  get onTheirWay(): number {
    return this.#onTheirWay;
  }

  /** The first that is remembered. */
  get oldest(): number {
    return this.#oldest;
  }

  sentAt(number: number): number {
    return this.#sentAt[this.#slot(number)]!;
  }

  /** A datagram is sent, at this performance.now(). Returns its number. */
  add(datagram: Uint8Array, now: number): number {
    const number = this.#sent++;
    this.#forget(now);
    if (this.#sent - this.#oldest > this.#state.length) this.#grow();
    const slot = this.#slot(number);
    this.#sentAt[slot] = now;
    this.#state[slot] = UNSETTLED;
    this.#hash[slot] = hash(datagram);
    this.#link(number);
    this.#onTheirWay++;
    return number;
  }

  /** Gives up those that were sent before this performance.now(). Returns their numbers. */
  expireBefore(time: number): readonly number[] {
    if (this.#settled === this.#sent || this.sentAt(this.#settled) >= time) return NONE;
    const lost: number[] = [];
    while (this.#settled < this.#sent && this.sentAt(this.#settled) < time) {
      lost.push(this.#settled);
      this.#settle(this.#settled, LOST);
    }
    return lost;
  }

  /** The other end sent this. */
  take(datagram: Uint8Array): Reply {
    const wanted = hash(datagram);
    const number = this.#oldestWith(datagram, wanted, UNSETTLED, this.#settled);
    if (number !== undefined) {
      this.#settle(number, BACK);
      const reordered = number < this.#highest;
      if (!reordered) this.#highest = number;
      return { kind: "back", number, reordered };
    }
    const lost = this.#oldestWith(datagram, wanted, LOST, this.#oldest);
    if (lost !== undefined) {
      this.#settle(lost, LATE);
      return { kind: "late", number: lost };
    }
    const known = this.#oldestWith(datagram, wanted, undefined, this.#oldest);
    if (known === undefined) return this.#judge(datagram);
    return { kind: "duplicate", number: known, text: `datagram ${known + 1} came back twice` };
  }

  #slot(number: number): number {
    return number & this.#state.length - 1;
  }

  #stateOf(number: number): number {
    return this.#state[this.#slot(number)]!;
  }

  #settle(number: number, state: number): void {
    const slot = this.#slot(number);
    if (this.#state[slot] === UNSETTLED) this.#onTheirWay--;
    this.#state[slot] = state;
    while (this.#settled < this.#sent && this.#stateOf(this.#settled) !== UNSETTLED) this.#settled++;
  }

  /** The first one with this content and state, or in any state, from `from` on. */
  #oldestWith(
    datagram: Uint8Array,
    wanted: number,
    state: number | undefined,
    from: number,
  ): number | undefined {
    let found: number | undefined;
    let number = this.#newest[wanted & this.#newest.length - 1]!;
    while (number >= from) {
      const slot = this.#slot(number);
      if (
        this.#hash[slot] === wanted && (state === undefined || this.#state[slot] === state) &&
        equal(this.#content(number), datagram)
      ) found = number;
      number = this.#before[slot]!;
    }
    return found;
  }

  /** It is none that was sent: of those of late, which one was it meant to be? */
  #judge(datagram: Uint8Array): Reply {
    let best: number | undefined;
    let most = 0;
    for (let n = Math.max(this.#oldest, this.#sent - MAX_CANDIDATES); n < this.#sent; n++) {
      const likeness = alike(this.#content(n), datagram);
      // What is on its way is expected; of two that are equally like it, the older one.
      const weight = likeness === 0 ? 0 : likeness + (this.#stateOf(n) === UNSETTLED ? 0.5 : 0);
      if (weight <= most) continue;
      most = weight;
      best = n;
    }
    if (best === undefined) {
      const bytes = datagram.length === 1 ? "1 byte" : `${datagram.length} bytes`;
      return { kind: "surplus", text: `a datagram of ${bytes} came that was never sent` };
    }
    const text = `datagram ${best + 1}: ${diagnoseDatagram(this.#content(best), datagram)}`;
    if (this.#stateOf(best) !== UNSETTLED) return { kind: "corrupted", number: undefined, text };
    this.#settle(best, CHANGED);
    return { kind: "corrupted", number: best, text };
  }

  #forget(now: number): void {
    const time = now - this.#timeout - REMEMBERED_MS;
    for (let n = this.#settled - this.#oldest; n > 0; n--, this.#oldest++) {
      const old = n > REMEMBERED && this.sentAt(this.#oldest) < time;
      if (!old && n <= this.#memory) return;
    }
  }

  #link(number: number): void {
    const slot = this.#slot(number);
    const bucket = this.#hash[slot]! & this.#newest.length - 1;
    this.#before[slot] = this.#newest[bucket]!;
    this.#newest[bucket] = number;
  }

  #grow(): void {
    const old = [this.#sentAt, this.#state, this.#hash] as const;
    const mask = this.#state.length - 1;
    const capacity = 2 * this.#state.length;
    this.#sentAt = new Float64Array(capacity);
    this.#state = new Uint8Array(capacity);
    this.#hash = new Int32Array(capacity);
    this.#before = new Float64Array(capacity);
    this.#newest = new Float64Array(capacity).fill(-1);
    for (let number = this.#oldest; number < this.#sent - 1; number++) {
      const slot = this.#slot(number);
      this.#sentAt[slot] = old[0][number & mask]!;
      this.#state[slot] = old[1][number & mask]!;
      this.#hash[slot] = old[2][number & mask]!;
      this.#link(number);
    }
  }
}

/** Of the size, and four bytes each of the start, the middle and the end: texts often differ in one of them alone. */
function hash(bytes: Uint8Array): number {
  const n = bytes.length;
  let h = n;
  for (let i = 0; i < Math.min(n, 4); i++) h = Math.imul(h ^ bytes[i]!, 0x01000193);
  for (let i = Math.max(n - 4, 4); i < n; i++) h = Math.imul(h ^ bytes[i]!, 0x01000193);
  const middle = n >> 1;
  for (let i = middle; i < Math.min(middle + 4, n); i++) h = Math.imul(h ^ bytes[i]!, 0x01000193);
  return h ^ h >>> 15;
}

/** Up to here a loop over the bytes is faster than Buffer.compare. */
const SHORT = 128;

function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  if (a.length > SHORT) return Buffer.compare(a, b) === 0;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** How like the one is to the other: 0 not at all; 1 to SAMPLES + 1 otherwise. */
function alike(sent: Uint8Array, received: Uint8Array): number {
  const n = received.length;
  if (sent.length === n) {
    const places = Math.min(n, SAMPLES);
    let same = 0;
    for (let i = 0; i < places; i++) {
      const at = Math.floor(i * n / places);
      if (sent[at] === received[at]) same++;
    }
    if (same < places * CHANCE) return n < PROOF ? 1 : 0;
    return 1 + SAMPLES * same / places;
  }
  const shorter = Math.min(sent.length, n);
  let start = 0;
  while (start < shorter && sent[start] === received[start]) start++;
  let end = 0;
  while (end < shorter - start && sent[sent.length - 1 - end] === received[n - 1 - end]) end++;
  const same = start + end;
  return same === shorter || same >= PROOF ? 1 + SAMPLES * same / Math.max(sent.length, n) : 0;
}
