/** Many datagrams at once, in the structures of recvmmsg(2) and sendmmsg(2), which are made once. */

import { type Datagram, type Echoer, RECEIVE_BUFFER } from "../datagram_socket.ts";
import type { Endpoint } from "../stream.ts";
import { MESSAGE_BYTES, placeOf, receiveDatagrams, sendDatagrams, WOULD_BLOCK } from "./libc.ts";
import { endpointOf, isLinkLocal, isSameEnd, portOf } from "./sockaddr.ts";

/** How many are taken before others get their turn. */
const CAPACITY = 64;
/**
 * From one buffer to the next. With 64 KiB, the beginnings of all would fall into the same few lines of the
 * processor's caches. A buffer takes memory from the system only where a datagram has reached.
 */
const SLOT = RECEIVE_BUFFER + 192;
/** Room for a sockaddr_in6. */
const NAME_BYTES = 28;
const NAME_SLOT = 32;
const VECTOR_BYTES = 16;

/** In words of 32 bits; struct mmsghdr and struct iovec are the same on x86-64 and arm64. */
const MESSAGE = { words: MESSAGE_BYTES / 4, name: 0, nameLength: 2, vector: 4, vectors: 6, received: 14 };
const VECTOR = { words: VECTOR_BYTES / 4, place: 0, length: 2 };

/** Of a buffer of its own, which stays in its place: a small array is otherwise moved by the garbage collector. */
function memory(bytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(bytes));
}

/** The datagrams that were taken last. It shows them one after the other, and keeps which of them are to go back. */
export class DatagramBatch implements Datagram {
  readonly #messages = memory(CAPACITY * MESSAGE_BYTES);
  readonly #message = new Uint32Array(this.#messages.buffer);
  readonly #vectors = memory(CAPACITY * VECTOR_BYTES);
  readonly #vector = new Uint32Array(this.#vectors.buffer);
  readonly #names = memory(CAPACITY * NAME_SLOT);
  readonly #buffer = memory(CAPACITY * SLOT);
  /** What was shown of each slot: as most datagrams are of one size, it fits the next one too. */
  readonly #views: (Uint8Array | undefined)[] = [];
  readonly #wanted = new Uint8Array(CAPACITY);
  /** How many there are. */
  #size = CAPACITY;
  /** The first one that was not sent back, nor left out. */
  #unsent = 0;
  /** The one that is shown. */
  #at = 0;
  /** The sockaddr that `isReply` compares with. */
  expected: Uint8Array | undefined;

  constructor() {
    const [names, vectors, buffer] = [placeOf(this.#names), placeOf(this.#vectors), placeOf(this.#buffer)];
    for (let i = 0; i < CAPACITY; i++) {
      const message = i * MESSAGE.words;
      this.#point(this.#message, message + MESSAGE.name, names, i * NAME_SLOT);
      this.#point(this.#message, message + MESSAGE.vector, vectors, i * VECTOR_BYTES);
      this.#message[message + MESSAGE.vectors] = 1;
      this.#point(this.#vector, i * VECTOR.words + VECTOR.place, buffer, i * SLOT);
    }
  }

  #point(words: Uint32Array<ArrayBuffer>, at: number, place: bigint, offset: number): void {
    new DataView(words.buffer).setBigUint64(at * 4, place + BigInt(offset), true);
  }

  /** Takes what has arrived; WOULD_BLOCK: nothing has. */
  receive(fd: number): number {
    for (let i = 0; i < this.#size; i++) {
      this.#message[i * MESSAGE.words + MESSAGE.nameLength] = NAME_BYTES;
      this.#vector[i * VECTOR.words + VECTOR.length] = RECEIVE_BUFFER;
    }
    this.#size = this.#unsent = 0;
    const n = receiveDatagrams(fd, this.#messages);
    if (n !== WOULD_BLOCK) this.#size = n;
    return n;
  }

  /** Whether there was no room for more. */
  get isFull(): boolean {
    return this.#size === CAPACITY;
  }

  /** Shows the one of this number, from 0; returns whether there is one. */
  show(number: number): boolean {
    this.#at = number;
    return number < this.#size;
  }

  /** Asks for each whether it is to be sent back. */
  choose(echoer: Echoer): void {
    for (let i = 0; this.show(i); i++) {
      this.#wanted[i] = Number(echoer.wants(this));
      this.#vector[i * VECTOR.words + VECTOR.length] = this.#length(i);
    }
  }

  /** Sends back what is wanted; false: there is no room for the rest, and it is to be called again. */
  sendBack(fd: number, echoer: Echoer): boolean {
    for (let end = 0; this.#unsent < this.#size;) {
      if (this.#wanted[this.#unsent] === 0) {
        this.#unsent++;
        continue;
      }
      if (end <= this.#unsent) {
        for (end = this.#unsent + 1; this.#wanted[end] === 1 && end < this.#size;) end++;
      }
      try {
        const n = sendDatagrams(fd, this.#run(this.#unsent, end));
        if (n === WOULD_BLOCK) return false;
        for (const stop = this.#unsent + n; this.#unsent < stop; this.#unsent++) {
          echoer.sent(this.#length(this.#unsent));
        }
      } catch (error) {
        this.show(this.#unsent++);
        echoer.failed(this, error);
      }
    }
    return true;
  }

  /** What is wanted and not sent back fails with this error. */
  giveUp(echoer: Echoer, error: unknown): void {
    for (; this.show(this.#unsent); this.#unsent++) {
      if (this.#wanted[this.#unsent] === 1) echoer.failed(this, error);
    }
  }

  get bytes(): Uint8Array {
    const i = this.#at;
    const length = this.#length(i);
    const view = this.#views[i];
    if (view?.length === length) return view;
    return this.#views[i] = this.#buffer.subarray(i * SLOT, i * SLOT + length);
  }

  get from(): Endpoint {
    return endpointOf(this.#names, this.#at * NAME_SLOT);
  }

  get port(): number {
    return portOf(this.#names, this.#at * NAME_SLOT);
  }

  get isLinkLocal(): boolean {
    return isLinkLocal(this.#names, this.#at * NAME_SLOT);
  }

  get isReply(): boolean {
    return this.expected !== undefined && isSameEnd(this.expected, this.#names, this.#at * NAME_SLOT);
  }

  #length(i: number): number {
    return this.#message[i * MESSAGE.words + MESSAGE.received] ?? 0;
  }

  /** The messages from one number up to another. */
  #run(begin: number, end: number): Uint8Array {
    return this.#messages.subarray(begin * MESSAGE_BYTES, end * MESSAGE_BYTES);
  }
}
