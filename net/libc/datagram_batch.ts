/** Many datagrams in one call: recvmmsg(2), sendmmsg(2). */

import * as libc from "./libc.ts";

/** struct mmsghdr of 64-bit Linux: a msghdr and the length of what came, in bytes and in words of 32 bits. */
const HEADER = { size: 64, name: 0, nameLength: 2, parts: 4, partCount: 6, length: 14, words: 16 };
/** struct iovec. */
const PART = { size: 16, base: 0, length: 2, words: 4 };
/** struct sockaddr_in6 is the largest that comes, with room to spare. */
const NAME = 32;

/** Structures that point into memory of their own: it must live as long as they do, and never move. */
class Headers {
  readonly view: Uint8Array;
  readonly #words: Uint32Array;
  readonly #partView: Uint8Array;
  readonly #parts: Uint32Array;

  constructor(count: number) {
    this.view = new Uint8Array(count * HEADER.size);
    this.#words = new Uint32Array(this.view.buffer);
    this.#partView = new Uint8Array(count * PART.size);
    this.#parts = new Uint32Array(this.#partView.buffer);
    const parts = libc.placeOf(this.#partView);
    for (let i = 0; i < count; i++) {
      point(this.#words, i * HEADER.words + HEADER.parts, parts + BigInt(i * PART.size));
      this.#words[i * HEADER.words + HEADER.partCount] = 1;
    }
  }

  /** Where the address of datagram `i` lies. */
  setName(i: number, place: bigint): void {
    point(this.#words, i * HEADER.words + HEADER.name, place);
  }

  setNameLength(i: number, length: number): void {
    this.#words[i * HEADER.words + HEADER.nameLength] = length;
  }

  /** Where its bytes lie. */
  setBase(i: number, place: bigint): void {
    point(this.#parts, i * PART.words + PART.base, place);
  }

  setRoom(i: number, length: number): void {
    this.#parts[i * PART.words + PART.length] = length;
  }

  /** How many bytes came. */
  length(i: number): number {
    return this.#words[i * HEADER.words + HEADER.length] ?? 0;
  }

  /** The structures from `i` on. */
  from(i: number): Uint8Array {
    return i === 0 ? this.view : this.view.subarray(i * HEADER.size);
  }

  /** Takes address and bytes over from datagram `j` of another, as it came. */
  take(i: number, from: Headers, j: number): void {
    const to = i * HEADER.words;
    const at = j * HEADER.words;
    this.#words[to + HEADER.name] = from.#words[at + HEADER.name] ?? 0;
    this.#words[to + HEADER.name + 1] = from.#words[at + HEADER.name + 1] ?? 0;
    this.#words[to + HEADER.nameLength] = from.#words[at + HEADER.nameLength] ?? 0;
    const part = i * PART.words;
    const its = j * PART.words;
    this.#parts[part + PART.base] = from.#parts[its + PART.base] ?? 0;
    this.#parts[part + PART.base + 1] = from.#parts[its + PART.base + 1] ?? 0;
    this.#parts[part + PART.length] = from.#words[at + HEADER.length] ?? 0;
  }
}

function point(words: Uint32Array, at: number, place: bigint): void {
  words[at] = Number(place & 0xffffffffn);
  words[at + 1] = Number(place >> 32n);
}

/** Room for `count` datagrams of up to `size` bytes, which come in, and of which some go out again. */
export class DatagramBatch {
  readonly #count: number;
  readonly #size: number;
  readonly #in: Headers;
  readonly #out: Headers;
  /** The addresses, each at a multiple of `NAME`. */
  readonly names: Uint8Array;
  readonly #bytes: Uint8Array;
  /** Which of those that came each of those that go out is. */
  readonly #chosen: Uint16Array;
  #arrived = 0;
  /** By the last `send`. */
  sentBytes = 0;
  /** Of those that go out. */
  #ready = 0;
  #sent = 0;

  /** The memory of large batches is taken from the system when it is first used. */
  constructor(count: number, size: number) {
    this.#count = count;
    this.#size = size;
    this.#in = new Headers(count);
    this.#out = new Headers(count);
    this.names = new Uint8Array(count * NAME);
    this.#bytes = new Uint8Array(count * size);
    this.#chosen = new Uint16Array(count);
    const names = libc.placeOf(this.names);
    const bytes = libc.placeOf(this.#bytes);
    for (let i = 0; i < count; i++) {
      this.#in.setName(i, names + BigInt(i * NAME));
      this.#in.setNameLength(i, NAME);
      this.#in.setBase(i, bytes + BigInt(i * size));
      this.#in.setRoom(i, size);
    }
  }

  /** Returns how many came, or WOULD_BLOCK. */
  receive(fd: number): number {
    for (let i = 0; i < this.#arrived; i++) this.#in.setNameLength(i, NAME);
    this.#arrived = 0;
    const n = libc.receiveDatagrams(fd, this.#in.view, this.#count);
    this.#arrived = Math.max(0, n);
    this.#ready = this.#sent = 0;
    return n;
  }

  /** Whether there may be more than what came. */
  get isFull(): boolean {
    return this.#arrived === this.#count;
  }

  /** How many bytes the `i`th of those that came has. */
  length(i: number): number {
    return this.#in.length(i);
  }

  /** Its bytes, until the next `receive`. */
  datagram(i: number): Uint8Array {
    const start = i * this.#size;
    return this.#bytes.subarray(start, start + this.#in.length(i));
  }

  /** Where its address begins in `names`. */
  nameAt(i: number): number {
    return i * NAME;
  }

  /** It is to go back. */
  choose(i: number): void {
    this.#chosen[this.#ready] = i;
    this.#out.take(this.#ready++, this.#in, i);
  }

  /** Which of those that came is the next to go; undefined: all have gone. */
  get next(): number | undefined {
    return this.#sent < this.#ready ? this.#chosen[this.#sent] : undefined;
  }

  /** Sends what it can; returns how many those are, or WOULD_BLOCK. Throws where the next one cannot be sent. */
  send(fd: number): number {
    const n = libc.sendDatagrams(fd, this.#out.from(this.#sent), this.#ready - this.#sent);
    this.sentBytes = 0;
    for (let i = 0; i < n; i++) this.sentBytes += this.#out.length(this.#sent + i);
    if (n > 0) this.#sent += n;
    return n;
  }

  /** Leaves the next one out. */
  skip(): void {
    this.#sent++;
  }
}
