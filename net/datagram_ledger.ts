/** What became of each datagram that was sent to an echo service (RFC 862). */

import { Buffer } from "node:buffer";
import { diagnoseDatagram } from "./diagnosis.ts";

/**
 * Settled datagrams are remembered, to recognize a late reply or a second one: the last so many, and all until so long
 * after their timeout.
 */
const REMEMBERED = 1024;
const REMEMBERED_MS = 1000;
/** How many datagrams the ring holds at first. It doubles, so this is a power of two. */
const FIRST_CAPACITY = 64;
/** How many of the last datagrams a changed one is compared with. */
const MAX_CANDIDATES = 256;
/** A datagram of another size is a changed one of ours if so many bytes at its start and end are equal. */
const PROOF = 4;
/** In how many places two datagrams of one size are compared. */
const SAMPLES = 1024;
/** Unrelated datagrams agree in 1/256 of their bytes by chance; ours must agree in this share at least. */
const CHANCE = 1 / 16;

const NONE: readonly number[] = [];

const UNSETTLED = 0;
const BACK = 1;
const LOST = 2;
const LATE = 3;
const CHANGED = 4;

/** What a datagram from the other end is. Datagrams are numbered from 0, in the order of sending. */
export type Reply =
  /** Datagram `number` is back in time. `reordered`: one that was sent later was back before it (RFC 4737). */
  | { readonly kind: "back"; readonly number: number; readonly reordered: boolean }
  /** It is back after its timeout. */
  | { readonly kind: "late"; readonly number: number }
  /** It was back before. */
  | { readonly kind: "duplicate"; readonly number: number; readonly text: string }
  /** It is changed. `number`: the datagram that is settled by it; undefined if that was settled before. */
  | { readonly kind: "corrupted"; readonly number: number | undefined; readonly text: string }
  /** It resembles none that was sent. */
  | { readonly kind: "surplus"; readonly text: string };

/**
 * Keeps the state of each datagram: on its way, back, lost, late or changed. A reply is matched by its content alone,
 * because the payload is the user's. Equal datagrams stand for each other: their counts are right, but which of them
 * was lost is not known.
 *
 * A datagram takes some 25 bytes in a ring that grows. See REMEMBERED for how long it is kept.
 */
export class DatagramLedger {
  readonly #content: (number: number) => Uint8Array;
  readonly #timeout: number;
  readonly #memory: number;
  /** Datagram n stands at n modulo the length of these arrays. */
  #sentAt = new Float64Array(FIRST_CAPACITY);
  #state = new Uint8Array(FIRST_CAPACITY);
  /** Of the content. */
  #hash = new Int32Array(FIRST_CAPACITY);
  /** The datagram before it in the same bucket. If that is older than #oldest, there is none. */
  #before = new Float64Array(FIRST_CAPACITY);
  /** The newest datagram of each bucket of hashes. */
  #newest = new Float64Array(FIRST_CAPACITY).fill(-1);
  #oldest = 0;
  /** The first datagram that is not settled, or the next one to be sent. */
  #settled = 0;
  #sent = 0;
  /** The last-sent datagram of those that are back. */
  #highest = -1;
  #onTheirWay = 0;

  /**
   * `content` returns what was sent under a number, from `oldest` on. `timeout`: milliseconds until a datagram is lost.
   * `memory`: how many settled ones are remembered at most.
   */
  constructor(content: (number: number) => Uint8Array, timeout: number, memory: number) {
    this.#content = content;
    this.#timeout = timeout;
    this.#memory = memory;
  }

  /** How many were sent. */
  get sent(): number {
    return this.#sent;
  }

  /** How many are neither back nor lost. */
  get onTheirWay(): number {
    return this.#onTheirWay;
  }

  /** The number of the first one that is remembered. */
  get oldest(): number {
    return this.#oldest;
  }

  /** When a datagram that is remembered was sent, of performance.now(). */
  sentAt(number: number): number {
    return this.#sentAt[this.#slot(number)]!;
  }

  /** Adds a datagram that is sent at this performance.now(). Returns its number. */
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

  /** Counts as lost those that were sent before this performance.now() and are not back. Returns their numbers. */
  expireBefore(time: number): readonly number[] {
    if (this.#settled === this.#sent || this.sentAt(this.#settled) >= time) return NONE;
    const lost: number[] = [];
    while (this.#settled < this.#sent && this.sentAt(this.#settled) < time) {
      lost.push(this.#settled);
      this.#settle(this.#settled, LOST);
    }
    return lost;
  }

  /** Says what a datagram from the other end is, and settles what is back. */
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

  /** The first datagram from number `from` on with this content and state; `state` undefined: any. */
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

  /** Judges a datagram that was never sent so: a changed one if it resembles one of the last, else a foreign one. */
  #judge(datagram: Uint8Array): Reply {
    let best: number | undefined;
    let most = 0;
    for (let n = Math.max(this.#oldest, this.#sent - MAX_CANDIDATES); n < this.#sent; n++) {
      const likeness = alike(this.#content(n), datagram);
      // One that is on its way is preferred; then, of two that resemble it equally, the older one.
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

/** Of the size, and of four bytes each at the start, the middle and the end: texts often differ in one of these places. */
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

/** How much two datagrams resemble each other: 0 not at all, else from 1 to SAMPLES + 1. */
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
